/** Kernels that go once over their data, as in `kernels/elements.ts`. Reductions add in index order, whatever the number of threads. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE void fillPixels(uint8_t* target, uint32_t count, const uint8_t* values, size_t pixelBytes) {
  for (uint32_t pixel = 0; pixel < count; pixel++) memcpy(target + pixel * pixelBytes, values, pixelBytes);
}

/** Surrounds each image with pixels that hold the given values; cut by rows of the output. */
void pad(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint8_t* values = at(memory, instruction, ElementWord::second);
  const uint32_t images = wordOf(memory, instruction, ElementWord::rows);
  const uint32_t height = wordOf(memory, instruction, ElementWord::inputHeight);
  const uint32_t width = wordOf(memory, instruction, ElementWord::inputWidth);
  const uint32_t padding = wordOf(memory, instruction, ElementWord::padding);
  const size_t pixelBytes = static_cast<size_t>(wordOf(memory, instruction, ElementWord::channels)) * 4;
  const uint32_t outputHeight = height + 2 * padding;
  const uint32_t outputWidth = width + 2 * padding;
  const uint32_t rows = images * outputHeight;
  const uint32_t last = claimStart(rows, until);
  for (uint32_t row = claimStart(rows, from); row < last; row++) {
    uint8_t* target = output + static_cast<size_t>(row) * outputWidth * pixelBytes;
    const uint32_t image = row / outputHeight;
    const uint32_t y = row % outputHeight;
    if (y < padding || y >= height + padding) {
      fillPixels(target, outputWidth, values, pixelBytes);
      continue;
    }
    const size_t sourceRow = static_cast<size_t>(image) * height + y - padding;
    fillPixels(target, padding, values, pixelBytes);
    memcpy(target + padding * pixelBytes, input + sourceRow * width * pixelBytes, width * pixelBytes);
    fillPixels(target + (padding + width) * pixelBytes, padding, values, pixelBytes);
  }
}

/** output[i, c] = mean over p of input[i, p, c]; cut by images and cache lines of channels. */
void spatialMean(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t images = wordOf(memory, instruction, ElementWord::rows);
  const uint32_t positions = wordOf(memory, instruction, ElementWord::positions);
  const uint32_t channels = wordOf(memory, instruction, ElementWord::channels);
  const uint32_t lines = (channels + 15) >> 4;
  const Floats divisor = splat(static_cast<float>(positions));
  const uint32_t tasks = images * lines;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t image = task / lines;
    const uint32_t firstChannel = (task % lines) << 4;
    const uint32_t lastChannel = smaller(channels, firstChannel + 16);
    for (uint32_t channel = firstChannel; channel < lastChannel; channel += lanes) {
      const uint32_t left = lastChannel - channel;
      const uint8_t* source = input + (image * positions * channels + channel) * 4;
      Floats sum = {};
      for (uint32_t position = 0; position < positions; position++) {
        sum += loadLanes(source, left);
        source += static_cast<size_t>(channels) * 4;
      }
      storeLanes(output + (image * channels + channel) * 4, sum / divisor, left);
    }
  }
}

/** output[j] = mean over t of input[t, j]. */
void timeMean(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t elements = wordOf(memory, instruction, ElementWord::elements);
  const uint32_t timeSteps = wordOf(memory, instruction, ElementWord::timeSteps);
  const Floats divisor = splat(static_cast<float>(timeSteps));
  const uint32_t end = rangeStart(elements, until);
  for (uint32_t element = rangeStart(elements, from); element < end; element += lanes) {
    const uint32_t left = end - element;
    Floats sum = {};
    for (size_t step = 0; step < timeSteps; step++) sum += loadLanes(input + (step * elements + element) * 4, left);
    storeLanes(output + static_cast<size_t>(element) * 4, sum / divisor, left);
  }
}

/** Writes the input over and over until the output is full. Elements are 32-bit words, numbers or spikes alike. */
void repeat(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* input = at(memory, instruction, ElementWord::input);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t elements = wordOf(memory, instruction, ElementWord::elements);
  const uint32_t inputElements = wordOf(memory, instruction, ElementWord::inputElements);
  const uint32_t end = rangeStart(elements, until);
  for (uint32_t element = rangeStart(elements, from); element < end;) {
    const uint32_t inputAt = element % inputElements;
    const uint32_t run = smaller(end - element, inputElements - inputAt);
    memcpy(output + static_cast<size_t>(element) * 4, input + static_cast<size_t>(inputAt) * 4, static_cast<size_t>(run) * 4);
    element += run;
  }
}

}  // namespace SPIKEFORMER_ISA
