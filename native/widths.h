/**
 * Vectors of a chosen number of lanes, for sums whose width the layer decides: as many channels as there are, in as few registers as hold them.
 */
#pragma once
#include "vector.h"

namespace SPIKEFORMER_ISA {

template <typename Number, int count>
struct VectorOf {
  typedef Number type __attribute__((vector_size(count * sizeof(Number))));
};

/** `count` numbers; more than a register holds are several registers. */
template <int count>
using FloatsOf = typename VectorOf<float, count>::type;
template <int count>
using IntsOf = typename VectorOf<int32_t, count>::type;
template <int count>
using ShortsOf = typename VectorOf<int16_t, count>::type;
template <int count>
using WordsOf = typename VectorOf<uint32_t, count>::type;

/** The widest register that `channels` channels fill. */
constexpr int widthOf(int channels) {
  int width = static_cast<int>(lanes);
  while (width > channels) width /= 2;
  return width;
}

/** The sums of so many channels (a multiple of four) in as few registers as they fill. */
template <int channels>
struct Row {
  static constexpr int width = widthOf(channels);
  FloatsOf<width> head;
  Row<channels - width> tail;

  __attribute__((always_inline)) void clear() {
    head = FloatsOf<width>{};
    tail.clear();
  }

  __attribute__((always_inline)) void load(const uint8_t* from) {
    head = SPIKEFORMER_ISA::load<FloatsOf<width>>(from);
    tail.load(from + width * 4);
  }

  __attribute__((always_inline)) void add(const uint8_t* from) {
    head += SPIKEFORMER_ISA::load<FloatsOf<width>>(from);
    tail.add(from + width * 4);
  }

  __attribute__((always_inline)) void store(uint8_t* to) const {
    SPIKEFORMER_ISA::store(to, head);
    tail.store(to + width * 4);
  }
};

template <>
struct Row<0> {
  __attribute__((always_inline)) void clear() {}
  __attribute__((always_inline)) void load(const uint8_t*) {}
  __attribute__((always_inline)) void add(const uint8_t*) {}
  __attribute__((always_inline)) void store(uint8_t*) const {}
};

/** `multiplyAdd` (vector.h) of so many lanes. */
template <int count>
SPIKEFORMER_INLINE FloatsOf<count> multiplyAddOf(FloatsOf<count> a, FloatsOf<count> b, FloatsOf<count> sum) {
  if constexpr (count == static_cast<int>(lanes)) return multiplyAdd(a, b, sum);
#if defined(__AVX2__)
  else if constexpr (count == 4) return (FloatsOf<count>)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)sum);
#endif
#if defined(__AVX512F__)
  else if constexpr (count == 8) return (FloatsOf<count>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#endif
  else return a * b + sum;
}

/** All lanes one number. */
template <int count>
SPIKEFORMER_INLINE FloatsOf<count> splatOf(float value) {
  return value - FloatsOf<count>{};
}

/** A bit per lane (4 or 8) of a mask: whether it is negative, as all ones are. */
template <int count>
SPIKEFORMER_INLINE uint32_t bitsOf(IntsOf<count> mask) {
#if defined(__AVX2__)
  if constexpr (count == 8) return static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask));
#endif
#if defined(__x86_64__)
  if constexpr (count == 4) return static_cast<uint32_t>(_mm_movemask_ps((__m128)mask));
  if constexpr (count == 8) {
    IntsOf<4> halves[2];
    memcpy(halves, &mask, sizeof halves);
    return bitsOf<4>(halves[0]) | (bitsOf<4>(halves[1]) << 4);
  }
#endif
  uint32_t bits = 0;
  for (int lane = 0; lane < count; lane++) bits |= static_cast<uint32_t>(mask[lane] < 0) << lane;
  return bits;
}

}  // namespace SPIKEFORMER_ISA
