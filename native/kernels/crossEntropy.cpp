/** Cross entropy of rows of scores and its gradient, as in `kernels/crossEntropy.ts`: the same sums and products in the same order. */
#include "doubles.h"

namespace SPIKEFORMER_ISA {

constexpr double ln2High = 0.6931471803691238;
constexpr double ln2Low = 1.9082149292705877e-10;

/** eˣ of numbers of at most 0. */
SPIKEFORMER_INLINE Doubles4 exponential(Doubles4 given) {
  const Doubles4 least = splatDouble(-708);
  const Longs4 below = given < least;
  const Doubles4 x = (Doubles4)(((Longs4)least & below) | ((Longs4)given & ~below));
  const Doubles4 shifted = x * 1.4426950408889634 + 6755399441055744.0;
  const Doubles4 n = shifted - 6755399441055744.0;
  const Doubles4 r = (x - n * ln2High) - n * ln2Low;
  Doubles4 sum = splatDouble(1.0 / 6227020800);
  sum = sum * r + 1.0 / 479001600;
  sum = sum * r + 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  typedef unsigned long long Bits __attribute__((vector_size(32)));
  return sum * (Doubles4)(((Bits)shifted << 52) + (1023ull << 52));
}

/** ln x of a number of at least 1. */
SPIKEFORMER_INLINE double logarithm(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  double n = static_cast<double>(static_cast<int32_t>(bits >> 52) - 1023);
  const uint64_t fraction = (bits & 0xfffffffffffffull) | (1023ull << 52);
  double m;
  memcpy(&m, &fraction, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const double f = (m - 1) / (m + 1);
  const double square = f * f;
  double sum = 1.0 / 23;
  for (double odd = 21; odd > 0; odd -= 2) sum = sum * square + 1.0 / odd;
  return n * ln2High + (2 * f * sum + n * ln2Low) + (x - x);
}

/** Four numbers; behind the row `beyond`. */
SPIKEFORMER_INLINE FloatsOf<4> loadRow(const uint8_t* at, uint32_t left, float beyond) {
  if (left >= 4) return load<FloatsOf<4>>(at);
  FloatsOf<4> values = {beyond, beyond, beyond, beyond};
  for (uint32_t lane = 0; lane < left; lane++) values[lane] = loadFloat(at + lane * 4);
  return values;
}

SPIKEFORMER_INLINE Doubles4 wide(FloatsOf<4> values) { return __builtin_convertvector(values, Doubles4); }

SPIKEFORMER_INLINE double total(Doubles4 lanes4) { return (lanes4[0] + lanes4[1]) + (lanes4[2] + lanes4[3]); }

SPIKEFORMER_INLINE float largestOf(const uint8_t* scores, uint32_t classes) {
  FloatsOf<4> most = splatOf<4>(-__builtin_inff());
  for (uint32_t k = 0; k < classes; k += 4) {
    const FloatsOf<4> z = loadRow(scores + k * 4, classes - k, -__builtin_inff());
    const IntsOf<4> above = z > most;
    most = (FloatsOf<4>)(((IntsOf<4>)z & above) | ((IntsOf<4>)most & ~above));
  }
  float largest = most[0];
  for (int lane = 1; lane < 4; lane++) largest = most[lane] > largest ? most[lane] : largest;
  return largest;
}

/** 0 where there is none. */
SPIKEFORMER_INLINE uint32_t firstOf(const uint8_t* scores, uint32_t classes, float wanted) {
  for (uint32_t k = 0; k < classes; k += 4) {
    const uint32_t found = bitsOf<4>(loadRow(scores + k * 4, classes - k, -__builtin_inff()) == splatOf<4>(wanted));
    if (found != 0) return smaller(k + static_cast<uint32_t>(__builtin_ctz(found)), classes - 1);
  }
  return 0;
}

SPIKEFORMER_LOOP double logNormOf(const uint8_t* scores, uint32_t classes, double largest) {
  Doubles4 sum = {};
  for (uint32_t k = 0; k < classes; k += 4) sum += exponential(wide(loadRow(scores + k * 4, classes - k, -__builtin_inff())) - largest);
  return largest + logarithm(total(sum));
}

SPIKEFORMER_INLINE double sumOf(const uint8_t* values, uint32_t classes) {
  Doubles4 sum = {};
  for (uint32_t k = 0; k < classes; k += 4) sum += wide(loadRow(values + k * 4, classes - k, 0));
  return total(sum);
}

SPIKEFORMER_INLINE Doubles4 slope(Doubles4 logProbability, Doubles4 q, double mass, double scale) {
  return scale * (mass * exponential(logProbability) - q);
}

/** Of a row with the targets in memory, or `off` for every class; returns its loss, which without targets is none. */
template <bool hasTargets>
SPIKEFORMER_LOOP double writeGradient(
    const uint8_t* scores, const uint8_t* targets, uint8_t* gradient, uint32_t classes, double logNorm, double off, double scale) {
  const double mass = hasTargets ? sumOf(targets, classes) : 1;
  Doubles4 costs = {};
  Doubles4 q = splatDouble(off);
  for (uint32_t k = 0; k < classes; k += 4) {
    const uint32_t left = classes - k;
    const Doubles4 logProbability = wide(loadRow(scores + k * 4, left, -__builtin_inff())) - logNorm;
    if (hasTargets) {
      q = wide(loadRow(targets + k * 4, left, 0));
      costs += (Doubles4)((Longs4)(q * logProbability) & (q != splatDouble(0)));
    }
    const FloatsOf<4> slopes = roundedFours(slope(logProbability, q, mass, scale));
    if (left >= 4) store(gradient + k * 4, slopes);
    else
      for (uint32_t lane = 0; lane < left; lane++) storeFloat(gradient + (k + lane) * 4, slopes[lane]);
  }
  return -total(costs);
}

/** Tasks are rows. */
void crossEntropy(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t classes = wordOf(memory, instruction, crossEntropyWord::classes);
  const uint32_t rows = wordOf(memory, instruction, crossEntropyWord::rows);
  const size_t rowBytes = static_cast<size_t>(classes) * 4;
  const uint8_t* labels = at(memory, instruction, crossEntropyWord::labels);
  const bool hasTargets = wordOf(memory, instruction, crossEntropyWord::targets) != 0;
  const uint8_t* numbers = at(memory, instruction, crossEntropyWord::numbers);
  uint8_t* losses = at(memory, instruction, crossEntropyWord::losses);
  uint8_t* likeliest = at(memory, instruction, crossEntropyWord::likeliest);
  const double scale = loadDouble(numbers);
  const double smoothing = loadDouble(numbers + 8);
  const double off = smoothing / classes;
  const uint32_t last = claimStart(rows, until);
  for (uint32_t row = claimStart(rows, from); row < last; row++) {
    const uint8_t* scores = at(memory, instruction, crossEntropyWord::scores) + row * rowBytes;
    uint8_t* gradient = at(memory, instruction, crossEntropyWord::gradient) + row * rowBytes;
    uint8_t* loss = losses + static_cast<size_t>(row) * 4;
    const float largest = largestOf(scores, classes);
    storeFloat(likeliest + static_cast<size_t>(row) * 4, static_cast<float>(firstOf(scores, classes, largest)));
    if (hasTargets) {
      const uint8_t* targets = at(memory, instruction, crossEntropyWord::targets) + row * rowBytes;
      const double logNorm = logNormOf(scores, classes, largest);
      storeFloat(loss, static_cast<float>(writeGradient<true>(scores, targets, gradient, classes, logNorm, 0, scale)));
      continue;
    }
    const float given = loadFloat(labels + static_cast<size_t>(row) * 4);
    const uint32_t label = given >= 0 && given < static_cast<float>(classes) ? static_cast<uint32_t>(given) : 0;
    if (static_cast<float>(label) != given) {
      memset(gradient, 0, rowBytes);
      storeFloat(loss, 0);
      continue;
    }
    const double logNorm = logNormOf(scores, classes, largest);
    writeGradient<false>(scores, nullptr, gradient, classes, logNorm, off, scale);
    const size_t place = static_cast<size_t>(label) * 4;
    const double logProbability = loadFloat(scores + place) - logNorm;
    const Doubles4 peak = slope(splatDouble(logProbability), splatDouble(1 - smoothing + off), 1, scale);
    storeFloat(gradient + place, static_cast<float>(peak[0]));
    const double spread = off == 0 ? 0 : off * (sumOf(scores, classes) - classes * logNorm);
    storeFloat(loss, static_cast<float>(-((1 - smoothing) * logProbability + spread)));
  }
}

}  // namespace SPIKEFORMER_ISA
