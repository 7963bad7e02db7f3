/** What the kernels of training share: numbers in as few registers as they fill, the last of which may be partly used. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** A width that is known when the code is compiled. */
template <int numbers>
struct WidthTag {
  static constexpr int width = numbers;
};

/** Calls `work(width, first)` for vectors that together hold `numbers`, rounded up to four: nothing is touched beyond those. */
template <typename Work>
SPIKEFORMER_INLINE void inWidths(uint32_t numbers, Work work) {
  uint32_t first = 0;
  for (; first + lanes <= numbers; first += lanes) work(WidthTag<static_cast<int>(lanes)>{}, first);
  if constexpr (lanes > 8) {
    for (; first + 8 <= numbers; first += 8) work(WidthTag<8>{}, first);
  }
  for (; first < numbers; first += 4) work(WidthTag<4>{}, first);
}

/** The first `count` numbers, or all of the vector when there are more; the others are 0. */
template <int width>
SPIKEFORMER_INLINE FloatsOf<width> loadSome(const uint8_t* at, uint32_t count) {
  if (count >= static_cast<uint32_t>(width)) return load<FloatsOf<width>>(at);
  float values[width] = {};
  for (uint32_t lane = 0; lane < count; lane++) values[lane] = loadFloat(at + lane * 4);
  return load<FloatsOf<width>>(reinterpret_cast<const uint8_t*>(values));
}

/** Stores the first `count` numbers, or all of the vector when there are more. */
template <int width>
SPIKEFORMER_INLINE void storeSome(uint8_t* at, FloatsOf<width> value, uint32_t count) {
  if (count >= static_cast<uint32_t>(width)) {
    store(at, value);
    return;
  }
  float values[width];
  memcpy(values, &value, sizeof values);
  for (uint32_t lane = 0; lane < count; lane++) storeFloat(at + lane * 4, values[lane]);
}

/** How many of `kernel` taps meet pixels of one phase: those that leave the remainder `phase` when divided by the stride. */
SPIKEFORMER_INLINE uint32_t phaseTaps(uint32_t kernel, uint32_t stride, uint32_t phase) {
  return phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
}

}  // namespace SPIKEFORMER_ISA
