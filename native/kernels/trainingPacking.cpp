/** Weights into the order in which the kernels read them, at every step, because training changes them: the twin of `kernels/trainingPacking.ts`, which writes the same. */
#include "vector.h"
#include "spikeRows.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE uint32_t tapsOf(Bytes memory, uint32_t instruction) {
  return wordOf(memory, instruction, ConvolutionWord::kernelHeight) * wordOf(memory, instruction, ConvolutionWord::kernelWidth);
}

/** The eleven sums of the rows of four input channels, of which `present` exist. */
SPIKEFORMER_LOOP void fillTable(const uint8_t* rows, size_t rowBytes, uint32_t present, uint8_t* table) {
  inWidths(static_cast<uint32_t>(rowBytes / 4), [&](auto width, uint32_t channel) {
    typedef FloatsOf<decltype(width)::width> Sums;
    const uint8_t* source = rows + channel * 4;
    const Sums row0 = load<Sums>(source);
    const Sums row1 = present > 1 ? load<Sums>(source + rowBytes) : Sums{};
    const Sums row2 = present > 2 ? load<Sums>(source + rowBytes * 2) : Sums{};
    const Sums row3 = present > 3 ? load<Sums>(source + rowBytes * 3) : Sums{};
    const Sums sum3 = row0 + row1;
    const Sums sum5 = row0 + row2;
    const Sums sum6 = row1 + row2;
    const Sums sum7 = sum3 + row2;
    uint8_t* target = table + channel * 4;
    store(target, sum3);
    store(target + rowBytes, sum5);
    store(target + rowBytes * 2, sum6);
    store(target + rowBytes * 3, sum7);
    store(target + rowBytes * 4, row0 + row3);
    store(target + rowBytes * 5, row1 + row3);
    store(target + rowBytes * 6, sum3 + row3);
    store(target + rowBytes * 7, row2 + row3);
    store(target + rowBytes * 8, sum5 + row3);
    store(target + rowBytes * 9, sum6 + row3);
    store(target + rowBytes * 10, sum7 + row3);
  });
}

/** Rows and tables of the spike-fed convolution; tasks are (chunk of output channels, four input channels). */
void packSpikeRows(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t inputs = wordOf(memory, instruction, ConvolutionWord::inputChannels);
  const uint32_t outputs = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t taps = tapsOf(memory, instruction);
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights);
  const Bytes packed = at(memory, instruction, TrainingConvolutionWord::packed);
  const size_t rowBytes = wordOf(memory, instruction, ConvolutionWord::rowBytes);
  const size_t tapBytes = wordOf(memory, instruction, ConvolutionWord::tapBytes);
  const size_t chunkBytes = wordOf(memory, instruction, ConvolutionWord::chunkBytes);
  const bool withTables = wordOf(memory, instruction, ConvolutionWord::tables) != 0;
  const uint32_t width = static_cast<uint32_t>(rowBytes >> 2);
  const uint32_t groups = (inputs + 3) >> 2;
  const uint32_t chunks = (outputs + Width::chunk - 1) / Width::chunk;
  const uint32_t last = claimStart(chunks * groups, until);
  for (uint32_t task = claimStart(chunks * groups, from); task < last; task++) {
    const uint32_t chunk = task / groups;
    const uint32_t group = task % groups;
    const uint32_t firstInput = group * 4;
    const uint32_t firstOutput = chunk * Width::chunk;
    const uint32_t present = smaller(4, inputs - firstInput);
    const uint32_t count = smaller(width, outputs - firstOutput);
    uint8_t* rows = packed + chunk * chunkBytes + firstInput * rowBytes;
    for (uint32_t lane = 0; lane < width; lane++) {
      const uint8_t* source = weights + (static_cast<size_t>(firstOutput + lane) * inputs + firstInput) * taps * 4;
      for (uint32_t input = 0; input < present; input++) {
        uint8_t* row = rows + input * rowBytes + lane * 4;
        for (uint32_t tap = 0; tap < taps; tap++) {
          storeFloat(row, lane < count ? loadFloat(source) : 0);
          source += 4;
          row += tapBytes;
        }
      }
    }
    if (!withTables) continue;
    for (uint32_t tap = 0; tap < taps; tap++) {
      fillTable(rows + tap * tapBytes, rowBytes, present, packed + chunk * chunkBytes + tap * tapBytes + (inputs + group * patterns) * rowBytes);
    }
  }
}

/** Panels of the dense convolution; tasks are (panel, input channel). */
void packPanels(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t inputs = wordOf(memory, instruction, ConvolutionWord::inputChannels);
  const uint32_t outputs = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t taps = tapsOf(memory, instruction);
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights);
  const Bytes packed = at(memory, instruction, TrainingConvolutionWord::packed);
  const uint32_t panels = (outputs + Width::panel - 1) / Width::panel;
  const uint32_t last = claimStart(panels * inputs, until);
  for (uint32_t task = claimStart(panels * inputs, from); task < last; task++) {
    const uint32_t panel = task / inputs;
    const uint32_t input = task % inputs;
    for (uint32_t lane = 0; lane < Width::panel; lane++) {
      const uint32_t output = panel * Width::panel + lane;
      const uint8_t* source = weights + (static_cast<size_t>(output) * inputs + input) * taps * 4;
      uint8_t* target = packed + ((static_cast<size_t>(panel) * taps * inputs + input) * Width::panel + lane) * 4;
      for (uint32_t tap = 0; tap < taps; tap++) {
        storeFloat(target, output < outputs ? loadFloat(source) : 0);
        source += 4;
        target += static_cast<size_t>(inputs) * Width::panel * 4;
      }
    }
  }
}

/** Lines of sixteen channels of the depthwise convolution, the kernel turned around where the input gradient asks for it. */
void packDepthwise(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t channels = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t taps = tapsOf(memory, instruction);
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights);
  const Bytes packed = at(memory, instruction, TrainingConvolutionWord::packed);
  const bool turned = wordOf(memory, instruction, TrainingConvolutionWord::tapsPerSlice) != 0;
  const uint32_t lines = (channels + Width::depthwise - 1) / Width::depthwise;
  const uint32_t last = claimStart(lines, until);
  for (uint32_t line = claimStart(lines, from); line < last; line++) {
    for (uint32_t lane = 0; lane < Width::depthwise; lane++) {
      const uint32_t channel = line * Width::depthwise + lane;
      for (uint32_t tap = 0; tap < taps; tap++) {
        const uint32_t source = turned ? taps - 1 - tap : tap;
        const float value = channel < channels ? loadFloat(weights + (static_cast<size_t>(channel) * taps + source) * 4) : 0;
        storeFloat(packed + ((static_cast<size_t>(line) * taps + tap) * Width::depthwise + lane) * 4, value);
      }
    }
  }
}

/** Panels of the input gradient: `[phase][panel of input channels][tap of the phase][output channel][8]`. Tasks are (panel, output channel). */
void packInputGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t inputs = wordOf(memory, instruction, ConvolutionWord::inputChannels);
  const uint32_t outputs = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t heightOfKernel = wordOf(memory, instruction, ConvolutionWord::kernelHeight);
  const uint32_t widthOfKernel = wordOf(memory, instruction, ConvolutionWord::kernelWidth);
  const uint32_t strideY = wordOf(memory, instruction, ConvolutionWord::strideHeight);
  const uint32_t strideX = wordOf(memory, instruction, ConvolutionWord::strideWidth);
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights);
  const Bytes packed = at(memory, instruction, TrainingConvolutionWord::packed);
  const uint32_t taps = heightOfKernel * widthOfKernel;
  const uint32_t panels = (inputs + Width::panel - 1) / Width::panel;
  const size_t tapBytes = static_cast<size_t>(outputs) * Width::panel * 4;
  const uint32_t last = claimStart(panels * outputs, until);
  for (uint32_t task = claimStart(panels * outputs, from); task < last; task++) {
    const uint32_t panel = task / outputs;
    const uint32_t output = task % outputs;
    const uint32_t firstInput = panel * Width::panel;
    const uint8_t* source = weights + (static_cast<size_t>(output) * inputs + firstInput) * taps * 4;
    const uint32_t count = smaller(Width::panel, inputs - firstInput);
    uint8_t* phaseStart = packed;
    for (uint32_t phaseY = 0; phaseY < strideY; phaseY++) {
      const uint32_t tapsY = phaseTaps(heightOfKernel, strideY, phaseY);
      for (uint32_t phaseX = 0; phaseX < strideX; phaseX++) {
        const uint32_t tapsX = phaseTaps(widthOfKernel, strideX, phaseX);
        const size_t panelBytes = tapsY * tapsX * tapBytes;
        uint8_t* target = phaseStart + panel * panelBytes + output * Width::panel * 4;
        for (uint32_t y = 0; y < tapsY; y++) {
          for (uint32_t x = 0; x < tapsX; x++) {
            const uint32_t tap = (phaseY + y * strideY) * widthOfKernel + phaseX + x * strideX;
            for (uint32_t lane = 0; lane < Width::panel; lane++) {
              storeFloat(target + lane * 4, lane < count ? loadFloat(source + (lane * taps + tap) * 4) : 0);
            }
            target += tapBytes;
          }
        }
        phaseStart += panels * panelBytes;
      }
    }
  }
}

}  // namespace SPIKEFORMER_ISA
