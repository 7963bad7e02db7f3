/**
 * Gradient of `scale · Q (Kᵀ V)` per image and head, as in `kernels/trainingAttention.ts` and bit for bit: lanes are channels, sums are made in the same order.
 */
#include "vector.h"
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** Lists the channels of a head that fire at one token. Returns how many there are. */
SPIKEFORMER_INLINE uint32_t listSpikes(const uint8_t* spikes, uint32_t firstChannel, uint32_t width, uint8_t* list) {
  uint32_t count = 0;
  for (uint32_t channel = 0; channel < width;) {
    const uint32_t place = firstChannel + channel;
    const uint32_t available = smaller(32 - (place & 31), width - channel);
    uint32_t word = load32(spikes + (place >> 5) * 4) >> (place & 31);
    if (available < 32) word &= (1u << available) - 1;
    for (; word != 0; word &= word - 1) store32(list + count++ * 4, channel + static_cast<uint32_t>(__builtin_ctz(word)));
    channel += available;
  }
  return count;
}

/** The rows of a matrix are whole vectors of four, `rowBytes` long; what is beyond its width is zero. */
template <int width>
SPIKEFORMER_INLINE void addPiece(const uint8_t* list, uint32_t count, uint8_t* rows, const uint8_t* row, size_t rowBytes, size_t place) {
  const FloatsOf<width> addend = load<FloatsOf<width>>(row + place);
  for (uint32_t entry = 0; entry < count; entry++) {
    uint8_t* target = rows + load32(list + entry * 4) * rowBytes + place;
    store(target, load<FloatsOf<width>>(target) + addend);
  }
}

/** Adds `row` to the rows that a list selects. */
SPIKEFORMER_LOOP void addToRows(const uint8_t* list, uint32_t count, uint8_t* rows, const uint8_t* row, size_t rowBytes) {
  size_t place = 0;
  for (; place + vectorBytes <= rowBytes; place += vectorBytes) addPiece<static_cast<int>(lanes)>(list, count, rows, row, rowBytes, place);
  for (; place < rowBytes; place += 16) addPiece<4>(list, count, rows, row, rowBytes, place);
}

/** Writes the first `left` of a piece's numbers, or all. */
template <int width>
SPIKEFORMER_INLINE void putPiece(uint8_t* output, FloatsOf<width> numbers, size_t left) {
  if (left >= static_cast<size_t>(width)) store(output, numbers);
  else memcpy(output, &numbers, left * 4);
}

template <int width, int registers>
SPIKEFORMER_INLINE void sumPiece(const uint8_t* list, uint32_t count, const uint8_t* rows, size_t rowBytes, size_t place, uint8_t* output, uint32_t all) {
  FloatsOf<width> sums[registers] = {};
  for (uint32_t entry = 0; entry < count; entry++) {
    const uint8_t* row = rows + load32(list + entry * 4) * rowBytes + place;
    for (int index = 0; index < registers; index++) sums[index] += load<FloatsOf<width>>(row + index * width * 4);
  }
  for (int index = 0; index < registers; index++) {
    const size_t from = place / 4 + static_cast<size_t>(index) * width;
    putPiece<width>(output + from * 4, sums[index], all - from);
  }
}

/** Writes the sum of the rows that a list selects. */
SPIKEFORMER_LOOP void sumSelected(const uint8_t* list, uint32_t count, const uint8_t* rows, size_t rowBytes, uint8_t* output, uint32_t all) {
  constexpr int width = static_cast<int>(lanes);
  size_t place = 0;
  for (; place + 4 * vectorBytes <= rowBytes; place += 4 * vectorBytes) sumPiece<width, 4>(list, count, rows, rowBytes, place, output, all);
  for (; place + vectorBytes <= rowBytes; place += vectorBytes) sumPiece<width, 1>(list, count, rows, rowBytes, place, output, all);
  for (; place < rowBytes; place += 16) sumPiece<4, 1>(list, count, rows, rowBytes, place, output, all);
}

template <int width, int registers>
SPIKEFORMER_INLINE void multiplyPiece(const uint8_t* row, const uint8_t* matrix, size_t rowBytes, size_t place, uint8_t* output, uint32_t all) {
  FloatsOf<width> sums[registers] = {};
  const uint8_t* other = matrix + place;
  for (uint32_t index = 0; index < all; index++) {
    const FloatsOf<width> value = splatOf<width>(loadFloat(row + index * 4));
    for (int part = 0; part < registers; part++) {
      sums[part] += value * load<FloatsOf<width>>(other + part * width * 4);
    }
    other += rowBytes;
  }
  for (int part = 0; part < registers; part++) {
    const size_t from = place / 4 + static_cast<size_t>(part) * width;
    putPiece<width>(output + from * 4, sums[part], all - from);
  }
}

/** Writes `row · matrix`. */
SPIKEFORMER_LOOP void multiplyRow(const uint8_t* row, const uint8_t* matrix, size_t rowBytes, uint8_t* output, uint32_t all) {
  constexpr int width = static_cast<int>(lanes);
  size_t place = 0;
  for (; place + 4 * vectorBytes <= rowBytes; place += 4 * vectorBytes) multiplyPiece<width, 4>(row, matrix, rowBytes, place, output, all);
  for (; place + vectorBytes <= rowBytes; place += vectorBytes) multiplyPiece<width, 1>(row, matrix, rowBytes, place, output, all);
  for (; place < rowBytes; place += 16) multiplyPiece<4, 1>(row, matrix, rowBytes, place, output, all);
}

/** `width` numbers times the scale. What lies behind them in the row stays as it is. */
SPIKEFORMER_INLINE void scaleRow(const uint8_t* source, Floats scale, uint8_t* target, uint32_t width) {
  for (uint32_t channel = 0; channel < width; channel += lanes) {
    const uint32_t left = width - channel;
    storeLanes(target + channel * 4, loadLanes(source + channel * 4, left) * scale, left);
  }
}

/** Tasks are (image, head). Scratch: Vᵀ K, B and its transpose, a row, a list; each matrix `width` rows. */
void attentionGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const size_t tokens = wordOf(memory, instruction, AttentionGradientWord::tokens);
  const size_t channels = wordOf(memory, instruction, AttentionGradientWord::channels);
  const uint32_t heads = wordOf(memory, instruction, AttentionGradientWord::heads);
  const Floats scale = splat(floatOf(memory, instruction, AttentionGradientWord::scale));
  const uint32_t width = static_cast<uint32_t>(channels) / heads;
  const size_t rowBytes = static_cast<size_t>((width + 3) >> 2) << 4;
  const size_t spikeBytes = ((channels + 31) >> 5) * 4;
  const size_t matrixBytes = width * rowBytes;
  uint8_t* counts = memory + scratch;
  uint8_t* products = counts + matrixBytes;
  uint8_t* transposed = products + matrixBytes;
  uint8_t* row = transposed + matrixBytes;
  uint8_t* list = row + rowBytes;
  const uint32_t tasks = wordOf(memory, instruction, AttentionGradientWord::images) * heads;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t firstToken = task / heads * tokens;
    const uint32_t firstChannel = task % heads * width;
    const uint8_t* query = at(memory, instruction, AttentionGradientWord::query) + firstToken * spikeBytes;
    const uint8_t* key = at(memory, instruction, AttentionGradientWord::key) + firstToken * spikeBytes;
    const uint8_t* value = at(memory, instruction, AttentionGradientWord::value) + firstToken * spikeBytes;
    const size_t offset = (firstToken * channels + firstChannel) * 4;
    const uint8_t* gradient = at(memory, instruction, AttentionGradientWord::outputGradient) + offset;
    uint8_t* queryGradient = at(memory, instruction, AttentionGradientWord::queryGradient) + offset;
    uint8_t* keyGradient = at(memory, instruction, AttentionGradientWord::keyGradient) + offset;
    uint8_t* valueGradient = at(memory, instruction, AttentionGradientWord::valueGradient) + offset;
    memset(counts, 0, 3 * matrixBytes + rowBytes);
    for (size_t token = 0; token < tokens; token++) {
      memset(row, 0, rowBytes);
      const uint32_t keys = listSpikes(key + token * spikeBytes, firstChannel, width, list);
      for (uint32_t entry = 0; entry < keys; entry++) storeFloat(row + load32(list + entry * 4) * 4, 1);
      addToRows(list, listSpikes(value + token * spikeBytes, firstChannel, width, list), counts, row, rowBytes);
      scaleRow(gradient + token * channels * 4, scale, row, width);
      addToRows(list, listSpikes(query + token * spikeBytes, firstChannel, width, list), products, row, rowBytes);
    }
    for (uint32_t i = 0; i < width; i++) {
      for (uint32_t j = 0; j < width; j++) storeFloat(transposed + j * rowBytes + i * 4, loadFloat(products + i * rowBytes + j * 4));
    }
    for (size_t token = 0; token < tokens; token++) {
      const size_t place = token * channels * 4;
      scaleRow(gradient + place, scale, row, width);
      multiplyRow(row, counts, rowBytes, queryGradient + place, width);
      sumSelected(list, listSpikes(value + token * spikeBytes, firstChannel, width, list), transposed, rowBytes, keyGradient + place, width);
      sumSelected(list, listSpikes(key + token * spikeBytes, firstChannel, width, list), products, rowBytes, valueGradient + place, width);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
