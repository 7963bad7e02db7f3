/** Surrogates of the neurons' derivative, as in `kernels/trainingNeuron.ts`. */
#pragma once
#include "vector.h"

namespace SPIKEFORMER_ISA {

/**
 * 2ˣ for x ≤ 0, and 2⁻¹²⁵ below that: a polynomial of degree 6 on the fraction, the whole part added to the exponent. The bits are those of wasm where both fuse or neither does:
 * wasm does where the machine has relaxed SIMD.
 */
SPIKEFORMER_INLINE Floats powerOfTwo(Floats x) {
  const Floats least = splat(-125.0f);
  const Floats magic = splat(12582912.0f);
  const Floats bounded = x < least ? least : x;
  const Floats shifted = bounded + magic;
  const Floats r = bounded - (shifted - magic);
  Floats sum = splat(1.5403530393381606e-4f);
  sum = multiplyAdd(sum, r, splat(1.3333558146428443e-3f));
  sum = multiplyAdd(sum, r, splat(9.618129107628477e-3f));
  sum = multiplyAdd(sum, r, splat(5.550410866482158e-2f));
  sum = multiplyAdd(sum, r, splat(2.402265069591007e-1f));
  sum = multiplyAdd(sum, r, splat(6.931471805599453e-1f));
  sum = multiplyAdd(sum, r, splat(1.0f));
  return (Floats)((Words)sum + ((Words)shifted << 23));
}

SPIKEFORMER_INLINE Floats magnitude(Floats x) { return (Floats)((Words)x & 0x7fffffffu); }

/** What `derivative` does to the distance from the threshold first, the same for all neurons: a factor, or how far the rectangle reaches. */
SPIKEFORMER_INLINE Floats stretchOf(uint32_t kind, float alpha) {
  if (kind == SurrogateKind::sigmoid) return splat(alpha * -1.4426950408889634f);
  if (kind == SurrogateKind::arctangent) return splat(alpha * 1.5707963267948966f);
  return splat(0.5f / alpha);
}

/** g'(u) times a factor; `stretch` is that of `stretchOf`, `height` alpha times the factor. */
template <uint32_t kind>
SPIKEFORMER_INLINE Floats derivative(Floats stretch, Floats height, Floats u) {
  if constexpr (kind == SurrogateKind::sigmoid) {
    // σ(z)(1 − σ(z)) = e/(1 + e)² with e = exp(−|z|), without cancellation.
    const Floats e = powerOfTwo(magnitude(u) * stretch);
    const Floats sum = e + splat(1.0f);
    return (height * e) / (sum * sum);
  } else if constexpr (kind == SurrogateKind::arctangent) {
    const Floats z = stretch * u;
    return (height * splat(0.5f)) / (splat(1.0f) + z * z);
  } else {
    return (Floats)((Ints)height & (magnitude(u) < stretch));
  }
}

}  // namespace SPIKEFORMER_ISA
