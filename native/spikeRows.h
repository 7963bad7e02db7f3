/** What the passes over a spike-fed layer's rows share: the twin of `kernels/spikeRows.ts`. */
#pragma once
#include "kernel.h"

namespace SPIKEFORMER_ISA {

/** Patterns of four spikes with two spikes or more, hence rows of a group of four channels in the tables. */
constexpr uint32_t patterns = 11;
/** Below this many positions in a block, rows are fetched one by one rather than all of them. */
constexpr uint32_t leastPositionsToTouch = 16;

/** How the rows of an instruction are cut: with tables a segment holds fewer taps or channels. */
struct Cut {
  bool withTables;
  uint32_t tapsPerSegment;
  uint32_t wordsPerSegment;
  uint32_t segments;
};

SPIKEFORMER_INLINE Cut cutOf(Bytes memory, uint32_t instruction, bool withTables) {
  const uint32_t first = withTables ? ConvolutionWord::tableTapsPerSegment : ConvolutionWord::tapsPerSegment;
  return {withTables, wordOf(memory, instruction, first), wordOf(memory, instruction, first + 1), wordOf(memory, instruction, first + 2)};
}

/** Reads a word of every cache line, in order: the hardware fetches ahead for a reader that goes forward, not for the lists, which jump. */
SPIKEFORMER_INLINE void touch(const uint8_t* start, const uint8_t* end) {
  uint32_t sum = 0;
  for (; start < end; start += 64) sum |= load32(start);
  // Without a use of the sum the compiler would drop the loads.
  __asm__ volatile("" : : "r"(sum));
}

/** Touches the rows of one segment of one chunk. */
SPIKEFORMER_INLINE void touchSegment(Bytes memory, uint32_t instruction, const uint8_t* chunkRows, uint32_t segment, const Cut& cut) {
  using namespace ConvolutionWord;
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const uint32_t taps = wordOf(memory, instruction, kernelHeight) * wordOf(memory, instruction, kernelWidth);
  const size_t bytesOfRow = wordOf(memory, instruction, rowBytes);
  const size_t bytesOfTap = wordOf(memory, instruction, tapBytes);
  const size_t groupBytes = patterns * bytesOfRow;
  const uint32_t parts = ((channels + 31) / 32 + cut.wordsPerSegment - 1) / cut.wordsPerSegment;
  const uint32_t firstChannel = (segment % parts) * cut.wordsPerSegment * 32;
  const uint32_t lastChannel = smaller(channels, firstChannel + cut.wordsPerSegment * 32);
  const uint32_t firstTap = (segment / parts) * cut.tapsPerSegment;
  const uint32_t lastTap = smaller(taps, firstTap + cut.tapsPerSegment);
  for (uint32_t tap = firstTap; tap < lastTap; tap++) {
    const uint8_t* singles = chunkRows + tap * bytesOfTap;
    touch(singles + firstChannel * bytesOfRow, singles + lastChannel * bytesOfRow);
    if (!cut.withTables) continue;
    const uint8_t* tables = singles + channels * bytesOfRow;
    touch(tables + (firstChannel >> 2) * groupBytes, tables + ((lastChannel + 3) >> 2) * groupBytes);
  }
}

}  // namespace SPIKEFORMER_ISA
