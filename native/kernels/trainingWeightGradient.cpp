/**
 * Gradient of a convolution with respect to its weights as a matrix product, the twin of `kernels/trainingWeightGradient.ts`: up to three groups of four elements of the patches meet
 * eight output channels at once.
 */
#include "vector.h"
#include "matrix.h"
#include "patches.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

/** Copies one panel of output channels of positions [first, last) to `[position][8]`. */
static void copyPanel(Bytes memory, uint32_t instruction, uint8_t* target, uint32_t first, uint32_t last, uint32_t firstChannel) {
  const uint32_t channels = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint8_t* gradient = at(memory, instruction, ConvolutionWord::output) + firstChannel * 4;
  for (uint32_t position = first; position < last; position++) {
    store(target, loadSome<8>(gradient + static_cast<size_t>(position) * channels * 4, channels - firstChannel));
    target += Width::panel * 4;
  }
}

/** Some groups of four elements of the patches times eight output channels, summed over `count` positions. */
template <int groups>
SPIKEFORMER_LOOP void multiplyGroups(const uint8_t* patches, size_t groupBytes, const uint8_t* panel, uint32_t count, uint8_t* target, bool add) {
  FloatsOf<8> sums[groups][4] = {};
  for (uint32_t position = 0; position < count; position++) {
    const FloatsOf<8> factors = load<FloatsOf<8>>(panel + static_cast<size_t>(position) * Width::panel * 4);
    for (int group = 0; group < groups; group++) {
      const uint8_t* elements = patches + group * groupBytes + static_cast<size_t>(position) * 16;
      for (int element = 0; element < 4; element++) {
        sums[group][element] = multiplyAddOf<8>(splatOf<8>(loadFloat(elements + element * 4)), factors, sums[group][element]);
      }
    }
  }
  for (int group = 0; group < groups; group++) {
    for (int element = 0; element < 4; element++) {
      uint8_t* to = target + group * 128 + element * 32;
      store(to, add ? load<FloatsOf<8>>(to) + sums[group][element] : sums[group][element]);
    }
  }
}

/** The input where its pixels are the patches, whole groups of four; otherwise null. */
static const uint8_t* pixelsOf(Bytes memory, uint32_t instruction) {
  using namespace ConvolutionWord;
  const auto word = [&](uint32_t index) { return wordOf(memory, instruction, index); };
  const bool isPointwise = word(kernelHeight) * word(kernelWidth) * word(strideHeight) * word(strideWidth) == 1 && (word(paddingHeight) | word(paddingWidth)) == 0;
  return isPointwise && word(spikes) == 0 && word(inputChannels) % 4 == 0 ? at(memory, instruction, input) : nullptr;
}

/**
 * `output` is the output's gradient. Tasks are (part of the positions, panel of output channels). Scratch: a panel of the gradient, a patch, patches.
 * Sums: `[part][panel][tap, input channel][8]`.
 */
void denseWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const uint32_t positions = positionsOf(memory, instruction);
  const uint32_t elements =
      wordOf(memory, instruction, Word::kernelHeight) * wordOf(memory, instruction, Word::kernelWidth) * wordOf(memory, instruction, Word::inputChannels);
  const uint32_t panels = (wordOf(memory, instruction, Word::outputChannels) + Width::panel - 1) / Width::panel;
  const Bytes packed = at(memory, instruction, Extra::packed);
  const uint32_t parts = wordOf(memory, instruction, Extra::parts);
  const size_t partBytes = wordOf(memory, instruction, Extra::partBytes);
  const size_t chunkBytes = wordOf(memory, instruction, Extra::chunkBytes);
  const uint32_t perBlock = wordOf(memory, instruction, Extra::positionsPerBlock);
  const uint32_t groups = (elements + 3) >> 2;
  // A group is `[position][4]`; not a power of two apart, which would send all of them to the same lines of the cache.
  const size_t groupBytes = static_cast<size_t>(perBlock) * 16 + 64;
  uint8_t* copied = memory + scratch;
  uint8_t* row = copied + static_cast<size_t>(perBlock) * Width::panel * 4;
  uint8_t* patches = row + static_cast<size_t>(groups) * 16 + 64;
  const uint8_t* pixels = pixelsOf(memory, instruction);
  const uint32_t end = claimStart(parts * panels, until);
  uint32_t task = claimStart(parts * panels, from);
  while (task < end) {
    const uint32_t part = task / panels;
    const uint32_t firstPanel = task - part * panels;
    const uint32_t lastPanel = smaller(panels, firstPanel + end - task);
    const uint32_t partStart = shareStart(positions, part, parts);
    const uint32_t partEnd = shareStart(positions, part + 1, parts);
    for (uint32_t first = partStart; first < partEnd; first += perBlock) {
      const uint32_t last = smaller(partEnd, first + perBlock);
      for (uint32_t position = first; position < last; position++) {
        const uint8_t* patch = pixels != nullptr ? pixels + static_cast<size_t>(position) * elements * 4 : row;
        if (pixels == nullptr) copyPatches(memory, instruction, row, position, position + 1);
        uint8_t* target = patches + static_cast<size_t>(position - first) * 16;
        for (uint32_t group = 0; group < groups; group++) store(target + group * groupBytes, load<FloatsOf<4>>(patch + static_cast<size_t>(group) * 16));
      }
      for (uint32_t panel = firstPanel; panel < lastPanel; panel++) {
        copyPanel(memory, instruction, copied, first, last, panel * Width::panel);
        uint8_t* target = packed + part * partBytes + panel * chunkBytes;
        const bool add = first > partStart;
        uint32_t together = 0;
        for (uint32_t group = 0; group < groups; group += together) {
          // Four are two and two: one alone waits for its sums.
          together = groups - group == 4 ? 2 : smaller(groups - group, 3);
          const auto multiply = together == 3 ? multiplyGroups<3> : together == 2 ? multiplyGroups<2> : multiplyGroups<1>;
          multiply(patches + group * groupBytes, groupBytes, copied, last - first, target + static_cast<size_t>(group) * 128, add);
        }
      }
    }
    task += lastPanel - firstPanel;
  }
}

/** Where the sums of all parts lie, and where they go. */
struct PartSums {
  const uint8_t* packed;
  uint32_t parts;
  size_t partBytes;
  uint32_t width;
  size_t chunkBytes;
  uint8_t* gradient;
  uint32_t inputs;
  uint32_t outputs;
  uint32_t taps;
};

/** Adds the sums of four output channels and an input channel. */
SPIKEFORMER_INLINE void addParts(const PartSums& sums, uint32_t firstOutput, uint32_t input) {
  const uint32_t count = smaller(4, sums.outputs - firstOutput);
  const size_t stride = static_cast<size_t>(sums.inputs) * sums.taps * 4;
  const uint8_t* column = sums.packed + firstOutput / sums.width * sums.chunkBytes + firstOutput % sums.width * 4;
  uint8_t* target = sums.gradient + (static_cast<size_t>(firstOutput) * sums.inputs + input) * sums.taps * 4;
  for (uint32_t tap = 0; tap < sums.taps; tap++) {
    const uint8_t* source = column + (static_cast<size_t>(tap) * sums.inputs + input) * sums.width * 4;
    FloatsOf<4> sum = load<FloatsOf<4>>(source);
    for (uint32_t part = 1; part < sums.parts; part++) sum += load<FloatsOf<4>>(source + part * sums.partBytes);
    for (uint32_t lane = 0; lane < count; lane++) storeFloat(target + lane * stride, loadFloat(target + lane * stride) + sum[lane]);
    target += 4;
  }
}

/**
 * Adds the sums of all parts, `[part][chunk of output channels][tap, input channel][width]`, to the gradient `[outputChannel][inputChannel][tap]` at `output`. Tasks are (four output
 * channels, input channel). Those of a chunk, whose sums share lines of the cache, take turns.
 */
void addWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const PartSums sums = {
      at(memory, instruction, Extra::packed),
      wordOf(memory, instruction, Extra::parts),
      wordOf(memory, instruction, Extra::partBytes),
      wordOf(memory, instruction, Extra::width),
      wordOf(memory, instruction, Extra::chunkBytes),
      at(memory, instruction, Word::output),
      wordOf(memory, instruction, Word::inputChannels),
      wordOf(memory, instruction, Word::outputChannels),
      wordOf(memory, instruction, Word::kernelHeight) * wordOf(memory, instruction, Word::kernelWidth),
  };
  const uint32_t quadsOfChunk = sums.width >> 2;
  const uint32_t total = ((sums.outputs + 3) >> 2) * sums.inputs;
  const uint32_t last = claimStart(total, until);
  uint32_t task = claimStart(total, from);
  while (task < last) {
    const uint32_t quad = task / sums.inputs;
    const uint32_t firstInput = task - quad * sums.inputs;
    const uint32_t whole = firstInput == 0 ? smaller((last - task) / sums.inputs, quadsOfChunk - quad % quadsOfChunk) : 0;
    const uint32_t quads = larger(1, whole);
    const uint32_t lastInput = whole > 0 ? sums.inputs : smaller(sums.inputs, firstInput + last - task);
    for (uint32_t input = firstInput; input < lastInput; input++) {
      for (uint32_t index = quad; index < quad + quads; index++) addParts(sums, index * 4, input);
    }
    task += quads * (lastInput - firstInput);
  }
}

}  // namespace SPIKEFORMER_ISA
