/** What the products of real numbers and of integers share: tiles of four positions times panels of eight output channels, and how they are shared between threads. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** Of the output, in all images. */
SPIKEFORMER_INLINE uint32_t positionsOf(Bytes memory, uint32_t instruction) {
  using namespace ConvolutionWord;
  return wordOf(memory, instruction, images) * wordOf(memory, instruction, outputHeight) * wordOf(memory, instruction, outputWidth);
}

/** Writes four lanes of each of four vectors in the order of a transposed matrix: the first lane of each, then the second of each, 64 bytes. */
SPIKEFORMER_INLINE void interleaveFours(uint8_t* target, WordsOf<4> four0, WordsOf<4> four1, WordsOf<4> four2, WordsOf<4> four3) {
#if defined(__x86_64__)
  const __m128i low01 = _mm_unpacklo_epi32((__m128i)four0, (__m128i)four1);
  const __m128i low23 = _mm_unpacklo_epi32((__m128i)four2, (__m128i)four3);
  const __m128i high01 = _mm_unpackhi_epi32((__m128i)four0, (__m128i)four1);
  const __m128i high23 = _mm_unpackhi_epi32((__m128i)four2, (__m128i)four3);
  store(target, _mm_unpacklo_epi64(low01, low23));
  store(target + 16, _mm_unpackhi_epi64(low01, low23));
  store(target + 32, _mm_unpacklo_epi64(high01, high23));
  store(target + 48, _mm_unpackhi_epi64(high01, high23));
#else
  for (int lane = 0; lane < 4; lane++) store(target + lane * 16, WordsOf<4>{four0[lane], four1[lane], four2[lane], four3[lane]});
#endif
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

/**
 * The part of a product that a claim is: blocks of positions, and of each some panels. Tasks are (block, panel), blocks outermost; blocks are whole tiles but for the end of the
 * last.
 */
struct PanelTasks {
  uint32_t block;
  /** Positions of the block. */
  uint32_t first;
  uint32_t last;
  uint32_t tilesOfBlock;
  /** The first of the panels that `nextPanels` hands out. */
  uint32_t panel;

  PanelTasks(Bytes memory, uint32_t instruction, uint32_t positions, uint32_t from, uint32_t until) : positions(positions) {
    tiles = (positions + Width::tile - 1) / Width::tile;
    blocks = wordOf(memory, instruction, ConvolutionWord::blocks);
    panels = (wordOf(memory, instruction, ConvolutionWord::outputChannels) + Width::panel - 1) / Width::panel;
    task = claimStart(blocks * panels, from);
    end = claimStart(blocks * panels, until);
  }

  bool nextBlock() {
    if (task >= end) return false;
    block = task / panels;
    const uint32_t firstTile = shareStart(tiles, block, blocks);
    const uint32_t endTile = shareStart(tiles, block + 1, blocks);
    tilesOfBlock = endTile - firstTile;
    first = firstTile * Width::tile;
    last = smaller(positions, endTile * Width::tile);
    blockEnd = smaller(end, (block + 1) * panels);
    return true;
  }

  /** How many panels of the block are next, at most three at once; 0 at its end. Four are two and two: one alone waits for its sums. */
  uint32_t nextPanels() {
    const uint32_t left = blockEnd - task;
    panel = task - block * panels;
    const uint32_t count = left == 4 ? 2 : smaller(left, 3);
    task += count;
    return count;
  }

 private:
  uint32_t positions;
  uint32_t tiles;
  uint32_t blocks;
  uint32_t panels;
  uint32_t task;
  uint32_t end;
  uint32_t blockEnd;
};

/** Products of numbers: a step is one input channel of a tap. */
struct FloatProduct {
  typedef FloatsOf<8> Sums;

  SPIKEFORMER_INLINE Sums multiplyAdd(uint32_t input, const uint8_t* weights, Sums sums) {
    float value;
    memcpy(&value, &input, sizeof value);
    return multiplyAddOf<8>(splatOf<8>(value), load<FloatsOf<8>>(weights), sums);
  }
};

/** Four interleaved rows times some panels: `steps` times four inputs, each of which meets eight weights of every panel. */
template <typename Product, int panels>
SPIKEFORMER_INLINE void multiplyTile(const uint8_t* rows, size_t steps, const uint8_t* weights, size_t panelBytes, typename Product::Sums (&sums)[Width::tile][panels]) {
  typename Product::Sums own[Width::tile][panels];
  memcpy(own, sums, sizeof own);
  for (size_t step = 0; step < steps; step++) {
    for (uint32_t row = 0; row < Width::tile; row++) {
      const uint32_t input = load32(rows + row * 4);
      for (int panel = 0; panel < panels; panel++) own[row][panel] = Product::multiplyAdd(input, weights + panel * panelBytes, own[row][panel]);
    }
    rows += Width::tile * 4;
    weights += Width::panel * 4;
  }
  memcpy(sums, own, sizeof own);
}

/** Where the sums of some panels go, and what is added to them. */
struct PanelPlaces {
  const uint8_t* bias;
  uint8_t* output;
  const uint8_t* residual;
  uint32_t residualPositions;
  size_t stride;
  /** Output channels from the first panel on. */
  uint32_t channels;
};

SPIKEFORMER_INLINE PanelPlaces placesOfPanels(Bytes memory, uint32_t instruction, uint32_t panel) {
  using namespace ConvolutionWord;
  const uint32_t firstChannel = panel * Width::panel;
  const uint32_t outputs = wordOf(memory, instruction, outputChannels);
  const uint32_t other = wordOf(memory, instruction, residual);
  return {
      at(memory, instruction, bias) + firstChannel * 4,
      at(memory, instruction, output) + firstChannel * 4,
      other != 0 ? memory + other + firstChannel * 4 : nullptr,
      wordOf(memory, instruction, ConvolutionWord::residualPositions),
      static_cast<size_t>(outputs) * 4,
      outputs - firstChannel,
  };
}

/** Adds the residual where there is one and stores the channels of one position. */
template <int panels>
SPIKEFORMER_INLINE void finishRow(const FloatsOf<8> (&sums)[panels], const PanelPlaces& places, uint32_t position) {
  uint8_t* output = places.output + position * places.stride;
  const uint8_t* residual = places.residual != nullptr ? places.residual + (position % places.residualPositions) * places.stride : nullptr;
  for (int panel = 0; panel < panels; panel++) {
    const uint32_t left = places.channels - static_cast<uint32_t>(panel) * Width::panel;
    uint8_t* target = output + panel * 32;
    if (left >= 8) {
      store(target, residual != nullptr ? sums[panel] + load<FloatsOf<8>>(residual + panel * 32) : sums[panel]);
      continue;
    }
    for (uint32_t channel = 0; channel < left; channel++) {
      const float sum = sums[panel][channel];
      storeFloat(target + channel * 4, residual != nullptr ? sum + loadFloat(residual + panel * 32 + channel * 4) : sum);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
