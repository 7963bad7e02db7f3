#include "vector.h"
#include "spikeLists.h"

namespace SPIKEFORMER_ISA {

/** Makes the lists that the convolution after it, of which this instruction is a copy, finds at `ConvolutionWord::lists`. Tasks are positions. */
void spikeLists(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  using namespace ConvolutionWord;
  const uint32_t imageCount = wordOf(memory, instruction, images);
  const uint32_t positions = imageCount * wordOf(memory, instruction, outputHeight) * wordOf(memory, instruction, outputWidth);
  const uint32_t first = claimStart(positions, from);
  const uint32_t last = claimStart(positions, until);
  if (first >= last) return;
  uint8_t* modes = memory + scratch + Size::lookup;
  // The whole map is one block.
  if (!isPrepared(memory, scratch, 0)) memset(modes, 0, imageCount);
  const Cut cut = cutOf(memory, instruction, wordOf(memory, instruction, tables) != 0 && anyUsesTables(memory, instruction, modes, 0, positions));
  const uint32_t taps = wordOf(memory, instruction, kernelHeight) * wordOf(memory, instruction, kernelWidth);
  // Each position has room for all its neurons and for what is written too much.
  const size_t listBytes = static_cast<size_t>(taps) * wordOf(memory, instruction, inputChannels) * 4 + Size::listMargin;
  const uint32_t mostSegments = larger(wordOf(memory, instruction, segments), wordOf(memory, instruction, tableSegments));
  uint8_t* shared = at(memory, instruction, lists);
  uint8_t* starts = shared + static_cast<size_t>(first) * cut.segments * 8;
  uint8_t* list = shared + static_cast<size_t>(positions) * mostSegments * 8 + first * listBytes;
  uint8_t* pixelStarts = modes + wordOf(memory, instruction, modeBytes) + wordOf(memory, instruction, partialBytes);
  buildLists(memory, instruction, modes, starts, pixelStarts, list, first, last, cut);
}

}  // namespace SPIKEFORMER_ISA
