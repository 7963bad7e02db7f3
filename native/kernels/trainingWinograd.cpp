/**
 * Gradient of a 3×3 convolution of stride 1 with respect to its input by Winograd's F(4×4, 3×3), the twin of `kernels/trainingWinograd.ts`: the same transforms, and 36 products of
 * four tiles times up to three panels at once.
 */
#include "vector.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

/** Positions of a transformed tile. */
constexpr uint32_t positionsOfTile = 36;

/** Six numbers by Bᵀ; `store(index, value)` takes the results. */
template <int width, typename Store>
SPIKEFORMER_INLINE void transformIn(const FloatsOf<width> (&d)[6], Store store) {
  const FloatsOf<width> minusFour = splatOf<width>(-4.0f);
  const FloatsOf<width> minusFive = splatOf<width>(-5.0f);
  const FloatsOf<width> four = splatOf<width>(4.0f);
  const FloatsOf<width> a = multiplyAddOf<width>(minusFour, d[2], d[4]);
  const FloatsOf<width> b = multiplyAddOf<width>(minusFour, d[1], d[3]);
  const FloatsOf<width> c = d[4] - d[2];
  const FloatsOf<width> e = d[3] - d[1];
  const FloatsOf<width> twice = e + e;
  store(0, multiplyAddOf<width>(four, d[0], multiplyAddOf<width>(minusFive, d[2], d[4])));
  store(1, a + b);
  store(2, a - b);
  store(3, c + twice);
  store(4, c - twice);
  store(5, multiplyAddOf<width>(four, d[1], multiplyAddOf<width>(minusFive, d[3], d[5])));
}

/** Three numbers by G. */
template <int width, typename Store>
SPIKEFORMER_INLINE void transformKernel(FloatsOf<width> g0, FloatsOf<width> g1, FloatsOf<width> g2, Store store) {
  const FloatsOf<width> sixth = splatOf<width>(static_cast<float>(-1.0 / 6));
  const FloatsOf<width> outer = (g0 + g2) * sixth;
  const FloatsOf<width> inner = g1 * sixth;
  const FloatsOf<width> far = multiplyAddOf<width>(splatOf<width>(static_cast<float>(1.0 / 24)), g0, splatOf<width>(static_cast<float>(1.0 / 6)) * g2);
  const FloatsOf<width> middle = g1 * splatOf<width>(static_cast<float>(1.0 / 12));
  store(0, g0 * splatOf<width>(0.25f));
  store(1, outer + inner);
  store(2, outer - inner);
  store(3, far + middle);
  store(4, far - middle);
  store(5, g2);
}

/** Six numbers by Aᵀ, to four. */
template <int width, typename Store>
SPIKEFORMER_INLINE void transformOut(const FloatsOf<width> (&m)[6], Store store) {
  const FloatsOf<width> sum1 = m[1] + m[2];
  const FloatsOf<width> difference1 = m[1] - m[2];
  const FloatsOf<width> sum2 = m[3] + m[4];
  const FloatsOf<width> difference2 = m[3] - m[4];
  store(0, m[0] + sum1 + sum2);
  store(1, multiplyAddOf<width>(splatOf<width>(2.0f), difference2, difference1));
  store(2, multiplyAddOf<width>(splatOf<width>(4.0f), sum2, sum1));
  store(3, multiplyAddOf<width>(splatOf<width>(8.0f), difference2, difference1 + m[5]));
}

/** Turned kernels, transformed: `[position][panel of input channels][output channel][8]`. Tasks are (panel, output channel). */
void packWinograd(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t inputs = wordOf(memory, instruction, ConvolutionWord::inputChannels);
  const uint32_t outputs = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights);
  const Bytes packed = at(memory, instruction, TrainingConvolutionWord::packed);
  const uint32_t panels = (inputs + Width::panel - 1) / Width::panel;
  const size_t positionBytes = static_cast<size_t>(panels) * outputs * Width::panel * 4;
  const uint32_t last = claimStart(panels * outputs, until);
  for (uint32_t task = claimStart(panels * outputs, from); task < last; task++) {
    const uint32_t panel = task / outputs;
    const uint32_t output = task - panel * outputs;
    const uint32_t firstInput = panel * Width::panel;
    const uint32_t count = smaller(Width::panel, inputs - firstInput);
    // Kernels of nine taps follow each other; a tap of all kernels of the panel, turned around.
    float taps[9][Width::panel] = {};
    const uint8_t* source = weights + (static_cast<size_t>(output) * inputs + firstInput) * 36;
    for (uint32_t lane = 0; lane < count; lane++) {
      for (uint32_t tap = 0; tap < 9; tap++) taps[8 - tap][lane] = loadFloat(source + lane * 36 + tap * 4);
    }
    const auto tapOf = [&](uint32_t tap) { return load<FloatsOf<8>>(reinterpret_cast<const uint8_t*>(taps[tap])); };
    FloatsOf<8> columns[6][3];
    for (uint32_t column = 0; column < 3; column++) {
      transformKernel<8>(tapOf(column), tapOf(3 + column), tapOf(6 + column), [&](uint32_t row, FloatsOf<8> value) { columns[row][column] = value; });
    }
    uint8_t* target = packed + static_cast<size_t>(task) * Width::panel * 4;
    for (uint32_t row = 0; row < 6; row++) {
      transformKernel<8>(columns[row][0], columns[row][1], columns[row][2], [&](uint32_t column, FloatsOf<8> value) {
        store(target + (row * 6 + column) * positionBytes, value);
      });
    }
  }
}

/** `count` channels of one tile of the gradient: `[position][…][output channel]`, positions `positionBytes` apart. */
template <int width>
SPIKEFORMER_LOOP void gatherChannels(const uint8_t* const* places, size_t offset, uint32_t count, uint8_t* target, size_t positionBytes) {
  FloatsOf<width> rows[6][6];
  for (uint32_t column = 0; column < 6; column++) {
    FloatsOf<width> values[6];
    for (uint32_t row = 0; row < 6; row++) values[row] = loadSome<width>(places[row * 6 + column] + offset, count);
    transformIn<width>(values, [&](uint32_t row, FloatsOf<width> value) { rows[row][column] = value; });
  }
  for (uint32_t row = 0; row < 6; row++) {
    uint8_t* to = target + offset + row * 6 * positionBytes;
    transformIn<width>(rows[row], [&](uint32_t column, FloatsOf<width> value) { store(to + column * positionBytes, value); });
  }
}

/** Four tiles times some panels. Rows are whole vectors of four, zero beyond the output channels. */
template <int panels>
SPIKEFORMER_LOOP void multiplyTiles(const uint8_t* rows, size_t rowBytes, const uint8_t* weights, size_t panelBytes, uint8_t* target, size_t targetBytes) {
  FloatsOf<8> sums[4][panels] = {};
  for (size_t at = 0; at < panelBytes; at += Width::panel * 4) {
    FloatsOf<8> factors[panels];
    for (int panel = 0; panel < panels; panel++) factors[panel] = load<FloatsOf<8>>(weights + panel * panelBytes + at);
    for (uint32_t row = 0; row < 4; row++) {
      const FloatsOf<8> value = splatOf<8>(loadFloat(rows + row * rowBytes));
      for (int panel = 0; panel < panels; panel++) sums[row][panel] = multiplyAddOf<8>(value, factors[panel], sums[row][panel]);
    }
    rows += 4;
  }
  for (uint32_t row = 0; row < 4; row++) {
    for (int panel = 0; panel < panels; panel++) store(target + row * targetBytes + panel * 32, sums[row][panel]);
  }
}

/** `count` channels of one tile back to at most 4×4 pixels. */
template <int width, bool add>
SPIKEFORMER_LOOP void scatterChannels(
    const uint8_t* source, size_t positionBytes, uint8_t* target, size_t rowBytes, size_t pixelBytes, uint32_t rows, uint32_t columns, uint32_t count) {
  FloatsOf<width> half[4][6];
  for (uint32_t column = 0; column < 6; column++) {
    FloatsOf<width> values[6];
    for (uint32_t row = 0; row < 6; row++) values[row] = load<FloatsOf<width>>(source + (row * 6 + column) * positionBytes);
    transformOut<width>(values, [&](uint32_t row, FloatsOf<width> value) { half[row][column] = value; });
  }
  for (uint32_t row = 0; row < rows; row++) {
    uint8_t* to = target + row * rowBytes;
    transformOut<width>(half[row], [&](uint32_t column, FloatsOf<width> value) {
      if (column >= columns) return;
      uint8_t* place = to + column * pixelBytes;
      if constexpr (add) value += loadSome<width>(place, count);
      storeSome<width>(place, value, count);
    });
  }
}

/**
 * `input` is the output's gradient, `output` the input's. Tasks are blocks of `positionsPerBlock` tiles, a multiple of four. Scratch: as in `kernels/trainingWinograd.ts`, of which
 * the row of zeros, the transformed tiles and the products are used.
 */
void winogradInputGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const uint32_t inputHeight = wordOf(memory, instruction, Word::inputHeight);
  const uint32_t inputWidth = wordOf(memory, instruction, Word::inputWidth);
  const uint32_t inputs = wordOf(memory, instruction, Word::inputChannels);
  const uint32_t outputHeight = wordOf(memory, instruction, Word::outputHeight);
  const uint32_t outputWidth = wordOf(memory, instruction, Word::outputWidth);
  const uint32_t outputs = wordOf(memory, instruction, Word::outputChannels);
  const uint32_t startY = wordOf(memory, instruction, Word::paddingHeight) - 2;
  const uint32_t startX = wordOf(memory, instruction, Word::paddingWidth) - 2;
  const uint32_t perBlock = wordOf(memory, instruction, Extra::positionsPerBlock);
  const bool accumulate = wordOf(memory, instruction, Extra::accumulate) != 0;
  const uint8_t* gradient = at(memory, instruction, Word::input);
  const Bytes result = at(memory, instruction, Word::output);
  const uint8_t* packed = at(memory, instruction, Extra::packed);
  const uint32_t panels = (inputs + Width::panel - 1) / Width::panel;
  const uint32_t tilesY = (inputHeight + 3) >> 2;
  const uint32_t tilesX = (inputWidth + 3) >> 2;
  const uint32_t tiles = wordOf(memory, instruction, Word::images) * tilesY * tilesX;
  const uint32_t blocks = (tiles + perBlock - 1) / perBlock;
  const size_t sourceBytes = static_cast<size_t>((outputs + 3) & ~3u) * 4;
  const size_t gradientBytes = static_cast<size_t>(outputs) * 4;
  const size_t pixelBytes = static_cast<size_t>(inputs) * 4;
  const size_t productBytes = static_cast<size_t>(panels) * Width::panel * 4;
  const size_t panelBytes = static_cast<size_t>(outputs) * Width::panel * 4;
  const Bytes zeros = memory + scratch + 40 * 16 + 160;
  const Bytes sources = zeros + ((outputs + 15) & ~15u) * 4;
  const Bytes products = sources + positionsOfTile * perBlock * sourceBytes;
  memset(zeros, 0, sourceBytes);
  const uint32_t last = claimStart(blocks, until);
  for (uint32_t block = claimStart(blocks, from); block < last; block++) {
    const uint32_t first = block * perBlock;
    const uint32_t count = smaller(perBlock, tiles - first);
    for (uint32_t tile = 0; tile < count; tile++) {
      const uint32_t x = ((first + tile) % tilesX) * 4 + startX;
      const uint32_t row = (first + tile) / tilesX;
      const uint32_t y = (row % tilesY) * 4 + startY;
      const uint8_t* image = gradient + static_cast<size_t>(row / tilesY) * outputHeight * outputWidth * gradientBytes;
      const uint8_t* places[positionsOfTile];
      for (uint32_t place = 0; place < positionsOfTile; place++) {
        // A negative coordinate is a huge unsigned one.
        const uint32_t placeY = y + place / 6;
        const uint32_t placeX = x + place % 6;
        const bool inside = placeY < outputHeight && placeX < outputWidth;
        places[place] = inside ? image + (static_cast<size_t>(placeY) * outputWidth + placeX) * gradientBytes : zeros;
      }
      inWidths(outputs, [&](auto width, uint32_t channel) {
        gatherChannels<decltype(width)::width>(places, channel * 4, outputs - channel, sources + tile * sourceBytes, perBlock * sourceBytes);
      });
    }
    for (uint32_t position = 0; position < positionsOfTile; position++) {
      const uint8_t* rows = sources + position * perBlock * sourceBytes;
      uint8_t* results = products + position * perBlock * productBytes;
      uint32_t together = 0;
      for (uint32_t panel = 0; panel < panels; panel += together) {
        const uint32_t left = panels - panel;
        // Four are two and two: one alone waits for its sums.
        together = left == 4 ? 2 : smaller(left, 3);
        const uint8_t* weights = packed + (static_cast<size_t>(position) * panels + panel) * panelBytes;
        for (uint32_t tile = 0; tile < count; tile += 4) {
          uint8_t* target = results + tile * productBytes + panel * (Width::panel * 4);
          if (together == 3) multiplyTiles<3>(rows + tile * sourceBytes, sourceBytes, weights, panelBytes, target, productBytes);
          else if (together == 2) multiplyTiles<2>(rows + tile * sourceBytes, sourceBytes, weights, panelBytes, target, productBytes);
          else multiplyTiles<1>(rows + tile * sourceBytes, sourceBytes, weights, panelBytes, target, productBytes);
        }
      }
    }
    for (uint32_t tile = 0; tile < count; tile++) {
      const uint32_t x = ((first + tile) % tilesX) * 4;
      const uint32_t row = (first + tile) / tilesX;
      const uint32_t y = (row % tilesY) * 4;
      uint8_t* target = result + ((static_cast<size_t>(row / tilesY) * inputHeight + y) * inputWidth + x) * pixelBytes;
      const uint32_t rows = smaller(4, inputHeight - y);
      const uint32_t columns = smaller(4, inputWidth - x);
      inWidths(inputs, [&](auto width, uint32_t channel) {
        constexpr int numbers = decltype(width)::width;
        const uint8_t* source = products + tile * productBytes + channel * 4;
        const auto scatter = accumulate ? scatterChannels<numbers, true> : scatterChannels<numbers, false>;
        scatter(source, perBlock * productBytes, target + channel * 4, inputWidth * pixelBytes, pixelBytes, rows, columns, inputs - channel);
      });
    }
  }
}

}  // namespace SPIKEFORMER_ISA
