/**
 * Convolution on real numbers as a matrix product, the twin of `kernels/denseConvolution.ts` on the same panels of eight output channels. Four positions times up to three panels
 * at once: twelve accumulators, for which every weight and every input is loaded once. Products are added in the order of the inputs, fused where the processor can.
 */
#include "vector.h"
#include "matrix.h"
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** One pixel of packed spikes as `channels` numbers, 0 or 1. */
static void expandSpikes(uint8_t* target, const uint8_t* source, uint32_t channels) {
  for (uint32_t channel = 0; channel < channels; channel++) {
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

/** Writes a number of each of four rows, then the next of each. */
SPIKEFORMER_LOOP void interleave(uint8_t* target, const uint8_t* row0, const uint8_t* row1, const uint8_t* row2, const uint8_t* row3, size_t rowBytes) {
  size_t offset = 0;
  for (; offset + 16 <= rowBytes; offset += 16) {
    interleaveFours(target, load<WordsOf<4>>(row0 + offset), load<WordsOf<4>>(row1 + offset), load<WordsOf<4>>(row2 + offset), load<WordsOf<4>>(row3 + offset));
    target += 64;
  }
  for (; offset < rowBytes; offset += 4) {
    store32(target, load32(row0 + offset));
    store32(target + 4, load32(row1 + offset));
    store32(target + 8, load32(row2 + offset));
    store32(target + 12, load32(row3 + offset));
    target += 16;
  }
}

/** Brings the rows of positions [first, last) to `target`, interleaved by fours; where the last tile has fewer rows, its last stands for the others. `room` is for four rows. */
static void fillTiles(Bytes memory, uint32_t instruction, uint8_t* target, size_t rowBytes, bool isInPlace, uint8_t* room, uint32_t first, uint32_t last) {
  const uint8_t* input = at(memory, instruction, ConvolutionWord::input);
  for (uint32_t position = first; position < last; position += Width::tile) {
    const uint32_t count = smaller(Width::tile, last - position);
    if (!isInPlace) copyPatches(memory, instruction, room, position, position + count);
    const uint8_t* row0 = isInPlace ? input + position * rowBytes : room;
    const uint8_t* row1 = count > 1 ? row0 + rowBytes : row0;
    const uint8_t* row2 = count > 2 ? row1 + rowBytes : row1;
    const uint8_t* row3 = count > 3 ? row2 + rowBytes : row2;
    interleave(target, row0, row1, row2, row3, rowBytes);
    target += rowBytes * Width::tile;
  }
}

/** Products of numbers: a step is one input channel of a tap. */
struct FloatProduct {
  typedef FloatsOf<8> Sums;

  SPIKEFORMER_INLINE Sums multiplyAdd(uint32_t input, const uint8_t* weights, Sums sums) {
    float value;
    memcpy(&value, &input, sizeof value);
    return multiplyAddOf<8>(splatOf<8>(value), load<FloatsOf<8>>(weights), sums);
  }
};

template <int panels>
SPIKEFORMER_LOOP void multiplyPanels(Bytes memory, uint32_t instruction, const uint8_t* rows, size_t rowBytes, uint32_t panel, uint32_t first, uint32_t last) {
  const PanelPlaces places = placesOfPanels(memory, instruction, panel);
  const size_t panelBytes = rowBytes * Width::panel;
  const uint8_t* weights = at(memory, instruction, ConvolutionWord::weights) + panel * panelBytes;
  for (uint32_t position = first; position < last; position += Width::tile) {
    FloatsOf<8> sums[Width::tile][panels];
    for (int index = 0; index < panels; index++) {
      const FloatsOf<8> bias = load<FloatsOf<8>>(places.bias + index * 32);
      for (uint32_t row = 0; row < Width::tile; row++) sums[row][index] = bias;
    }
    multiplyTile<FloatProduct, panels>(rows + (position - first) * rowBytes, rowBytes / 4, weights, panelBytes, sums);
    const uint32_t count = smaller(Width::tile, last - position);
    for (uint32_t row = 0; row < count; row++) finishRow<panels>(sums[row], places, position + row);
  }
}

/** Tasks are (block of positions, panel of channels), blocks outermost; blocks are whole tiles but for the end of the last. Scratch: the tiles of one block, then room for four rows. */
void denseConvolution(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  using namespace ConvolutionWord;
  const uint32_t positions = positionsOf(memory, instruction);
  const uint32_t taps = wordOf(memory, instruction, kernelHeight) * wordOf(memory, instruction, kernelWidth);
  const size_t rowBytes = static_cast<size_t>(taps) * wordOf(memory, instruction, inputChannels) * 4;
  const bool isInPlace = taps == 1 && wordOf(memory, instruction, spikes) == 0 && wordOf(memory, instruction, strideHeight) == 1 &&
                         wordOf(memory, instruction, strideWidth) == 1 && wordOf(memory, instruction, paddingHeight) == 0 &&
                         wordOf(memory, instruction, paddingWidth) == 0;
  uint8_t* tiles = memory + scratch;
  PanelTasks tasks(memory, instruction, positions, from, until);
  while (tasks.nextBlock()) {
    uint8_t* room = tiles + static_cast<size_t>(tasks.tilesOfBlock) * Width::tile * rowBytes;
    if (!isPrepared(memory, scratch, tasks.block)) fillTiles(memory, instruction, tiles, rowBytes, isInPlace, room, tasks.first, tasks.last);
    while (const uint32_t count = tasks.nextPanels()) {
      if (count == 3) multiplyPanels<3>(memory, instruction, tiles, rowBytes, tasks.panel, tasks.first, tasks.last);
      else if (count == 2) multiplyPanels<2>(memory, instruction, tiles, rowBytes, tasks.panel, tasks.first, tasks.last);
      else multiplyPanels<1>(memory, instruction, tiles, rowBytes, tasks.panel, tasks.first, tasks.last);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
