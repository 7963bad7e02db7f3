/** The gradients of means, the inside of padded maps, and zeros, as in `kernels/trainingElements.ts`: training's kernels that go once over their data. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** output[i, p, c] = input[i, c] / positions; tasks are output rows. */
void spatialMeanGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t positions = wordOf(memory, instruction, ElementWord::positions);
  const uint32_t channels = wordOf(memory, instruction, ElementWord::channels);
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const Floats divisor = splat(static_cast<float>(positions));
  const uint32_t rows = wordOf(memory, instruction, ElementWord::rows) * positions;
  const uint32_t last = claimStart(rows, until);
  for (uint32_t row = claimStart(rows, from); row < last; row++) {
    const uint8_t* source = input + row / positions * rowBytes;
    uint8_t* target = output + row * rowBytes;
    for (uint32_t channel = 0; channel < channels; channel += lanes) {
      const uint32_t left = channels - channel;
      storeLanes(target + channel * 4, loadLanes(source + channel * 4, left) / divisor, left);
    }
  }
}

/** output[t, j] = input[j] / timeSteps. */
void timeMeanGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const size_t elements = wordOf(memory, instruction, ElementWord::elements);
  const uint32_t timeSteps = wordOf(memory, instruction, ElementWord::timeSteps);
  const Floats divisor = splat(static_cast<float>(timeSteps));
  const uint32_t end = rangeStart(static_cast<uint32_t>(elements), until);
  for (uint32_t element = rangeStart(static_cast<uint32_t>(elements), from); element < end; element += lanes) {
    const uint32_t left = end - element;
    const Floats value = loadLanes(input + static_cast<size_t>(element) * 4, left) / divisor;
    for (uint32_t step = 0; step < timeSteps; step++) storeLanes(output + (step * elements + element) * 4, value, left);
  }
}

/** The inside of padded maps; `inputHeight` and `inputWidth` are the output's. Tasks are output rows. */
void crop(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t height = wordOf(memory, instruction, ElementWord::inputHeight);
  const size_t width = wordOf(memory, instruction, ElementWord::inputWidth);
  const uint32_t padding = wordOf(memory, instruction, ElementWord::padding);
  const size_t pixelBytes = static_cast<size_t>(wordOf(memory, instruction, ElementWord::channels)) * 4;
  const uint32_t rows = wordOf(memory, instruction, ElementWord::rows) * height;
  const uint32_t last = claimStart(rows, until);
  for (uint32_t row = claimStart(rows, from); row < last; row++) {
    const size_t paddedRow = static_cast<size_t>(row / height) * (height + 2 * padding) + row % height + padding;
    memcpy(output + row * width * pixelBytes, input + (paddedRow * (width + 2 * padding) + padding) * pixelBytes, width * pixelBytes);
  }
}

void zero(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t elements = wordOf(memory, instruction, ElementWord::elements);
  const size_t first = rangeStart(elements, from);
  memset(at(memory, instruction, ElementWord::output) + first * 4, 0, (rangeStart(elements, until) - first) * 4);
}

/** output += second, one number for all elements. */
void addConstant(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const Floats constant = splat(loadFloat(at(memory, instruction, ElementWord::second)));
  const uint32_t elements = wordOf(memory, instruction, ElementWord::elements);
  const uint32_t end = rangeStart(elements, until);
  for (uint32_t element = rangeStart(elements, from); element < end; element += lanes) {
    uint8_t* target = output + static_cast<size_t>(element) * 4;
    storeLanes(target, loadLanes(target, end - element) + constant, end - element);
  }
}

}  // namespace SPIKEFORMER_ISA
