/** Gradients of a convolution of any grouping by the definition, the twin of `kernels/trainingPlain.ts`: the same sums in float64, in the same order. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** `input` is the output's gradient, `output` the input's; tasks are input pixels. */
void plainInputGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  namespace Word = ConvolutionWord;
  const auto word = [&](uint32_t index) { return wordOf(memory, instruction, index); };
  const uint32_t inputHeight = word(Word::inputHeight);
  const uint32_t inputWidth = word(Word::inputWidth);
  const uint32_t inputs = word(Word::inputChannels);
  const uint32_t outputHeight = word(Word::outputHeight);
  const uint32_t outputWidth = word(Word::outputWidth);
  const uint32_t outputs = word(Word::outputChannels);
  const uint32_t kernelHeight = word(Word::kernelHeight);
  const uint32_t kernelWidth = word(Word::kernelWidth);
  const uint32_t strideY = word(Word::strideHeight);
  const uint32_t strideX = word(Word::strideWidth);
  const uint8_t* gradient = at(memory, instruction, Word::input);
  const Bytes result = at(memory, instruction, Word::output);
  const uint8_t* weights = at(memory, instruction, Word::weights);
  const bool accumulate = word(TrainingConvolutionWord::accumulate) != 0;
  const uint32_t groupInputs = inputs / word(Word::groups);
  const uint32_t groupOutputs = outputs / word(Word::groups);
  const size_t weightStride = static_cast<size_t>(groupInputs) * kernelHeight * kernelWidth;
  const uint32_t pixels = word(Word::images) * inputHeight * inputWidth;
  const uint32_t last = claimStart(pixels, until);
  for (uint32_t pixel = claimStart(pixels, from); pixel < last; pixel++) {
    const uint32_t x = pixel % inputWidth + word(Word::paddingWidth);
    const uint32_t y = pixel / inputWidth % inputHeight + word(Word::paddingHeight);
    const uint32_t image = pixel / inputWidth / inputHeight;
    for (uint32_t channel = 0; channel < inputs; channel++) {
      const uint32_t firstOutput = channel / groupInputs * groupOutputs;
      uint8_t* target = result + (static_cast<size_t>(pixel) * inputs + channel) * 4;
      double sum = accumulate ? loadFloat(target) : 0;
      for (uint32_t tapY = 0; tapY < kernelHeight; tapY++) {
        if (y < tapY || (y - tapY) % strideY != 0 || (y - tapY) / strideY >= outputHeight) continue;
        for (uint32_t tapX = 0; tapX < kernelWidth; tapX++) {
          if (x < tapX || (x - tapX) % strideX != 0 || (x - tapX) / strideX >= outputWidth) continue;
          const uint32_t position = (image * outputHeight + (y - tapY) / strideY) * outputWidth + (x - tapX) / strideX;
          const uint8_t* source = gradient + (static_cast<size_t>(position) * outputs + firstOutput) * 4;
          const uint8_t* weight = weights + (firstOutput * weightStride + (channel % groupInputs * kernelHeight + tapY) * kernelWidth + tapX) * 4;
          for (uint32_t output = 0; output < groupOutputs; output++) {
            sum += static_cast<double>(loadFloat(weight + output * weightStride * 4)) * static_cast<double>(loadFloat(source + output * 4));
          }
        }
      }
      storeFloat(target, static_cast<float>(sum));
    }
  }
}

/** `output` is the output's gradient, `packed` the weights'; tasks are weights. */
void plainWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  namespace Word = ConvolutionWord;
  const auto word = [&](uint32_t index) { return wordOf(memory, instruction, index); };
  const uint32_t images = word(Word::images);
  const uint32_t inputHeight = word(Word::inputHeight);
  const uint32_t inputWidth = word(Word::inputWidth);
  const uint32_t inputs = word(Word::inputChannels);
  const uint32_t outputHeight = word(Word::outputHeight);
  const uint32_t outputWidth = word(Word::outputWidth);
  const uint32_t outputs = word(Word::outputChannels);
  const uint32_t kernelHeight = word(Word::kernelHeight);
  const uint32_t kernelWidth = word(Word::kernelWidth);
  const uint32_t strideY = word(Word::strideHeight);
  const uint32_t strideX = word(Word::strideWidth);
  const uint32_t paddingY = word(Word::paddingHeight);
  const uint32_t paddingX = word(Word::paddingWidth);
  const bool areSpikes = word(Word::spikes) != 0;
  const uint8_t* input = at(memory, instruction, Word::input);
  const uint8_t* gradient = at(memory, instruction, Word::output);
  const Bytes result = at(memory, instruction, TrainingConvolutionWord::packed);
  const uint32_t groupInputs = inputs / word(Word::groups);
  const uint32_t groupOutputs = outputs / word(Word::groups);
  const size_t pixelBytes = static_cast<size_t>(areSpikes ? (inputs + 31) >> 5 : inputs) * 4;
  const uint32_t weights = outputs * groupInputs * kernelHeight * kernelWidth;
  const uint32_t last = claimStart(weights, until);
  for (uint32_t weight = claimStart(weights, from); weight < last; weight++) {
    const uint32_t tapX = weight % kernelWidth;
    const uint32_t tapY = weight / kernelWidth % kernelHeight;
    const uint32_t output = weight / kernelWidth / kernelHeight / groupInputs;
    const uint32_t channel = output / groupOutputs * groupInputs + weight / kernelWidth / kernelHeight % groupInputs;
    double sum = 0;
    for (uint32_t image = 0; image < images; image++) {
      for (uint32_t y = 0; y < outputHeight; y++) {
        // A negative coordinate is a huge unsigned one.
        const uint32_t inputY = y * strideY + tapY - paddingY;
        if (inputY >= inputHeight) continue;
        const uint8_t* row = input + (static_cast<size_t>(image) * inputHeight + inputY) * inputWidth * pixelBytes;
        const uint8_t* source = gradient + ((static_cast<size_t>(image) * outputHeight + y) * outputWidth * outputs + output) * 4;
        for (uint32_t x = 0; x < outputWidth; x++) {
          const uint32_t inputX = x * strideX + tapX - paddingX;
          if (inputX >= inputWidth) continue;
          const uint8_t* pixel = row + inputX * pixelBytes;
          const double value = areSpikes ? (load32(pixel + (channel >> 5) * 4) >> (channel & 31)) & 1 : static_cast<double>(loadFloat(pixel + channel * 4));
          sum += value * static_cast<double>(loadFloat(source + static_cast<size_t>(x) * outputs * 4));
        }
      }
    }
    uint8_t* target = result + static_cast<size_t>(weight) * 4;
    storeFloat(target, static_cast<float>(static_cast<double>(loadFloat(target)) + sum));
  }
}

}  // namespace SPIKEFORMER_ISA
