/** Rectified linear units, `max(0, x)`, and their gradient, as in `kernels/relu.ts`. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

void relu(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, reluWord::input);
  uint8_t* output = at(memory, instruction, reluWord::output);
  const uint32_t elements = wordOf(memory, instruction, reluWord::elements);
  const uint32_t last = rangeStart(elements, until);
  for (size_t element = rangeStart(elements, from); element < last; element += lanes) {
    const uint32_t left = last - static_cast<uint32_t>(element);
    const Floats value = loadLanes(input + element * 4, left);
    // What is no number must stay seen.
    storeLanes(output + element * 4, (Floats)(~(value <= Floats{}) & (Ints)value), left);
  }
}

void reluGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, reluGradientWord::input);
  const uint8_t* outputGradient = at(memory, instruction, reluGradientWord::outputGradient);
  uint8_t* inputGradient = at(memory, instruction, reluGradientWord::inputGradient);
  const uint32_t elements = wordOf(memory, instruction, reluGradientWord::elements);
  const bool accumulate = wordOf(memory, instruction, reluGradientWord::accumulate) != 0;
  const uint32_t last = rangeStart(elements, until);
  for (size_t element = rangeStart(elements, from); element < last; element += lanes) {
    const uint32_t left = last - static_cast<uint32_t>(element);
    const Ints passes = loadLanes(input + element * 4, left) > Floats{};
    const Floats gradient = (Floats)(passes & (Ints)loadLanes(outputGradient + element * 4, left));
    uint8_t* target = inputGradient + element * 4;
    storeLanes(target, accumulate ? loadLanes(target, left) + gradient : gradient, left);
  }
}

}  // namespace SPIKEFORMER_ISA
