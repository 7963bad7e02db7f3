/**
 * Convolution on real numbers as a matrix product, the twin of `kernels/denseConvolution.ts` on the same panels of eight output channels. Four positions times up to three panels
 * at once: twelve accumulators, for which every weight and every input is loaded once. Products are added in the order of the inputs, fused where the processor can.
 */
#include "vector.h"
#include "matrix.h"
#include "patches.h"
#include "widths.h"

namespace SPIKEFORMER_ISA {

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
