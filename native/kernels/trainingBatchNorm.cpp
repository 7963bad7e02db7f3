/**
 * Batch normalisation with the statistics of the batch, and its gradient, as in `kernels/trainingBatchNorm.ts` and bit for bit: lanes are channels, sums are made in the same parts and the
 * same order. The square of a float32 is exact in float64, so that it may be fused with the sum.
 */
#include "vector.h"
#include "batchNorm.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE double loadDouble(const uint8_t* at) {
  double value;
  memcpy(&value, at, sizeof value);
  return value;
}

SPIKEFORMER_INLINE double doubleOf(Bytes memory, uint32_t instruction, uint32_t word) { return loadDouble(memory + instruction + word * 4); }

/** Rows whose sums are kept in registers before they are added to memory: a channel's cache lines are visited while they are near. */
constexpr uint32_t rowsPerSweep = 32;

/** The square of float32 numbers, exact in float64, added: one rounding, fused or not. */
SPIKEFORMER_INLINE DoublesOf<doubleLanes> addSquare(DoublesOf<doubleLanes> value, DoublesOf<doubleLanes> sum) {
#if defined(__AVX512F__)
  return (DoublesOf<doubleLanes>)_mm512_fmadd_pd((__m512d)value, (__m512d)value, (__m512d)sum);
#elif defined(__AVX2__)
  return (DoublesOf<doubleLanes>)_mm256_fmadd_pd((__m256d)value, (__m256d)value, (__m256d)sum);
#else
  return sum + value * value;
#endif
}

/**
 * Sums over some rows, of so many registers of channels: with squares their own sums, added to those in memory at the end; without, sums go on from those in memory, as if there
 * had been no sweep before.
 */
template <int registers, bool squares>
SPIKEFORMER_INLINE void sweep(const uint8_t* source, size_t rowBytes, uint32_t rows, uint8_t* sums, size_t sumBytes) {
  constexpr int width = doubleLanes;
  DoublesOf<width> sum[registers] = {};
  DoublesOf<width> square[registers] = {};
  if (!squares) {
    for (int index = 0; index < registers; index++) sum[index] = load<DoublesOf<width>>(sums + index * width * 8);
  }
  for (uint32_t row = 0; row < rows; row++) {
    for (int index = 0; index < registers; index++) {
      const DoublesOf<width> value = promote<width>(source + index * width * 4);
      sum[index] += value;
      if (squares) square[index] = addSquare(value, square[index]);
    }
    source += rowBytes;
  }
  for (int index = 0; index < registers; index++) {
    uint8_t* target = sums + index * width * 8;
    store(target, squares ? load<DoublesOf<width>>(target) + sum[index] : sum[index]);
    if (squares) store(target + sumBytes, load<DoublesOf<width>>(target + sumBytes) + square[index]);
  }
}

/** The same of one channel. */
template <bool squares>
SPIKEFORMER_INLINE void sweepChannel(const uint8_t* source, size_t rowBytes, uint32_t rows, uint8_t* sums, size_t sumBytes) {
  double sum = squares ? 0 : loadDouble(sums);
  double square = 0;
  for (uint32_t row = 0; row < rows; row++) {
    const double value = static_cast<double>(loadFloat(source));
    sum += value;
    square += value * value;
    source += rowBytes;
  }
  if (squares) sum += loadDouble(sums);
  memcpy(sums, &sum, 8);
  if (!squares) return;
  square += loadDouble(sums + sumBytes);
  memcpy(sums + sumBytes, &square, 8);
}

/** Of all channels. Sums: `[channels]`, and those of squares `sumBytes` behind them. */
template <bool squares>
SPIKEFORMER_LOOP void sumRows(const uint8_t* source, uint32_t channels, uint32_t rows, uint8_t* sums, size_t sumBytes) {
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  uint32_t channel = 0;
  for (; channel + 4 * doubleLanes <= channels; channel += 4 * doubleLanes) {
    sweep<4, squares>(source + channel * 4, rowBytes, rows, sums + channel * 8, sumBytes);
  }
  for (; channel + doubleLanes <= channels; channel += doubleLanes) {
    sweep<1, squares>(source + channel * 4, rowBytes, rows, sums + channel * 8, sumBytes);
  }
  for (; channel < channels; channel++) sweepChannel<squares>(source + channel * 4, rowBytes, rows, sums + channel * 8, sumBytes);
}

/** Sums and sums of squares; tasks are parts. Sums: `[part][2][channels]`. */
void batchStatistics(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t rows = wordOf(memory, instruction, BatchNormWord::rows);
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const uint8_t* input = at(memory, instruction, BatchNormWord::input);
  uint8_t* sums = at(memory, instruction, BatchNormWord::sums);
  const uint32_t parts = wordOf(memory, instruction, BatchNormWord::parts);
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const size_t sumBytes = roundChannels(channels) * 8;
  const uint32_t lastPart = claimStart(parts, until);
  for (uint32_t part = claimStart(parts, from); part < lastPart; part++) {
    const uint32_t last = shareStart(rows, part + 1, parts);
    uint8_t* target = sums + part * 2 * sumBytes;
    memset(target, 0, 2 * sumBytes);
    for (uint32_t first = shareStart(rows, part, parts); first < last; first += rowsPerSweep) {
      sumRows<true>(input + first * rowBytes, channels, smaller(rowsPerSweep, last - first), target, sumBytes);
    }
  }
}

/** Sums of the rows of `input` per channel, float64; tasks are parts. Sums: `[part][channels]`. */
void columnSums(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t rows = wordOf(memory, instruction, BatchNormWord::rows);
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const uint8_t* input = at(memory, instruction, BatchNormWord::input);
  uint8_t* sums = at(memory, instruction, BatchNormWord::sums);
  const uint32_t parts = wordOf(memory, instruction, BatchNormWord::parts);
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const size_t sumBytes = roundChannels(channels) * 8;
  const uint32_t lastPart = claimStart(parts, until);
  for (uint32_t part = claimStart(parts, from); part < lastPart; part++) {
    const uint32_t last = shareStart(rows, part + 1, parts);
    uint8_t* target = sums + part * sumBytes;
    memset(target, 0, sumBytes);
    for (uint32_t first = shareStart(rows, part, parts); first < last; first += rowsPerSweep) {
      sumRows<false>(input + first * rowBytes, channels, smaller(rowsPerSweep, last - first), target, 0);
    }
  }
}

/** The sum of a channel over all parts, which are `partBytes` apart. */
SPIKEFORMER_INLINE double total(const uint8_t* sums, uint32_t parts, size_t partBytes) {
  double sum = 0;
  for (uint32_t part = 0; part < parts; part++) {
    sum += loadDouble(sums);
    sums += partBytes;
  }
  return sum;
}

/** Makes mean, inverse deviation and running statistics of the sums; tasks are channels. */
void finishStatistics(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const double rows = static_cast<double>(wordOf(memory, instruction, BatchNormWord::rows));
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const uint8_t* sums = at(memory, instruction, BatchNormWord::sums);
  const uint32_t parts = wordOf(memory, instruction, BatchNormWord::parts);
  const double epsilon = doubleOf(memory, instruction, BatchNormWord::epsilon);
  const double momentum = doubleOf(memory, instruction, BatchNormWord::momentum);
  uint8_t* batchMean = at(memory, instruction, BatchNormWord::batchMean);
  uint8_t* batchInverseDeviation = at(memory, instruction, BatchNormWord::batchInverseDeviation);
  uint8_t* runningMean = at(memory, instruction, BatchNormWord::runningMean);
  uint8_t* runningVariance = at(memory, instruction, BatchNormWord::runningVariance);
  const size_t sumBytes = roundChannels(channels) * 8;
  const uint32_t last = claimStart(channels, until);
  for (size_t channel = claimStart(channels, from); channel < last; channel++) {
    const double mean = total(sums + channel * 8, parts, 2 * sumBytes) / rows;
    const double square = total(sums + sumBytes + channel * 8, parts, 2 * sumBytes) / rows;
    const double difference = square - mean * mean;
    // What is no number stays none.
    const double variance = difference < 0 ? 0 : difference;
    const size_t place = channel * 4;
    storeFloat(batchMean + place, static_cast<float>(mean));
    storeFloat(batchInverseDeviation + place, static_cast<float>(1 / __builtin_sqrt(variance + epsilon)));
    const double unbiased = (variance * rows) / (rows - 1);
    const double oldMean = static_cast<double>(loadFloat(runningMean + place));
    const double oldVariance = static_cast<double>(loadFloat(runningVariance + place));
    storeFloat(runningMean + place, static_cast<float>((1 - momentum) * oldMean + momentum * mean));
    storeFloat(runningVariance + place, static_cast<float>((1 - momentum) * oldVariance + momentum * unbiased));
  }
}

SPIKEFORMER_INLINE Normalisation normalisationOf(Bytes memory, uint32_t instruction) {
  return {
      at(memory, instruction, BatchNormWord::batchMean), at(memory, instruction, BatchNormWord::batchInverseDeviation), at(memory, instruction, BatchNormWord::weight),
      at(memory, instruction, BatchNormWord::bias)};
}

/** output = (input − mean) · inverse deviation · weight + bias; tasks are rows. */
void normalise(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t rows = wordOf(memory, instruction, BatchNormWord::rows);
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const Normalisation normalisation = normalisationOf(memory, instruction);
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const uint32_t first = claimStart(rows, from);
  const uint32_t last = claimStart(rows, until);
  const uint8_t* input = at(memory, instruction, BatchNormWord::input) + first * rowBytes;
  uint8_t* output = at(memory, instruction, BatchNormWord::output) + first * rowBytes;
  for (uint32_t row = first; row < last; row++) {
    uint32_t channel = 0;
    for (; channel + lanes <= channels; channel += lanes) {
      const size_t place = static_cast<size_t>(channel) * 4;
      store(output + place, normalisation.normalised<true>(load<Floats>(input + place), place, lanes));
    }
    if (channel < channels) {
      const size_t place = static_cast<size_t>(channel) * 4;
      const uint32_t left = channels - channel;
      storeLanes(output + place, normalisation.normalised<false>(loadLanes(input + place, left), place, left), left);
    }
    input += rowBytes;
    output += rowBytes;
  }
}

/** δ that lies in memory. */
struct StoredGradient {
  const uint8_t* gradient;

  template <bool isWhole>
  __attribute__((always_inline)) Floats at(size_t place, size_t, Floats, uint32_t count) const {
    return loadSome<isWhole>(gradient + place, count);
  }
};

/** Sums of δy and of δy · x̂ per channel; tasks are parts. Sums: `[part][2][channels]`. */
void batchGradientSums(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const StoredGradient gradient = {at(memory, instruction, BatchNormWord::outputGradient)};
  const uint8_t* mean = at(memory, instruction, BatchNormWord::batchMean);
  const uint8_t* inverseDeviation = at(memory, instruction, BatchNormWord::batchInverseDeviation);
  sumParts(
      gradient, at(memory, instruction, BatchNormWord::input), {mean, inverseDeviation, nullptr, nullptr}, wordOf(memory, instruction, BatchNormWord::rows),
      wordOf(memory, instruction, BatchNormWord::channels), at(memory, instruction, BatchNormWord::sums), wordOf(memory, instruction, BatchNormWord::parts), from, until);
}

/** Adds to the gradients of the parameters and leaves both sums divided by the rows, `[2][channels]`; tasks are channels. */
void finishGradientSums(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const double rows = static_cast<double>(wordOf(memory, instruction, BatchNormWord::rows));
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const uint8_t* sums = at(memory, instruction, BatchNormWord::sums);
  const uint32_t parts = wordOf(memory, instruction, BatchNormWord::parts);
  uint8_t* means = at(memory, instruction, BatchNormWord::means);
  uint8_t* weightGradient = at(memory, instruction, BatchNormWord::weightGradient);
  uint8_t* biasGradient = at(memory, instruction, BatchNormWord::biasGradient);
  const size_t sumBytes = roundChannels(channels) * 8;
  const uint32_t last = claimStart(channels, until);
  for (size_t channel = claimStart(channels, from); channel < last; channel++) {
    const double sum = total(sums + channel * 8, parts, 2 * sumBytes);
    const double product = total(sums + sumBytes + channel * 8, parts, 2 * sumBytes);
    const size_t place = channel * 4;
    storeFloat(biasGradient + place, static_cast<float>(static_cast<double>(loadFloat(biasGradient + place)) + sum));
    storeFloat(weightGradient + place, static_cast<float>(static_cast<double>(loadFloat(weightGradient + place)) + product));
    storeFloat(means + place, static_cast<float>(sum / rows));
    storeFloat(means + roundChannels(channels) * 4 + place, static_cast<float>(product / rows));
  }
}

/** δx of some channels of a row. */
template <bool isWhole>
SPIKEFORMER_INLINE Floats inputGradientOf(
    const Normalisation& normalisation, Floats input, Floats gradient, const uint8_t* means, const uint8_t* products, size_t place, uint32_t count) {
  const Floats standard = normalisation.standardised<isWhole>(input, place, count);
  const Floats centred = gradient - loadSome<isWhole>(means + place, count);
  const Floats factor = loadSome<isWhole>(normalisation.weight + place, count) * loadSome<isWhole>(normalisation.inverseDeviation + place, count);
  return factor * (centred - standard * loadSome<isWhole>(products + place, count));
}

/** δx = weight · inverse deviation · (δy − mean δy − x̂ · mean (δy · x̂)); tasks are rows. */
void batchGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t rows = wordOf(memory, instruction, BatchNormWord::rows);
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const uint8_t* mean = at(memory, instruction, BatchNormWord::batchMean);
  const uint8_t* inverseDeviation = at(memory, instruction, BatchNormWord::batchInverseDeviation);
  const Normalisation normalisation = {mean, inverseDeviation, at(memory, instruction, BatchNormWord::weight), nullptr};
  const uint8_t* means = at(memory, instruction, BatchNormWord::means);
  const uint8_t* products = means + roundChannels(channels) * 4;
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const uint32_t first = claimStart(rows, from);
  const uint32_t last = claimStart(rows, until);
  const uint8_t* input = at(memory, instruction, BatchNormWord::input) + first * rowBytes;
  const uint8_t* gradient = at(memory, instruction, BatchNormWord::outputGradient) + first * rowBytes;
  uint8_t* output = at(memory, instruction, BatchNormWord::output) + first * rowBytes;
  for (uint32_t row = first; row < last; row++) {
    uint32_t channel = 0;
    for (; channel + lanes <= channels; channel += lanes) {
      const size_t place = static_cast<size_t>(channel) * 4;
      store(output + place, inputGradientOf<true>(normalisation, load<Floats>(input + place), load<Floats>(gradient + place), means, products, place, lanes));
    }
    if (channel < channels) {
      const size_t place = static_cast<size_t>(channel) * 4;
      const uint32_t left = channels - channel;
      const Floats result = inputGradientOf<false>(normalisation, loadLanes(input + place, left), loadLanes(gradient + place, left), means, products, place, left);
      storeLanes(output + place, result, left);
    }
    input += rowBytes;
    gradient += rowBytes;
    output += rowBytes;
  }
}

/** What the running statistics make of 0, per channel. */
void borderValues(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  const double epsilon = doubleOf(memory, instruction, BatchNormWord::epsilon);
  const uint8_t* weight = at(memory, instruction, BatchNormWord::weight);
  const uint8_t* bias = at(memory, instruction, BatchNormWord::bias);
  const uint8_t* runningMean = at(memory, instruction, BatchNormWord::runningMean);
  const uint8_t* runningVariance = at(memory, instruction, BatchNormWord::runningVariance);
  uint8_t* output = at(memory, instruction, BatchNormWord::output);
  const uint32_t last = claimStart(channels, until);
  for (size_t channel = claimStart(channels, from); channel < last; channel++) {
    const size_t place = channel * 4;
    const double scale = static_cast<double>(loadFloat(weight + place)) / __builtin_sqrt(static_cast<double>(loadFloat(runningVariance + place)) + epsilon);
    const double shift = static_cast<double>(loadFloat(runningMean + place)) * scale;
    storeFloat(output + place, static_cast<float>(static_cast<double>(loadFloat(bias + place)) - shift));
  }
}

/** Adds the sums of all parts to `output`; tasks are channels. */
void addColumnSums(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t channels = wordOf(memory, instruction, BatchNormWord::channels);
  uint8_t* output = at(memory, instruction, BatchNormWord::output);
  const uint8_t* sums = at(memory, instruction, BatchNormWord::sums);
  const uint32_t parts = wordOf(memory, instruction, BatchNormWord::parts);
  const uint32_t last = claimStart(channels, until);
  for (size_t channel = claimStart(channels, from); channel < last; channel++) {
    const double sum = total(sums + channel * 8, parts, roundChannels(channels) * 8);
    storeFloat(output + channel * 4, static_cast<float>(static_cast<double>(loadFloat(output + channel * 4)) + sum));
  }
}

}  // namespace SPIKEFORMER_ISA
