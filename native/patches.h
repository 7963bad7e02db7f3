/** Patches of an input, which the product of real numbers and the gradient of its weights multiply. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** One pixel of packed spikes as `channels` numbers, 0 or 1. */
static void expandSpikes(uint8_t* target, const uint8_t* source, uint32_t channels) {
  constexpr int width = lanes < 8 ? 4 : 8;
  IntsOf<width> selectors;
  for (int lane = 0; lane < width; lane++) selectors[lane] = 1 << lane;
  uint32_t channel = 0;
  for (; channel + width <= channels; channel += width) {
    const uint32_t bits = load32(source + (channel >> 5) * 4) >> (channel & 31);
    const IntsOf<width> isSet = (selectors & static_cast<int32_t>(bits)) == selectors;
    store(target + static_cast<size_t>(channel) * 4, isSet & (IntsOf<width>)splatOf<width>(1.0f));
  }
  for (; channel < channels; channel++) {
    const uint32_t word = load32(source + (channel >> 5) * 4);
    storeFloat(target + static_cast<size_t>(channel) * 4, (word >> (channel & 31)) & 1 ? 1.0f : 0.0f);
  }
}

/** Copies the patches under positions [first, last) into rows of kernelHeight · kernelWidth · inputChannels numbers. */
static void copyPatches(Bytes memory, uint32_t instruction, uint8_t* target, uint32_t first, uint32_t last) {
  using namespace ConvolutionWord;
  const uint8_t* images = at(memory, instruction, input);
  const uint32_t height = wordOf(memory, instruction, inputHeight);
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t heightOfOutput = wordOf(memory, instruction, outputHeight);
  const uint32_t widthOfOutput = wordOf(memory, instruction, outputWidth);
  const uint32_t heightOfKernel = wordOf(memory, instruction, kernelHeight);
  const int32_t widthOfKernel = static_cast<int32_t>(wordOf(memory, instruction, kernelWidth));
  const uint32_t rowStride = wordOf(memory, instruction, strideHeight);
  const uint32_t columnStride = wordOf(memory, instruction, strideWidth);
  const uint32_t paddingOfRows = wordOf(memory, instruction, paddingHeight);
  const int32_t paddingOfColumns = static_cast<int32_t>(wordOf(memory, instruction, paddingWidth));
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const bool areSpikes = wordOf(memory, instruction, spikes) != 0;
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const size_t sourceBytes = areSpikes ? static_cast<size_t>((channels + 31) >> 5) * 4 : pixelBytes;
  for (uint32_t position = first; position < last; position++) {
    const uint32_t x = position % widthOfOutput;
    const uint32_t y = (position / widthOfOutput) % heightOfOutput;
    const uint32_t image = position / widthOfOutput / heightOfOutput;
    const int32_t left = static_cast<int32_t>(x * columnStride) - paddingOfColumns;
    // The kernel's columns [from, to) lie inside the image; to ≥ from even when none does.
    const int32_t begin = left < 0 ? -left : 0;
    const int32_t from = begin < widthOfKernel ? begin : widthOfKernel;
    const int32_t room = static_cast<int32_t>(width) - left;
    const int32_t rightmost = room < widthOfKernel ? room : widthOfKernel;
    const int32_t to = rightmost > from ? rightmost : from;
    for (uint32_t tapY = 0; tapY < heightOfKernel; tapY++) {
      // A negative row is a huge unsigned one.
      const uint32_t row = y * rowStride + tapY - paddingOfRows;
      const bool inside = row < height && from != to;
      if (!inside || from != 0 || to != widthOfKernel) memset(target, 0, static_cast<size_t>(widthOfKernel) * pixelBytes);
      if (inside) {
        const size_t pixel = (static_cast<size_t>(image) * height + row) * width + static_cast<uint32_t>(left + from);
        const uint8_t* source = images + pixel * sourceBytes;
        if (!areSpikes) {
          memcpy(target + static_cast<size_t>(from) * pixelBytes, source, static_cast<size_t>(to - from) * pixelBytes);
        } else {
          for (int32_t tapX = from; tapX < to; tapX++) {
            expandSpikes(target + static_cast<size_t>(tapX) * pixelBytes, source + static_cast<size_t>(tapX - from) * sourceBytes, channels);
          }
        }
      }
      target += static_cast<size_t>(widthOfKernel) * pixelBytes;
    }
  }
}

}  // namespace SPIKEFORMER_ISA
