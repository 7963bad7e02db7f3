/**
 * The second pass of the convolution on spikes for rows of bytes: the twin of `kernels/spikeByteRows.ts`, which says how two weights share a lane of 16 bits and why no
 * pattern of spikes overflows. Sixteen channels are sixteen bytes; of a row of 64 a register holds as many sixteens as it can.
 */
#pragma once
#include "widths.h"
#include "spikeRows.h"

namespace SPIKEFORMER_ISA {

/** Entries of 255 rows in a list, in bytes. */
constexpr uint32_t mostListBytes = 255 * 4;

/** Sixteens that a register holds, of so many. */
constexpr int sixteensFor(int sixteens) {
  int width = static_cast<int>(vectorBytes) / 16;
  while (width > sixteens) width /= 2;
  return width;
}

/** Sums of `sixteens` · 16 channels: of the lanes as they are, and of their upper bytes. */
template <int sixteens>
struct ByteSums {
  static constexpr int width = sixteensFor(sixteens);
  typedef ShortsOf<width * 8> Lanes;
  Lanes raw;
  Lanes upper;
  ByteSums<sixteens - width> tail;

  __attribute__((always_inline)) void clear() {
    raw = Lanes{};
    upper = Lanes{};
    tail.clear();
  }

  __attribute__((always_inline)) void add(const uint8_t* row) {
    Lanes pairs = load<Lanes>(row);
#if defined(__x86_64__)
    // Or the compiler would load it twice, and loads are what limits this.
    __asm__("" : "+x"(pairs));
#endif
    raw += pairs;
    upper += pairs >> 8;
    tail.add(row + width * 16);
  }

  /** target = source + sums · scale (+ other, unless it is null). `excess`: 128 for each row. */
  __attribute__((always_inline)) void widen(int16_t excess, const uint8_t* source, const uint8_t* scales, const uint8_t* other, uint8_t* target) const {
    const Lanes lower = raw - (upper << 8) - excess;
    int16_t lowers[width * 8];
    int16_t uppers[width * 8];
    memcpy(lowers, &lower, sizeof lowers);
    memcpy(uppers, &upper, sizeof uppers);
    for (int sixteen = 0; sixteen < width; sixteen++) {
      widenEight(lowers + sixteen * 8, source, scales, other, target, sixteen * 64);
      widenEight(uppers + sixteen * 8, source, scales, other, target, sixteen * 64 + 32);
    }
    tail.widen(excess, source + width * 64, scales + width * 64, other != nullptr ? other + width * 64 : nullptr, target + width * 64);
  }

 private:
  __attribute__((always_inline)) static void widenEight(
      const int16_t* sums, const uint8_t* source, const uint8_t* scales, const uint8_t* other, uint8_t* target, int offset) {
#if defined(__AVX2__)
    // Of a conversion of vectors the compiler makes four instructions.
    const IntsOf<8> wide = (IntsOf<8>)_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sums)));
#else
    const IntsOf<8> wide = __builtin_convertvector(load<ShortsOf<8>>(reinterpret_cast<const uint8_t*>(sums)), IntsOf<8>);
#endif
    const FloatsOf<8> scaled = __builtin_convertvector(wide, FloatsOf<8>) * load<FloatsOf<8>>(scales + offset);
    FloatsOf<8> sum = load<FloatsOf<8>>(source + offset) + scaled;
    if (other != nullptr) sum += load<FloatsOf<8>>(other + offset);
    store(target + offset, sum);
  }
};

template <>
struct ByteSums<0> {
  __attribute__((always_inline)) void clear() {}
  __attribute__((always_inline)) void add(const uint8_t*) {}
  __attribute__((always_inline)) void widen(int16_t, const uint8_t*, const uint8_t*, const uint8_t*, uint8_t*) const {}
};

/** Where the sums of a run of positions come from and go to. Of a residual every position has a place of its own, `residualPositions` of them in turn. */
struct SumPlaces {
  const uint8_t* starts;
  size_t startStride;
  uint32_t count;
  const uint8_t* initial;
  size_t initialStride;
  uint8_t* output;
  size_t outputStride;
  const uint8_t* residual;
  size_t residualStride;
  uint32_t residualAt;
  uint32_t residualPositions;
};

/** `sumRows` (spikeConvolution.cpp) for `sixteens` · 16 channels of bytes; of the last sixteen, `channels` are written. */
template <int sixteens, bool isWhole>
SPIKEFORMER_LOOP void sumBytes(Bytes memory, const uint8_t* table, SumPlaces places, const uint8_t* scales, uint32_t channels) {
  // Sums that have been widened once wait here.
  uint8_t resting[sixteens * 64];
  for (uint32_t position = 0; position < places.count; position++) {
    const uint8_t* source = places.initial;
    const uint8_t* entry = memory + load32(places.starts);
    const uint8_t* end = memory + load32(places.starts + 4);
    const uint8_t* other = places.residual != nullptr ? places.residual + places.residualAt * places.residualStride : nullptr;
    while (true) {
      const uint8_t* stop = static_cast<size_t>(end - entry) > mostListBytes ? entry + mostListBytes : end;
      const int16_t excess = static_cast<int16_t>((stop - entry) << 5);
      ByteSums<sixteens> sums;
      sums.clear();
      for (; entry < stop; entry += 4) sums.add(table + load32(entry));
      const bool isLast = stop == end;
      if (isWhole) {
        sums.widen(excess, source, scales, isLast ? other : nullptr, isLast ? places.output : resting);
      } else {
        sums.widen(excess, source, scales, nullptr, resting);
      }
      if (isLast) break;
      source = resting;
    }
    if (!isWhole) {
      for (uint32_t channel = 0; channel < channels; channel++) {
        const float sum = loadFloat(resting + channel * 4);
        storeFloat(places.output + channel * 4, other != nullptr ? sum + loadFloat(other + channel * 4) : sum);
      }
    }
    if (other != nullptr && ++places.residualAt == places.residualPositions) places.residualAt = 0;
    places.initial += places.initialStride;
    places.output += places.outputStride;
    places.starts += places.startStride;
  }
}

}  // namespace SPIKEFORMER_ISA
