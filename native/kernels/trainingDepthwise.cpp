/**
 * Gradient of a depthwise convolution with respect to its weights, the twin of `kernels/trainingDepthwise.ts`: per channel and tap, products of input and output gradient summed over
 * positions, the taps of a few kernel rows at once.
 */
#include "vector.h"
#include "depthwise.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

/** Most sums that are made at once: the registers of AVX2 but for four. */
constexpr int mostSums = 12;

/** One row of the output's gradient, sixteen channels a pixel, unused ones zero; in planes as `fillRow` makes them. */
static void copyGradientRow(Bytes memory, uint32_t instruction, uint8_t* target, uint32_t row, uint32_t firstChannel) {
  const uint32_t channels = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t width = wordOf(memory, instruction, ConvolutionWord::outputWidth);
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  for (uint32_t plane = 0; plane < planes; plane++) {
    const uint32_t channel = firstChannel + plane * depthwiseLanes;
    const uint32_t count = channel < channels ? channels - channel : 0;
    const uint8_t* source = at(memory, instruction, ConvolutionWord::output) + static_cast<size_t>(row) * width * pixelBytes + channel * 4;
    for (uint32_t x = 0; x < width; x++) {
      store(target, loadSome<depthwiseLanes>(source, count));
      source += pixelBytes;
      target += pixelBytesOfPlane;
    }
  }
}

/** Where `rows` kernel rows meet the input, and where their sums lie. */
struct MetRows {
  const uint8_t* inputs[mostSums];
  uint8_t* sums;
  /** Of the sums of a kernel row. */
  size_t rowBytes;
};

/** Adds to the sums of `taps` neighbouring taps of `rows` kernel rows, over one row of outputs; neighbouring outputs meet pixels `step` bytes apart. */
template <int taps, int rows>
SPIKEFORMER_LOOP void addTaps(const uint8_t* gradient, uint32_t width, const MetRows& met, uint32_t firstRow, uint32_t firstTap, size_t step) {
  PlaneFloats sums[rows][taps] = {};
  const uint8_t* inputs[rows];
  for (int row = 0; row < rows; row++) inputs[row] = met.inputs[firstRow + row] + firstTap * pixelBytesOfPlane;
  size_t at = 0;
  for (uint32_t x = 0; x < width; x++) {
    const PlaneFloats value = load<PlaneFloats>(gradient + static_cast<size_t>(x) * pixelBytesOfPlane);
    for (int row = 0; row < rows; row++) {
      for (int tap = 0; tap < taps; tap++) sums[row][tap] = multiplyAdd(value, load<PlaneFloats>(inputs[row] + at + tap * pixelBytesOfPlane), sums[row][tap]);
    }
    at += step;
  }
  for (int row = 0; row < rows; row++) {
    for (int tap = 0; tap < taps; tap++) {
      uint8_t* target = met.sums + (firstRow + row) * met.rowBytes + (firstTap + tap) * lineBytes;
      store(target, load<PlaneFloats>(target) + sums[row][tap]);
    }
  }
}

/** The sums of `taps` neighbouring taps of all kernel rows, as many rows at once as there are registers for. */
template <int taps>
SPIKEFORMER_INLINE void addTapsOfRows(const uint8_t* gradient, uint32_t width, const MetRows& met, uint32_t rows, uint32_t firstTap, size_t step) {
  constexpr int together = mostSums / taps < 3 ? mostSums / taps : 3;
  uint32_t row = 0;
  for (; row + together <= rows; row += together) addTaps<taps, together>(gradient, width, met, row, firstTap, step);
  for (; row < rows; row++) addTaps<taps, 1>(gradient, width, met, row, firstTap, step);
}

/** Tasks are (part of the images, sixteen channels). Scratch: a ring of input rows, one row of the gradient. */
void depthwiseWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const uint32_t images = wordOf(memory, instruction, Word::images);
  const uint32_t heightOfOutput = wordOf(memory, instruction, Word::outputHeight);
  const uint32_t widthOfOutput = wordOf(memory, instruction, Word::outputWidth);
  const uint32_t heightOfKernel = wordOf(memory, instruction, Word::kernelHeight);
  const uint32_t widthOfKernel = wordOf(memory, instruction, Word::kernelWidth);
  const uint32_t stride = wordOf(memory, instruction, Word::strideHeight);
  const size_t step = static_cast<size_t>(wordOf(memory, instruction, Word::strideWidth)) * pixelBytesOfPlane;
  const uint32_t padding = wordOf(memory, instruction, Word::paddingHeight);
  const Bytes packed = at(memory, instruction, Extra::packed);
  const uint32_t parts = wordOf(memory, instruction, Extra::parts);
  const size_t partBytes = wordOf(memory, instruction, Extra::partBytes);
  const size_t planeBytes = static_cast<size_t>(wordOf(memory, instruction, Word::inputWidth) + 2 * wordOf(memory, instruction, Word::paddingWidth)) * pixelBytesOfPlane;
  const size_t slotBytes = planeBytes * planes;
  uint8_t* ring = memory + scratch;
  uint8_t* gradient = ring + heightOfKernel * slotBytes;
  const uint32_t lines = (wordOf(memory, instruction, Word::inputChannels) + Width::depthwise - 1) / Width::depthwise;
  const size_t sumBytes = static_cast<size_t>(heightOfKernel) * widthOfKernel * lineBytes;
  const uint32_t last = claimStart(parts * lines, until);
  for (uint32_t task = claimStart(parts * lines, from); task < last; task++) {
    const uint32_t part = task / lines;
    const uint32_t line = task % lines;
    const uint32_t firstChannel = line * Width::depthwise;
    uint8_t* sums = packed + part * partBytes + line * sumBytes;
    memset(sums, 0, sumBytes);
    const uint32_t lastImage = shareStart(images, part + 1, parts);
    for (uint32_t image = shareStart(images, part, parts); image < lastImage; image++) {
      uint32_t filled = 0;
      for (uint32_t y = 0; y < heightOfOutput; y++) {
        const uint32_t top = y * stride;
        for (uint32_t row = larger(filled, top); row < top + heightOfKernel; row++) {
          uint8_t* slot = ring + (row % heightOfKernel) * slotBytes;
          fillRow(memory, instruction, slot, planeBytes, image, static_cast<int32_t>(row) - static_cast<int32_t>(padding), firstChannel);
        }
        filled = top + heightOfKernel;
        copyGradientRow(memory, instruction, gradient, image * heightOfOutput + y, firstChannel);
        for (uint32_t plane = 0; plane < planes; plane++) {
          const uint8_t* gradientOfPlane = gradient + static_cast<size_t>(plane) * widthOfOutput * pixelBytesOfPlane;
          for (uint32_t firstRow = 0; firstRow < heightOfKernel; firstRow += mostSums) {
            const uint32_t rows = smaller(mostSums, heightOfKernel - firstRow);
            const size_t rowBytes = static_cast<size_t>(widthOfKernel) * lineBytes;
            MetRows met = {{}, sums + firstRow * rowBytes + plane * pixelBytesOfPlane, rowBytes};
            for (uint32_t row = 0; row < rows; row++) met.inputs[row] = ring + ((top + firstRow + row) % heightOfKernel) * slotBytes + plane * planeBytes;
            uint32_t tap = 0;
            while (tap < widthOfKernel) {
              const uint32_t left = widthOfKernel - tap;
              if (left == 3) addTapsOfRows<3>(gradientOfPlane, widthOfOutput, met, rows, tap, step), tap += 3;
              else if (left == 5) addTapsOfRows<5>(gradientOfPlane, widthOfOutput, met, rows, tap, step), tap += 5;
              else if (left >= 4) addTapsOfRows<4>(gradientOfPlane, widthOfOutput, met, rows, tap, step), tap += 4;
              else addTapsOfRows<1>(gradientOfPlane, widthOfOutput, met, rows, tap, step), tap += 1;
            }
          }
        }
      }
    }
  }
}

/** Adds the sums of all parts to the gradient `[channel][tap]`. */
void addDepthwiseWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const uint32_t channels = wordOf(memory, instruction, Word::outputChannels);
  const uint32_t taps = wordOf(memory, instruction, Word::kernelHeight) * wordOf(memory, instruction, Word::kernelWidth);
  const Bytes gradient = at(memory, instruction, Word::output);
  const uint8_t* packed = at(memory, instruction, Extra::packed);
  const uint32_t parts = wordOf(memory, instruction, Extra::parts);
  const size_t partBytes = wordOf(memory, instruction, Extra::partBytes);
  const uint32_t last = claimStart(channels, until);
  for (uint32_t channel = claimStart(channels, from); channel < last; channel++) {
    for (uint32_t tap = 0; tap < taps; tap++) {
      const uint8_t* source = packed + (static_cast<size_t>(channel / Width::depthwise) * taps + tap) * lineBytes + channel % Width::depthwise * 4;
      float sum = 0;
      for (uint32_t part = 0; part < parts; part++) sum += loadFloat(source + part * partBytes);
      uint8_t* target = gradient + (static_cast<size_t>(channel) * taps + tap) * 4;
      storeFloat(target, loadFloat(target) + sum);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
