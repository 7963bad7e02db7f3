/** What the kernels of batch normalisation and of the neurons behind one share, as in `kernels/trainingBatchNorm.ts` and bit for bit. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

template <int count>
using DoublesOf = typename VectorOf<double, count>::type;

/** Numbers of 64 bits in a register. */
constexpr int doubleLanes = static_cast<int>(lanes / 2);

/** Channels rounded up to whole vectors of wasm: sums and means are that wide. */
SPIKEFORMER_INLINE size_t roundChannels(uint32_t channels) { return (static_cast<size_t>(channels) + 3) & ~static_cast<size_t>(3); }

/** float32 numbers as float64. */
template <int count>
SPIKEFORMER_INLINE DoublesOf<count> promote(const uint8_t* from) {
  return __builtin_convertvector(load<FloatsOf<count>>(from), DoublesOf<count>);
}

/** Adds the first `count` numbers, or all lanes, to sums in float64. */
template <bool isWhole>
SPIKEFORMER_INLINE void addToSums(uint8_t* sums, Floats numbers, uint32_t count) {
  uint8_t rounded[vectorBytes];
  store(rounded, numbers);
  if (isWhole) {
    for (int half = 0; half < 2; half++) {
      uint8_t* target = sums + half * vectorBytes;
      store(target, load<DoublesOf<doubleLanes>>(target) + promote<doubleLanes>(rounded + half * doubleLanes * 4));
    }
    return;
  }
  for (uint32_t lane = 0; lane < count; lane++) {
    double sum;
    memcpy(&sum, sums + lane * 8, 8);
    sum += static_cast<double>(loadFloat(rounded + lane * 4));
    memcpy(sums + lane * 8, &sum, 8);
  }
}

/** The tensors of a normalisation. */
struct Normalisation {
  const uint8_t* mean;
  const uint8_t* inverseDeviation;
  const uint8_t* weight;
  const uint8_t* bias;

  /** x̂: (value − mean) · inverse deviation of the channels that lie `place` bytes into each tensor. */
  template <bool isWhole>
  __attribute__((always_inline)) Floats standardised(Floats value, size_t place, uint32_t count) const {
    return (value - loadSome<isWhole>(mean + place, count)) * loadSome<isWhole>(inverseDeviation + place, count);
  }

  /** x̂ · weight + bias. */
  template <bool isWhole>
  __attribute__((always_inline)) Floats scaledAndShifted(Floats standard, size_t place, uint32_t count) const {
    return standard * loadSome<isWhole>(weight + place, count) + loadSome<isWhole>(bias + place, count);
  }

  /** Whoever normalises does it by this, to the same bits. */
  template <bool isWhole>
  __attribute__((always_inline)) Floats normalised(Floats value, size_t place, uint32_t count) const {
    return scaledAndShifted<isWhole>(standardised<isWhole>(value, place, count), place, count);
  }
};

/** Rows of gradients whose sum is made in float32 before it is added in float64. */
constexpr uint32_t rowsPerRun = 16;

/** The sums of δ and of δ · x̂ over the rows of a run, of some registers full of channels. */
template <int registers, bool isWhole, typename Gradient>
SPIKEFORMER_INLINE void sumRun(
    const Gradient& gradient, const uint8_t* input, const Normalisation& normalisation, uint32_t channel, uint32_t channels, size_t first, size_t rows, uint8_t* sums,
    size_t sumBytes) {
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const uint32_t left = channels - channel;
  Floats sum[registers] = {};
  Floats products[registers] = {};
  size_t row = first * rowBytes;
  for (size_t count = 0; count < rows; count++) {
    for (int index = 0; index < registers; index++) {
      const size_t place = channel * 4 + static_cast<size_t>(index) * vectorBytes;
      const Floats value = loadSome<isWhole>(input + row + place, left);
      const Floats standard = normalisation.standardised<isWhole>(value, place, left);
      const Floats delta = gradient.template at<isWhole>(row + place, place, standard, left);
      sum[index] += delta;
      products[index] += delta * standard;
    }
    row += rowBytes;
  }
  for (int index = 0; index < registers; index++) {
    uint8_t* target = sums + (channel + static_cast<uint32_t>(index) * lanes) * 8;
    addToSums<isWhole>(target, sum[index], left);
    addToSums<isWhole>(target + sumBytes, products[index], left);
  }
}

/**
 * The sums of δ and of δ · x̂ per channel, `[part][2][channels]`, of the parts of a claim. `gradient.at(place in the tensor, place in a row, x̂, channels left)` is δ, asked for once
 * for each number. Runs of rows go channels by channels, their sums in registers: the order of additions is that of wasm, whose runs wait in memory.
 */
template <typename Gradient>
SPIKEFORMER_INLINE void sumParts(
    const Gradient& gradient, const uint8_t* input, const Normalisation& normalisation, uint32_t rows, uint32_t channels, uint8_t* sums, uint32_t parts, uint32_t from,
    uint32_t until) {
  const size_t sumBytes = roundChannels(channels) * 8;
  const uint32_t lastPart = claimStart(parts, until);
  for (uint32_t part = claimStart(parts, from); part < lastPart; part++) {
    const uint32_t last = shareStart(rows, part + 1, parts);
    uint8_t* target = sums + part * 2 * sumBytes;
    memset(target, 0, 2 * sumBytes);
    for (uint32_t first = shareStart(rows, part, parts); first < last; first += rowsPerRun) {
      const uint32_t count = smaller(rowsPerRun, last - first);
      uint32_t channel = 0;
      for (; channel + 2 * lanes <= channels; channel += 2 * lanes) {
        sumRun<2, true>(gradient, input, normalisation, channel, channels, first, count, target, sumBytes);
      }
      for (; channel + lanes <= channels; channel += lanes) {
        sumRun<1, true>(gradient, input, normalisation, channel, channels, first, count, target, sumBytes);
      }
      if (channel < channels) sumRun<1, false>(gradient, input, normalisation, channel, channels, first, count, target, sumBytes);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
