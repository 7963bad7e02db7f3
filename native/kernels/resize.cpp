/** Resampling of maps and its gradient, as in `kernels/resize.ts`. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** Where the pixels of an axis of `a` pixels go that becomes `b` pixels long. */
struct Resampling {
  uint32_t a;
  uint32_t b;
  bool isBilinear;

  /** 2·b·s of pixel `at` of b, where s is its place among a pixels, not below 0. */
  __attribute__((always_inline)) uint64_t placeOf(uint32_t at) const {
    const uint64_t end = (2 * static_cast<uint64_t>(at) + 1) * a;
    return end > b ? end - b : 0;
  }

  /** The pixel before the place of pixel `at`, or the nearest. */
  __attribute__((always_inline)) uint32_t lowerOf(uint32_t at) const {
    return static_cast<uint32_t>(isBilinear ? placeOf(at) / (2 * static_cast<uint64_t>(b)) : static_cast<uint64_t>(at) * a / b);
  }

  /** The weight of the pixel behind it. */
  __attribute__((always_inline)) float shareOf(uint32_t at) const {
    const uint64_t whole = 2 * static_cast<uint64_t>(b);
    return isBilinear ? static_cast<float>(placeOf(at) % whole) / static_cast<float>(whole) : 0.0f;
  }

  __attribute__((always_inline)) static uint32_t ceilingOf(int64_t numerator, int64_t denominator) {
    return numerator <= 0 ? 0 : static_cast<uint32_t>((numerator + denominator - 1) / denominator);
  }

  /** The first pixel of b that pixel `at` of a is part of. */
  __attribute__((always_inline)) uint32_t firstReader(int64_t at) const {
    if (!isBilinear) return ceilingOf(at * b, a);
    return at < 2 ? 0 : ceilingOf(b * (2 * at - 1) - a, 2 * static_cast<int64_t>(a));
  }

  /** One behind the last of them. */
  __attribute__((always_inline)) uint32_t endOfReaders(int64_t at) const {
    if (!isBilinear) return ceilingOf((at + 1) * b, a);
    return smaller(b, ceilingOf(b * (2 * at + 3) - a, 2 * static_cast<int64_t>(a)));
  }

  /** The weight of pixel `of` of a in pixel `at` of b, one of its readers. */
  __attribute__((always_inline)) float weightIn(uint32_t at, uint32_t of) const {
    if (!isBilinear) return 1;
    const uint32_t lower = lowerOf(at);
    const float share = shareOf(at);
    float weight = lower == of ? 1 - share : 0;
    if (smaller(lower + 1, a - 1) == of) weight += share;
    return weight;
  }
};

/** A pixel out of four. */
SPIKEFORMER_LOOP void mix(
    uint8_t* target, const uint8_t* upper, const uint8_t* lower, size_t left, size_t right, float down, float across, uint32_t channels) {
  const Floats upperLeft = splat((1 - down) * (1 - across));
  const Floats upperRight = splat((1 - down) * across);
  const Floats lowerLeft = splat(down * (1 - across));
  const Floats lowerRight = splat(down * across);
  for (uint32_t channel = 0; channel < channels; channel += lanes) {
    const size_t at = static_cast<size_t>(channel) * 4;
    const uint32_t count = channels - channel;
    const Floats above = upperLeft * loadLanes(upper + left + at, count) + upperRight * loadLanes(upper + right + at, count);
    const Floats below = lowerLeft * loadLanes(lower + left + at, count) + lowerRight * loadLanes(lower + right + at, count);
    storeLanes(target + at, above + below, count);
  }
}

/** Tasks are rows of the output. */
void resize(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const bool isBilinear = wordOf(memory, instruction, resizeWord::bilinear) != 0;
  const uint32_t channels = wordOf(memory, instruction, resizeWord::channels);
  const Resampling rows{wordOf(memory, instruction, resizeWord::inputHeight), wordOf(memory, instruction, resizeWord::outputHeight), isBilinear};
  const Resampling columns{wordOf(memory, instruction, resizeWord::inputWidth), wordOf(memory, instruction, resizeWord::outputWidth), isBilinear};
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const size_t rowBytes = columns.a * pixelBytes;
  const uint32_t tasks = wordOf(memory, instruction, resizeWord::images) * rows.b;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint32_t y = task % rows.b;
    const uint8_t* image = at(memory, instruction, resizeWord::input) + task / rows.b * rows.a * rowBytes;
    const uint32_t row = rows.lowerOf(y);
    const uint8_t* upper = image + row * rowBytes;
    const uint8_t* lower = image + smaller(row + 1, rows.a - 1) * rowBytes;
    const float down = rows.shareOf(y);
    uint8_t* output = at(memory, instruction, resizeWord::output) + static_cast<size_t>(task) * columns.b * pixelBytes;
    for (uint32_t x = 0; x < columns.b; x++, output += pixelBytes) {
      const uint32_t column = columns.lowerOf(x);
      if (isBilinear) {
        mix(output, upper, lower, column * pixelBytes, smaller(column + 1, columns.a - 1) * pixelBytes, down, columns.shareOf(x), channels);
      } else {
        memcpy(output, upper + column * pixelBytes, pixelBytes);
      }
    }
  }
}

SPIKEFORMER_LOOP void addWeighted(uint8_t* target, const uint8_t* source, float weight, uint32_t channels) {
  const Floats weights = splat(weight);
  for (uint32_t channel = 0; channel < channels; channel += lanes) {
    const size_t at = static_cast<size_t>(channel) * 4;
    const uint32_t count = channels - channel;
    storeLanes(target + at, loadLanes(target + at, count) + weights * loadLanes(source + at, count), count);
  }
}

/** Tasks are rows of the input. */
void resizeGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const bool isBilinear = wordOf(memory, instruction, resizeGradientWord::bilinear) != 0;
  const bool accumulate = wordOf(memory, instruction, resizeGradientWord::accumulate) != 0;
  const uint32_t channels = wordOf(memory, instruction, resizeGradientWord::channels);
  const Resampling rows{
      wordOf(memory, instruction, resizeGradientWord::inputHeight), wordOf(memory, instruction, resizeGradientWord::outputHeight), isBilinear};
  const Resampling columns{
      wordOf(memory, instruction, resizeGradientWord::inputWidth), wordOf(memory, instruction, resizeGradientWord::outputWidth), isBilinear};
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const size_t rowBytes = columns.b * pixelBytes;
  const uint32_t tasks = wordOf(memory, instruction, resizeGradientWord::images) * rows.a;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint32_t y = task % rows.a;
    const uint8_t* image = at(memory, instruction, resizeGradientWord::outputGradient) + task / rows.a * rows.b * rowBytes;
    const uint32_t top = rows.firstReader(y);
    const uint32_t bottom = rows.endOfReaders(y);
    uint8_t* target = at(memory, instruction, resizeGradientWord::inputGradient) + static_cast<size_t>(task) * columns.a * pixelBytes;
    for (uint32_t x = 0; x < columns.a; x++, target += pixelBytes) {
      if (!accumulate) memset(target, 0, pixelBytes);
      const uint32_t left = columns.firstReader(x);
      const uint32_t right = columns.endOfReaders(x);
      for (uint32_t row = top; row < bottom; row++) {
        const float down = rows.weightIn(row, y);
        for (uint32_t column = left; column < right; column++) {
          const float weight = down * columns.weightIn(column, x);
          if (weight != 0) addWeighted(target, image + row * rowBytes + column * pixelBytes, weight, channels);
        }
      }
    }
  }
}

}  // namespace SPIKEFORMER_ISA
