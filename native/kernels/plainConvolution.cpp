/**
 * Convolution of any grouping on spikes or real numbers, by the definition, as in `kernels/plainConvolution.ts`: one output after the other. It serves the geometries that no fast
 * kernel covers (grouped, but not depthwise) and is slow.
 */
#include "vector.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE float element(Bytes memory, uint32_t instruction, uint32_t image, uint32_t y, uint32_t x, uint32_t channel) {
  using namespace ConvolutionWord;
  const uint32_t height = wordOf(memory, instruction, inputHeight);
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const uint32_t heightOfKernel = wordOf(memory, instruction, kernelHeight);
  const uint32_t widthOfKernel = wordOf(memory, instruction, kernelWidth);
  const uint32_t groupCount = wordOf(memory, instruction, groups);
  const bool areSpikes = wordOf(memory, instruction, spikes) != 0;
  const uint8_t* source = at(memory, instruction, input);
  const uint32_t groupInputs = channels / groupCount;
  const uint32_t group = channel / (wordOf(memory, instruction, outputChannels) / groupCount);
  const uint32_t taps = heightOfKernel * widthOfKernel;
  const uint8_t* own = at(memory, instruction, weights) + static_cast<size_t>(channel) * groupInputs * taps * 4;
  const uint32_t words = (channels + 31) >> 5;
  // A negative coordinate is a huge unsigned one.
  const uint32_t top = y * wordOf(memory, instruction, strideHeight) - wordOf(memory, instruction, paddingHeight);
  const uint32_t left = x * wordOf(memory, instruction, strideWidth) - wordOf(memory, instruction, paddingWidth);
  float sum = loadFloat(at(memory, instruction, bias) + channel * 4);
  for (uint32_t tapY = 0; tapY < heightOfKernel; tapY++) {
    const uint32_t inputY = top + tapY;
    if (inputY >= height) continue;
    for (uint32_t tapX = 0; tapX < widthOfKernel; tapX++) {
      const uint32_t inputX = left + tapX;
      if (inputX >= width) continue;
      const size_t pixel = (static_cast<size_t>(image) * height + inputY) * width + inputX;
      for (uint32_t inner = 0; inner < groupInputs; inner++) {
        const float weight = loadFloat(own + (inner * taps + tapY * widthOfKernel + tapX) * 4);
        const uint32_t from = group * groupInputs + inner;
        if (!areSpikes) sum += weight * loadFloat(source + (pixel * channels + from) * 4);
        else if ((load32(source + (pixel * words + (from >> 5)) * 4) >> (from & 31)) & 1) sum += weight;
      }
    }
  }
  return sum;
}

/** Tasks are positions. */
void plainConvolution(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  using namespace ConvolutionWord;
  const uint32_t height = wordOf(memory, instruction, outputHeight);
  const uint32_t width = wordOf(memory, instruction, outputWidth);
  const uint32_t channels = wordOf(memory, instruction, outputChannels);
  uint8_t* target = at(memory, instruction, output);
  const uint32_t other = wordOf(memory, instruction, residual);
  const uint32_t positionsOfResidual = wordOf(memory, instruction, residualPositions);
  const uint32_t positions = wordOf(memory, instruction, images) * height * width;
  const uint32_t last = claimStart(positions, until);
  for (uint32_t position = claimStart(positions, from); position < last; position++) {
    const uint32_t x = position % width;
    const uint32_t y = (position / width) % height;
    const uint32_t image = position / width / height;
    for (uint32_t channel = 0; channel < channels; channel++) {
      float sum = element(memory, instruction, image, y, x, channel);
      if (other != 0) sum += loadFloat(memory + other + (static_cast<size_t>(position % positionsOfResidual) * channels + channel) * 4);
      storeFloat(target + (static_cast<size_t>(position) * channels + channel) * 4, sum);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
