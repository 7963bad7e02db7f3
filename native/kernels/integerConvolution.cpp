/**
 * A 1×1 convolution of stride 1 on real numbers in 16-bit integers, the twin of `kernels/integerConvolution.ts`: the same integers and the same sums, on the same panels. Tiles as
 * in the product of real numbers, a step being two input channels.
 */
#include "vector.h"
#include "matrix.h"

namespace SPIKEFORMER_ISA {

/** Below it a reciprocal could be infinite; a position with nothing larger counts as zeros. */
constexpr float leastInput = 1e-30f;
/** 1.5 · 2²³: added to a number up to 2²² it leaves the nearest integer in the low bits (to even where two are as near). */
constexpr float rounder = 12582912.0f;
constexpr int32_t rounderBits = 0x4b400000;

/** The first `count` of eight numbers, zeros behind them. */
SPIKEFORMER_INLINE FloatsOf<8> loadSome(const uint8_t* from, uint32_t count) {
  if (count >= 8) return load<FloatsOf<8>>(from);
  float values[8] = {};
  memcpy(values, from, count * sizeof(float));
  return load<FloatsOf<8>>(reinterpret_cast<const uint8_t*>(values));
}

/** The largest magnitude of a row. Compared as integers, whose order is the same, so that infinity and NaN come out on top. */
SPIKEFORMER_INLINE float largestOf(const uint8_t* row, uint32_t channels) {
  IntsOf<8> largest = {};
  for (uint32_t channel = 0; channel < channels; channel += 8) {
    const IntsOf<8> magnitudes = (IntsOf<8>)loadSome(row + channel * 4, channels - channel) & 0x7fffffff;
    largest = magnitudes > largest ? magnitudes : largest;
  }
  int32_t most = 0;
  for (int lane = 0; lane < 8; lane++) most = largest[lane] > most ? largest[lane] : most;
  float value;
  memcpy(&value, &most, sizeof value);
  return value;
}

/** Eight numbers as integers of 16 bits, in four words. */
SPIKEFORMER_INLINE WordsOf<4> roundEight(const uint8_t* row, float inverse, uint32_t channels) {
  const FloatsOf<8> sums = loadSome(row, channels) * inverse + rounder;
  const IntsOf<8> integers = (IntsOf<8>)((WordsOf<8>)sums - static_cast<uint32_t>(rounderBits));
#if defined(__x86_64__)
  __m128i halves[2];
  memcpy(halves, &integers, sizeof halves);
  // Saturating, as in wasm: where a row holds infinity or NaN.
  return (WordsOf<4>)_mm_packs_epi32(halves[0], halves[1]);
#else
  int16_t shorts[8];
  for (int lane = 0; lane < 8; lane++) {
    const int32_t value = integers[lane];
    shorts[lane] = static_cast<int16_t>(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
  }
  return load<WordsOf<4>>(reinterpret_cast<const uint8_t*>(shorts));
#endif
}

/** Writes the `count` rows of a tile as integers, interleaved, zeros up to whole eights of channels, and what one step of each is worth; the last row stands for those that lack. */
SPIKEFORMER_LOOP void roundTile(uint8_t* target, uint8_t* scales, const uint8_t* input, uint32_t channels, uint32_t count) {
  constexpr float levels = IntegerConvolution::inputLevels;
  const uint8_t* rows[Width::tile];
  float inverses[Width::tile];
  for (uint32_t row = 0; row < Width::tile; row++) {
    rows[row] = input + static_cast<size_t>(smaller(row, count - 1)) * channels * 4;
    const float largest = largestOf(rows[row], channels);
    storeFloat(scales + row * 4, largest / levels);
    // False for NaN: a row with infinity or NaN is worth as much.
    inverses[row] = largest > leastInput ? levels / largest : 0;
  }
  for (uint32_t channel = 0; channel < channels; channel += 8) {
    const uint32_t left = channels - channel;
    WordsOf<4> eights[Width::tile];
    for (uint32_t row = 0; row < Width::tile; row++) eights[row] = roundEight(rows[row] + channel * 4, inverses[row], left);
    interleaveFours(target, eights[0], eights[1], eights[2], eights[3]);
    target += 64;
  }
}

/** Products of pairs of integers, added up. */
struct IntegerProduct {
  typedef IntsOf<8> Sums;

  SPIKEFORMER_INLINE Sums multiplyAdd(uint32_t input, const uint8_t* weights, Sums sums) {
#if defined(__AVX512VNNI__)
    return (Sums)_mm256_dpwssd_epi32((__m256i)sums, _mm256_set1_epi32(static_cast<int>(input)), load<__m256i>(weights));
#elif defined(__AVX2__)
    return sums + (Sums)_mm256_madd_epi16(_mm256_set1_epi32(static_cast<int>(input)), load<__m256i>(weights));
#elif defined(__x86_64__)
    const __m128i pair = _mm_set1_epi32(static_cast<int>(input));
    const __m128i products[2] = {_mm_madd_epi16(pair, load<__m128i>(weights)), _mm_madd_epi16(pair, load<__m128i>(weights + 16))};
    Sums both;
    memcpy(&both, products, sizeof both);
    return sums + both;
#else
    const int32_t low = static_cast<int16_t>(input);
    const int32_t high = static_cast<int16_t>(input >> 16);
    const IntsOf<8> pairs = load<IntsOf<8>>(weights);
    return sums + low * ((pairs << 16) >> 16) + high * (pairs >> 16);
#endif
  }
};

template <int panels>
SPIKEFORMER_LOOP void multiplyIntegers(
    Bytes memory, uint32_t instruction, const uint8_t* rows, const uint8_t* rowScales, size_t rowBytes, uint32_t panel, uint32_t first, uint32_t last) {
  const PanelPlaces places = placesOfPanels(memory, instruction, panel);
  const size_t panelBytes = rowBytes * Width::panel;
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights) + panel * panelBytes;
  const uint8_t* scales = at(memory, instruction, ConvolutionWord::scales) + panel * Width::panel * 4;
  for (uint32_t position = first; position < last; position += Width::tile) {
    IntsOf<8> sums[Width::tile][panels] = {};
    multiplyTile<IntegerProduct, panels>(rows + (position - first) * rowBytes, rowBytes / 4, weights, panelBytes, sums);
    const uint32_t count = smaller(Width::tile, last - position);
    for (uint32_t row = 0; row < count; row++) {
      const float scale = loadFloat(rowScales + (position - first + row) * 4);
      FloatsOf<8> results[panels];
      for (int index = 0; index < panels; index++) {
        const FloatsOf<8> scaled = scale * load<FloatsOf<8>>(scales + index * 32);
        results[index] = __builtin_convertvector(sums[row][index], FloatsOf<8>) * scaled + load<FloatsOf<8>>(places.bias + index * 32);
      }
      finishRow<panels>(results, places, position + row);
    }
  }
}

/** Tasks are (block of positions, panel of channels), blocks outermost. Scratch: the integers of a block's positions, then their scales. */
void integerConvolution(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t inputChannels = wordOf(memory, instruction, ConvolutionWord::inputChannels);
  const uint8_t* input = at(memory, instruction, ConvolutionWord::input);
  const size_t rowBytes = static_cast<size_t>((inputChannels + 7) & ~7u) * 2;
  uint8_t* rows = memory + scratch;
  PanelTasks tasks(memory, instruction, positionsOf(memory, instruction), from, until);
  while (tasks.nextBlock()) {
    uint8_t* rowScales = rows + static_cast<size_t>(tasks.tilesOfBlock) * Width::tile * rowBytes;
    if (!isPrepared(memory, scratch, tasks.block)) {
      for (uint32_t position = tasks.first; position < tasks.last; position += Width::tile) {
        const uint32_t offset = position - tasks.first;
        const uint8_t* row = input + static_cast<size_t>(position) * inputChannels * 4;
        roundTile(rows + offset * rowBytes, rowScales + offset * 4, row, inputChannels, smaller(Width::tile, tasks.last - position));
      }
    }
    while (const uint32_t count = tasks.nextPanels()) {
      if (count == 3) multiplyIntegers<3>(memory, instruction, rows, rowScales, rowBytes, tasks.panel, tasks.first, tasks.last);
      else if (count == 2) multiplyIntegers<2>(memory, instruction, rows, rowScales, rowBytes, tasks.panel, tasks.first, tasks.last);
      else multiplyIntegers<1>(memory, instruction, rows, rowScales, rowBytes, tasks.panel, tasks.first, tasks.last);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
