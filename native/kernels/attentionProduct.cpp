/**
 * The products of attention on real numbers, `scale · Q (Kᵀ V)` per image and head, and their gradient, as in `kernels/attentionProduct.ts`: sums run over tokens, or over channels, in their
 * order, each product fused with its sum.
 */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** Numbers of a matrix that lie `row` and `inner` bytes apart. */
struct Strided {
  const uint8_t* numbers;
  size_t row;
  size_t inner;
};

/** `rows` rows of `registers` vectors of the product: as many sums as registers hold. */
template <int rows, int registers, bool isWhole>
SPIKEFORMER_INLINE void productTile(Strided a, const uint8_t* b, size_t bRow, uint8_t* output, size_t outputRow, uint32_t inner, uint32_t left, Floats factor) {
  Floats sums[rows][registers] = {};
  for (uint32_t index = 0; index < inner; index++) {
    Floats right[registers];
    for (int part = 0; part < registers; part++) right[part] = loadSome<isWhole>(b + part * vectorBytes, left);
    for (int row = 0; row < rows; row++) {
      const Floats value = splat(loadFloat(a.numbers + row * a.row));
      for (int part = 0; part < registers; part++) sums[row][part] = multiplyAdd(value, right[part], sums[row][part]);
    }
    a.numbers += a.inner;
    b += bRow;
  }
  for (int row = 0; row < rows; row++) {
    for (int part = 0; part < registers; part++) storeSome<isWhole>(output + row * outputRow + part * vectorBytes, factor * sums[row][part], left);
  }
}

template <int rows>
SPIKEFORMER_LOOP void productRows(Strided a, const uint8_t* b, size_t bRow, uint8_t* output, size_t outputRow, uint32_t inner, uint32_t width, Floats factor) {
  uint32_t column = 0;
  for (; column + 2 * lanes <= width; column += 2 * lanes) {
    productTile<rows, 2, true>(a, b + column * 4, bRow, output + column * 4, outputRow, inner, lanes, factor);
  }
  for (; column + lanes <= width; column += lanes) productTile<rows, 1, true>(a, b + column * 4, bRow, output + column * 4, outputRow, inner, lanes, factor);
  if (column < width) productTile<rows, 1, false>(a, b + column * 4, bRow, output + column * 4, outputRow, inner, width - column, factor);
}

/** `output[row][column] = scale · Σ a[row][inner] · b[inner][column]` for `width` columns. */
SPIKEFORMER_INLINE void product(Strided a, const uint8_t* b, size_t bRow, uint8_t* output, size_t outputRow, uint32_t rows, uint32_t inner, uint32_t width, float scale) {
  uint32_t row = 0;
  const Floats factor = splat(scale);
  for (; row + 4 <= rows; row += 4) productRows<4>({a.numbers + row * a.row, a.row, a.inner}, b, bRow, output + row * outputRow, outputRow, inner, width, factor);
  for (; row < rows; row++) productRows<1>({a.numbers + row * a.row, a.row, a.inner}, b, bRow, output + row * outputRow, outputRow, inner, width, factor);
}

/** Tasks are (image, head). Scratch: a matrix of the head's channels by its channels. */
void attentionProduct(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t tokens = wordOf(memory, instruction, attentionProductWord::tokens);
  const uint32_t channels = wordOf(memory, instruction, attentionProductWord::channels);
  const uint32_t heads = wordOf(memory, instruction, attentionProductWord::heads);
  const float scale = floatOf(memory, instruction, attentionProductWord::scale);
  const uint32_t width = channels / heads;
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const size_t squareRow = static_cast<size_t>((width + 3) & ~3u) * 4;
  uint8_t* square = memory + scratch;
  const uint32_t tasks = wordOf(memory, instruction, attentionProductWord::images) * heads;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t place = task / heads * tokens * rowBytes + task % heads * width * 4;
    const uint8_t* query = at(memory, instruction, attentionProductWord::query) + place;
    const uint8_t* key = at(memory, instruction, attentionProductWord::key) + place;
    const uint8_t* value = at(memory, instruction, attentionProductWord::value) + place;
    uint8_t* output = at(memory, instruction, attentionProductWord::output) + place;
    product({key, 4, rowBytes}, value, rowBytes, square, squareRow, width, tokens, width, 1);
    product({query, rowBytes, 4}, square, squareRow, output, rowBytes, tokens, width, width, scale);
  }
}

/** Tasks and scratch are those of `attentionProduct`. */
void attentionProductGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t tokens = wordOf(memory, instruction, attentionProductGradientWord::tokens);
  const uint32_t channels = wordOf(memory, instruction, attentionProductGradientWord::channels);
  const uint32_t heads = wordOf(memory, instruction, attentionProductGradientWord::heads);
  const float scale = floatOf(memory, instruction, attentionProductGradientWord::scale);
  const uint32_t width = channels / heads;
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const size_t squareRow = static_cast<size_t>((width + 3) & ~3u) * 4;
  uint8_t* square = memory + scratch;
  const uint32_t tasks = wordOf(memory, instruction, attentionProductGradientWord::images) * heads;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t place = task / heads * tokens * rowBytes + task % heads * width * 4;
    const uint8_t* query = at(memory, instruction, attentionProductGradientWord::query) + place;
    const uint8_t* key = at(memory, instruction, attentionProductGradientWord::key) + place;
    const uint8_t* value = at(memory, instruction, attentionProductGradientWord::value) + place;
    const uint8_t* gradient = at(memory, instruction, attentionProductGradientWord::outputGradient) + place;
    uint8_t* queryGradient = at(memory, instruction, attentionProductGradientWord::queryGradient) + place;
    uint8_t* keyGradient = at(memory, instruction, attentionProductGradientWord::keyGradient) + place;
    uint8_t* valueGradient = at(memory, instruction, attentionProductGradientWord::valueGradient) + place;
    product({value, 4, rowBytes}, key, rowBytes, square, squareRow, width, tokens, width, 1);
    product({gradient, rowBytes, 4}, square, squareRow, queryGradient, rowBytes, tokens, width, width, scale);
    product({gradient, 4, rowBytes}, query, rowBytes, square, squareRow, width, tokens, width, scale);
    product({value, rowBytes, 4}, square, squareRow, keyGradient, rowBytes, tokens, width, width, 1);
    product({query, 4, rowBytes}, gradient, rowBytes, square, squareRow, width, tokens, width, scale);
    product({key, rowBytes, 4}, square, squareRow, valueGradient, rowBytes, tokens, width, width, 1);
  }
}

}  // namespace SPIKEFORMER_ISA
