/** What the depthwise convolution and the gradient of its weights share: rows of sixteen channels, in which all pixels of a register's channels follow each other. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** Bytes of sixteen channels of a pixel, and of those of a register. */
constexpr uint32_t lineBytes = Width::depthwise * 4;
constexpr int depthwiseLanes = static_cast<int>(lanes);
constexpr uint32_t pixelBytesOfPlane = depthwiseLanes * 4;
constexpr uint32_t planes = Width::depthwise / depthwiseLanes;
typedef FloatsOf<depthwiseLanes> PlaneFloats;

/** A set bit becomes 1, the others 0. */
SPIKEFORMER_INLINE PlaneFloats expandBits(uint32_t bits) {
  IntsOf<depthwiseLanes> selectors;
  for (int lane = 0; lane < depthwiseLanes; lane++) selectors[lane] = 1 << lane;
  const IntsOf<depthwiseLanes> isSet = (selectors & static_cast<int32_t>(bits)) == selectors;
  return (PlaneFloats)(isSet & (IntsOf<depthwiseLanes>)splatOf<depthwiseLanes>(1.0f));
}

/** Writes one padded row of sixteen channels; `row` outside the image is a row of zeros. `planeBytes`: of one register's channels. */
SPIKEFORMER_LOOP void fillRow(Bytes memory, uint32_t instruction, uint8_t* target, size_t planeBytes, uint32_t image, int32_t row, uint32_t firstChannel) {
  using namespace ConvolutionWord;
  const uint32_t height = wordOf(memory, instruction, inputHeight);
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const size_t borderBytes = static_cast<size_t>(wordOf(memory, instruction, paddingWidth)) * pixelBytesOfPlane;
  if (row < 0 || row >= static_cast<int32_t>(height)) {
    memset(target, 0, planeBytes * planes);
    return;
  }
  const size_t pixels = (static_cast<size_t>(image) * height + static_cast<uint32_t>(row)) * width;
  for (uint32_t plane = 0; plane < planes; plane++) {
    uint8_t* to = target + plane * planeBytes;
    memset(to, 0, borderBytes);
    memset(to + planeBytes - borderBytes, 0, borderBytes);
    to += borderBytes;
    const uint32_t channel = firstChannel + plane * depthwiseLanes;
    if (wordOf(memory, instruction, spikes) != 0) {
      const size_t sourceBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
      const uint8_t* source = at(memory, instruction, input) + pixels * sourceBytes + (channel >> 5) * 4;
      for (uint32_t x = 0; x < width; x++) {
        // Words are padded to 32 channels, so a line of sixteen lies in one.
        store(to, expandBits(load32(source) >> (channel & 31)));
        source += sourceBytes;
        to += pixelBytesOfPlane;
      }
    } else {
      const size_t sourceBytes = static_cast<size_t>(channels) * 4;
      const uint8_t* source = at(memory, instruction, input) + pixels * sourceBytes + channel * 4;
      const uint32_t left = channel < channels ? channels - channel : 0;
      if (left >= lanes) {
        for (uint32_t x = 0; x < width; x++) {
          store(to, load<PlaneFloats>(source));
          source += sourceBytes;
          to += pixelBytesOfPlane;
        }
      } else {
        for (uint32_t x = 0; x < width; x++) {
          store(to, loadLanes(source, left));
          source += sourceBytes;
          to += pixelBytesOfPlane;
        }
      }
    }
  }
}

}  // namespace SPIKEFORMER_ISA
