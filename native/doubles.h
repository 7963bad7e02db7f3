/** Float64 in fours, whatever the width of the registers, so that sums of lanes are those of wasm; loads and stores are float32. */
#pragma once
#include "widths.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace SPIKEFORMER_ISA {

typedef double Doubles4 __attribute__((vector_size(32)));
typedef long long Longs4 __attribute__((vector_size(32)));
typedef double Doubles2 __attribute__((vector_size(16)));

SPIKEFORMER_INLINE double loadDouble(const uint8_t* at) {
  double value;
  memcpy(&value, at, sizeof value);
  return value;
}

SPIKEFORMER_INLINE void storeDouble(uint8_t* at, double value) { memcpy(at, &value, sizeof value); }

SPIKEFORMER_INLINE Doubles4 splatDouble(double value) { return Doubles4{value, value, value, value}; }

SPIKEFORMER_INLINE Doubles4 loadFours(const uint8_t* at) { return __builtin_convertvector(load<FloatsOf<4>>(at), Doubles4); }

SPIKEFORMER_INLINE FloatsOf<4> roundedFours(Doubles4 values) { return __builtin_convertvector(values, FloatsOf<4>); }

SPIKEFORMER_INLINE Doubles4 rootOf(Doubles4 values) {
#if defined(__AVX2__)
  return (Doubles4)_mm256_sqrt_pd((__m256d)values);
#else
  Doubles2 halves[2];
  memcpy(halves, &values, sizeof halves);
#if defined(__x86_64__)
  for (Doubles2& half : halves) half = (Doubles2)_mm_sqrt_pd((__m128d)half);
#else
  for (Doubles2& half : halves) half = (Doubles2)vsqrtq_f64((float64x2_t)half);
#endif
  return load<Doubles4>(reinterpret_cast<const uint8_t*>(halves));
#endif
}

}  // namespace SPIKEFORMER_ISA
