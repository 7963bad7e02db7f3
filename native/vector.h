/**
 * Vectors as wide as the instruction set has registers, over the vector types of GCC and Clang: `+`, `*`, comparisons and conversions are the compiler's, for every set alike.
 * Loads and stores need no alignment.
 */
#pragma once
#include "kernel.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace SPIKEFORMER_ISA {

#if defined(__AVX512F__)
constexpr uint32_t vectorBytes = 64;
#elif defined(__AVX2__)
constexpr uint32_t vectorBytes = 32;
#else
constexpr uint32_t vectorBytes = 16;
#endif

/** Numbers of 32 bits in a register. */
constexpr uint32_t lanes = vectorBytes / 4;

typedef float Floats __attribute__((vector_size(vectorBytes)));
typedef int32_t Ints __attribute__((vector_size(vectorBytes)));
typedef uint32_t Words __attribute__((vector_size(vectorBytes)));
typedef int16_t Shorts __attribute__((vector_size(vectorBytes)));
typedef int8_t SignedBytes __attribute__((vector_size(vectorBytes)));
typedef double Doubles __attribute__((vector_size(vectorBytes)));

template <typename Vector>
SPIKEFORMER_INLINE Vector load(const uint8_t* at) {
  Vector value;
  memcpy(&value, at, sizeof value);
  return value;
}

template <typename Vector>
SPIKEFORMER_INLINE void store(uint8_t* at, Vector value) {
  memcpy(at, &value, sizeof value);
}

SPIKEFORMER_INLINE Floats splat(float value) { return value - Floats{}; }
SPIKEFORMER_INLINE Ints splat(int32_t value) { return value - Ints{}; }

#if defined(__AVX2__) && !defined(__AVX512F__)
/** All bits set in the first `count` lanes. */
SPIKEFORMER_INLINE Ints firstLanes(uint32_t count) { return splat(static_cast<int32_t>(count)) > Ints{0, 1, 2, 3, 4, 5, 6, 7}; }
#endif

/** The first `count` numbers, or all lanes when there are more; the others are 0. */
SPIKEFORMER_INLINE Floats loadLanes(const uint8_t* at, uint32_t count) {
  if (count >= lanes) return load<Floats>(at);
#if defined(__AVX512F__)
  return (Floats)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), at);
#elif defined(__AVX2__)
  return (Floats)_mm256_maskload_ps(reinterpret_cast<const float*>(at), (__m256i)firstLanes(count));
#else
  float values[lanes] = {};
  for (uint32_t lane = 0; lane < count; lane++) values[lane] = loadFloat(at + lane * 4);
  return load<Floats>(reinterpret_cast<const uint8_t*>(values));
#endif
}

/** Stores the first `count` numbers, or all lanes when there are more. */
SPIKEFORMER_INLINE void storeLanes(uint8_t* at, Floats value, uint32_t count) {
  if (count >= lanes) {
    store(at, value);
    return;
  }
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(at, static_cast<__mmask16>((1u << count) - 1), (__m512)value);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(reinterpret_cast<float*>(at), (__m256i)firstLanes(count), (__m256)value);
#else
  for (uint32_t lane = 0; lane < count; lane++) storeFloat(at + lane * 4, value[lane]);
#endif
}

/** All lanes, without a question; where `isWhole` is false, the first `count` of them as `loadLanes` does. */
template <bool isWhole>
SPIKEFORMER_INLINE Floats loadSome(const uint8_t* at, uint32_t count) {
  return isWhole ? load<Floats>(at) : loadLanes(at, count);
}

/** The same of `storeLanes`. */
template <bool isWhole>
SPIKEFORMER_INLINE void storeSome(uint8_t* at, Floats value, uint32_t count) {
  if (isWhole) store(at, value);
  else storeLanes(at, value, count);
}

/** a · b + sum: fused, rounded once, where the set has it. Not for sums that must be those of wasm. */
SPIKEFORMER_INLINE Floats multiplyAdd(Floats a, Floats b, Floats sum) {
#if defined(__AVX512F__)
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
#elif defined(__AVX2__)
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
#elif defined(__aarch64__)
  Floats result;
  for (uint32_t lane = 0; lane < lanes; lane++) result[lane] = __builtin_fmaf(a[lane], b[lane], sum[lane]);
  return result;
#else
  return a * b + sum;
#endif
}

}  // namespace SPIKEFORMER_ISA
