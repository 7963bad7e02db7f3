/**
 * Depthwise convolution, one filter per channel, the twin of `kernels/depthwiseConvolution.ts`: sixteen channels at a time, the input rows under the kernel in a ring of
 * zero-padded rows of numbers. In a row of the ring all pixels of a register's channels follow each other.
 */
#include "vector.h"
#include "depthwise.h"

namespace SPIKEFORMER_ISA {

/** What all outputs of a row and a register's channels share. */
struct Filter {
  const uint8_t* window;
  size_t slotBytes;
  /** Where in the ring the top row lies. */
  uint32_t slot;
  uint32_t kernelHeight;
  uint32_t kernelWidth;
  const uint8_t* weights;
  const uint8_t* bias;
  size_t pixelBytes;
  uint32_t channels;
};

/** `outputs` neighbouring outputs, whose windows begin `step` bytes apart (0: a pixel), which makes them share the loads of two taps beside each other. */
template <int outputs, bool isDense>
SPIKEFORMER_INLINE void computeOutputs(const Filter& filter, const uint8_t* window, size_t step, uint8_t* output, const uint8_t* residual) {
  PlaneFloats sums[outputs];
  const PlaneFloats bias = load<PlaneFloats>(filter.bias);
  for (int index = 0; index < outputs; index++) sums[index] = bias;
  const uint8_t* weight = filter.weights;
  uint32_t slot = filter.slot;
  for (uint32_t tapY = 0; tapY < filter.kernelHeight; tapY++) {
    const uint8_t* source = window + slot * filter.slotBytes;
    uint32_t tapX = 0;
    if constexpr (isDense) {
      for (; tapX + 2 <= filter.kernelWidth; tapX += 2) {
        const PlaneFloats first = load<PlaneFloats>(weight);
        const PlaneFloats second = load<PlaneFloats>(weight + lineBytes);
        PlaneFloats pixel = load<PlaneFloats>(source);
        for (int index = 0; index < outputs; index++) {
          sums[index] = multiplyAdd(first, pixel, sums[index]);
          pixel = load<PlaneFloats>(source + (index + 1) * pixelBytesOfPlane);
          sums[index] = multiplyAdd(second, pixel, sums[index]);
        }
        source += 2 * pixelBytesOfPlane;
        weight += 2 * lineBytes;
      }
    }
    for (; tapX < filter.kernelWidth; tapX++) {
      const PlaneFloats factor = load<PlaneFloats>(weight);
      for (int index = 0; index < outputs; index++) {
        sums[index] = multiplyAdd(factor, load<PlaneFloats>(source + index * (isDense ? pixelBytesOfPlane : step)), sums[index]);
      }
      source += pixelBytesOfPlane;
      weight += lineBytes;
    }
    if (++slot == filter.kernelHeight) slot = 0;
  }
  for (int index = 0; index < outputs; index++) {
    PlaneFloats sum = sums[index];
    if (residual != nullptr) sum += loadLanes(residual + index * filter.pixelBytes, filter.channels);
    storeLanes(output + index * filter.pixelBytes, sum, filter.channels);
  }
}

/** One output row of a register's channels. */
SPIKEFORMER_LOOP void computeRow(Bytes memory, uint32_t instruction, const Filter& filter, uint8_t* output, const uint8_t* residual) {
  const uint32_t outputWidth = wordOf(memory, instruction, ConvolutionWord::outputWidth);
  const size_t step = static_cast<size_t>(wordOf(memory, instruction, ConvolutionWord::strideWidth)) * pixelBytesOfPlane;
  uint32_t x = 0;
  const auto outputAt = [&](uint32_t column) { return output + column * filter.pixelBytes; };
  const auto residualAt = [&](uint32_t column) { return residual != nullptr ? residual + column * filter.pixelBytes : nullptr; };
  if (step == pixelBytesOfPlane) {
    for (; x + 7 <= outputWidth; x += 7) computeOutputs<7, true>(filter, filter.window + x * step, step, outputAt(x), residualAt(x));
  }
  for (; x + 4 <= outputWidth; x += 4) computeOutputs<4, false>(filter, filter.window + x * step, step, outputAt(x), residualAt(x));
  for (; x < outputWidth; x++) computeOutputs<1, false>(filter, filter.window + x * step, step, outputAt(x), residualAt(x));
}

/** Tasks are output rows of (image, sixteen channels); a share is consecutive rows, which reuse the ring. */
void depthwiseConvolution(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  using namespace ConvolutionWord;
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const uint32_t heightOfOutput = wordOf(memory, instruction, outputHeight);
  const uint32_t widthOfOutput = wordOf(memory, instruction, outputWidth);
  const uint32_t heightOfKernel = wordOf(memory, instruction, kernelHeight);
  const uint32_t widthOfKernel = wordOf(memory, instruction, kernelWidth);
  const uint32_t stride = wordOf(memory, instruction, strideHeight);
  const uint32_t padding = wordOf(memory, instruction, paddingHeight);
  const uint32_t residualBase = wordOf(memory, instruction, residual);
  const uint32_t positionsOfResidual = wordOf(memory, instruction, residualPositions);
  const size_t planeBytes = static_cast<size_t>(wordOf(memory, instruction, inputWidth) + 2 * wordOf(memory, instruction, paddingWidth)) * pixelBytesOfPlane;
  const size_t slotBytes = planeBytes * planes;
  const uint32_t lines = (channels + Width::depthwise - 1) / Width::depthwise;
  const uint32_t tasks = wordOf(memory, instruction, images) * lines * heightOfOutput;
  const uint32_t last = claimStart(tasks, until);
  uint8_t* ring = memory + scratch;
  uint32_t line = UINT32_MAX;
  // Rows are counted from the top of the padding. Rows before `filled` are in the ring, as far as it reaches.
  uint32_t filled = 0;
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint32_t y = task % heightOfOutput;
    const uint32_t image = task / heightOfOutput / lines;
    const uint32_t firstChannel = ((task / heightOfOutput) % lines) * Width::depthwise;
    const uint32_t top = y * stride;
    if (task / heightOfOutput != line) {
      line = task / heightOfOutput;
      filled = top;
    }
    for (uint32_t row = larger(filled, top); row < top + heightOfKernel; row++) {
      uint8_t* slot = ring + (row % heightOfKernel) * slotBytes;
      fillRow(memory, instruction, slot, planeBytes, image, static_cast<int32_t>(row) - static_cast<int32_t>(padding), firstChannel);
    }
    filled = top + heightOfKernel;
    const uint32_t position = (image * heightOfOutput + y) * widthOfOutput;
    const size_t pixelBytes = static_cast<size_t>(channels) * 4;
    for (uint32_t plane = 0; plane < planes && firstChannel + plane * depthwiseLanes < channels; plane++) {
      const uint32_t channel = firstChannel + plane * depthwiseLanes;
      const Filter filter = {
          ring + plane * planeBytes,
          slotBytes,
          top % heightOfKernel,
          heightOfKernel,
          widthOfKernel,
          at(memory, instruction, weights) + static_cast<size_t>(firstChannel) * 4 * heightOfKernel * widthOfKernel + plane * pixelBytesOfPlane,
          at(memory, instruction, bias) + channel * 4,
          pixelBytes,
          channels - channel,
      };
      const uint8_t* other = residualBase != 0 ? memory + residualBase + (position % positionsOfResidual) * pixelBytes + channel * 4 : nullptr;
      computeRow(memory, instruction, filter, at(memory, instruction, output) + position * pixelBytes + channel * 4, other);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
