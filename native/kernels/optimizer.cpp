/** Norms of gradients and the step of AdamW, as in `kernels/optimizer.ts`. */
#include "doubles.h"

namespace SPIKEFORMER_ISA {

/** Tasks are parts; each is one chain of additions. */
void sumOfSquares(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint64_t elements = wordOf(memory, instruction, optimizerSumOfSquaresWord::elements);
  const uint32_t parts = wordOf(memory, instruction, optimizerSumOfSquaresWord::parts);
  const uint8_t* values = at(memory, instruction, optimizerSumOfSquaresWord::values);
  const uint32_t last = claimStart(parts, until);
  for (uint32_t part = claimStart(parts, from); part < last; part++) {
    const uint8_t* range = at(memory, instruction, optimizerSumOfSquaresWord::ranges) + part * 8;
    const uint64_t start = static_cast<uint64_t>(load32(range)) * 16;
    const uint64_t count = load32(range + 4);
    const uint64_t end = start >= elements ? start : start + (count < elements - start ? count : elements - start);
    double sum = 0;
    for (uint64_t i = start; i < end; i++) {
      const double value = loadFloat(values + i * 4);
      sum += value * value;
    }
    storeDouble(at(memory, instruction, optimizerSumOfSquaresWord::sums) + part * 8, sum);
  }
}

struct AdamWNumbers {
  Doubles4 scale, firstDecay, firstShare, secondDecay, secondShare, keep, stepSize, rootScale, epsilon;
};

struct AdamWPlaces {
  uint8_t *parameters, *gradients, *first, *second;
};

template <bool clips>
SPIKEFORMER_INLINE void adamWFour(const AdamWNumbers& n, const AdamWPlaces& places, size_t offset, Doubles4 kept) {
  Doubles4 gradient = loadFours(places.gradients + offset);
  if (clips) {
    const FloatsOf<4> scaled = roundedFours(n.scale * gradient);
    store(places.gradients + offset, scaled);
    gradient = __builtin_convertvector(scaled, Doubles4);
  }
  const Doubles4 m = n.firstDecay * loadFours(places.first + offset) + n.firstShare * gradient;
  const Doubles4 v = n.secondDecay * loadFours(places.second + offset) + n.secondShare * gradient * gradient;
  store(places.first + offset, roundedFours(m));
  store(places.second + offset, roundedFours(v));
  const Doubles4 changed = kept * loadFours(places.parameters + offset) - (n.stepSize * m) / (rootOf(v) * n.rootScale + n.epsilon);
  store(places.parameters + offset, roundedFours(changed));
}

template <bool clips>
SPIKEFORMER_LOOP void adamWLines(const AdamWNumbers& numbers, const AdamWPlaces& places, const uint8_t* decays, uint32_t first, uint32_t last) {
  for (size_t line = first; line < last; line++) {
    const Doubles4 kept = loadFloat(decays + line * 4) == 0 ? splatDouble(1) : numbers.keep;
    for (uint32_t part = 0; part < 4; part++) adamWFour<clips>(numbers, places, line * 64 + part * 16, kept);
  }
}

/** Tasks are lines of 16 elements. */
void adamW(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* given = at(memory, instruction, optimizerAdamWWord::numbers);
  const auto number = [given](uint32_t index) { return splatDouble(loadDouble(given + index * 8)); };
  const AdamWNumbers numbers = {number(0), number(1), number(2), number(3), number(4), number(5), number(6), number(7), number(8)};
  const AdamWPlaces places = {
      at(memory, instruction, optimizerAdamWWord::parameters), at(memory, instruction, optimizerAdamWWord::gradients),
      at(memory, instruction, optimizerAdamWWord::firstMoment), at(memory, instruction, optimizerAdamWWord::secondMoment)};
  const uint8_t* decays = at(memory, instruction, optimizerAdamWWord::decays);
  const uint32_t lines = wordOf(memory, instruction, optimizerAdamWWord::lines);
  const uint32_t first = claimStart(lines, from);
  const uint32_t last = claimStart(lines, until);
  if (loadDouble(given) < 1) adamWLines<true>(numbers, places, decays, first, last);
  else adamWLines<false>(numbers, places, decays, first, last);
}

}  // namespace SPIKEFORMER_ISA
