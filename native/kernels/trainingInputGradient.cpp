/**
 * Gradient of a convolution with respect to its input as a matrix product, the twin of `kernels/trainingInputGradient.ts`, which says how it works: four patches of the output's
 * gradient times up to three panels of transposed weights at once.
 */
#include "vector.h"
#include "matrix.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

/** Input pixels whose coordinates leave the same remainders when divided by the strides: they meet the same taps. */
struct Phase {
  uint32_t phaseY;
  uint32_t phaseX;
  uint32_t tapsY;
  uint32_t tapsX;
  uint32_t firstY;
  uint32_t firstX;
  /** Pixels of an image. */
  uint32_t rows;
  uint32_t columns;
};

SPIKEFORMER_INLINE uint32_t phaseFirst(uint32_t padding, uint32_t stride, uint32_t phase) { return (phase + stride - (padding % stride)) % stride; }

SPIKEFORMER_INLINE uint32_t phaseCount(uint32_t size, uint32_t first, uint32_t stride) { return first < size ? (size - first + stride - 1) / stride : 0; }

/** Addresses of the results of pixels [first, last) of a phase; the last four are filled up with a place nobody reads. */
static void listTargets(Bytes memory, uint32_t instruction, uint8_t* targets, const Phase& phase, uint32_t first, uint32_t last, uint32_t sink) {
  using namespace ConvolutionWord;
  const uint32_t height = wordOf(memory, instruction, inputHeight);
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t strideY = wordOf(memory, instruction, strideHeight);
  const uint32_t strideX = wordOf(memory, instruction, strideWidth);
  const uint32_t pixelBytes = wordOf(memory, instruction, inputChannels) * 4;
  const uint32_t results = wordOf(memory, instruction, output);
  for (uint32_t pixel = first; pixel < last; pixel++) {
    const uint32_t row = pixel / phase.columns;
    const uint32_t x = phase.firstX + (pixel - row * phase.columns) * strideX;
    const uint32_t y = phase.firstY + (row % phase.rows) * strideY;
    store32(targets, results + ((row / phase.rows * height + y) * width + x) * pixelBytes);
    targets += 4;
  }
  for (uint32_t index = 0; index < 3; index++) store32(targets + index * 4, sink);
}

/** Of a pixel: the image's gradient, and the output coordinates that its first tap meets. */
struct Place {
  const uint8_t* image;
  uint32_t y;
  uint32_t x;
};

/** Copies what pixels [first, last) of a phase meet with taps [firstTap, lastTap) of the phase, four pixels interleaved: `[four pixels][tap][output channel][4]`. */
static void copyPatches(
    Bytes memory, uint32_t instruction, uint8_t* target, const Phase& phase, uint32_t first, uint32_t last, uint32_t firstTap, uint32_t lastTap, const uint8_t* zeros) {
  using namespace ConvolutionWord;
  if (firstTap == lastTap) return;
  const uint8_t* gradient = at(memory, instruction, input);
  const uint32_t height = wordOf(memory, instruction, outputHeight);
  const uint32_t width = wordOf(memory, instruction, outputWidth);
  const uint32_t strideY = wordOf(memory, instruction, strideHeight);
  const uint32_t strideX = wordOf(memory, instruction, strideWidth);
  const uint32_t paddingY = wordOf(memory, instruction, paddingHeight);
  const uint32_t paddingX = wordOf(memory, instruction, paddingWidth);
  const size_t pixelBytes = static_cast<size_t>(wordOf(memory, instruction, outputChannels)) * 4;
  const size_t imageBytes = static_cast<size_t>(height) * width * pixelBytes;
  for (uint32_t pixel = first; pixel < last; pixel += Width::tile) {
    Place places[Width::tile];
    for (uint32_t index = 0; index < Width::tile; index++) {
      const uint32_t of = smaller(pixel + index, last - 1);
      const uint32_t row = of / phase.columns;
      const uint32_t x = phase.firstX + (of - row * phase.columns) * strideX;
      const uint32_t y = phase.firstY + (row % phase.rows) * strideY;
      // Exact: a phase is where these differences are multiples of the stride.
      places[index] = {gradient + row / phase.rows * imageBytes, (y + paddingY - phase.phaseY) / strideY, (x + paddingX - phase.phaseX) / strideX};
    }
    uint32_t tapY = firstTap / phase.tapsX;
    uint32_t tapX = firstTap - tapY * phase.tapsX;
    for (uint32_t tap = firstTap; tap < lastTap; tap++) {
      const uint8_t* met[Width::tile];
      for (uint32_t index = 0; index < Width::tile; index++) {
        // A negative coordinate is a huge unsigned one.
        const uint32_t y = places[index].y - tapY;
        const uint32_t x = places[index].x - tapX;
        met[index] = y < height && x < width ? places[index].image + (static_cast<size_t>(y) * width + x) * pixelBytes : zeros;
      }
      interleave(target, met[0], met[1], met[2], met[3], pixelBytes);
      target += pixelBytes * Width::tile;
      if (++tapX == phase.tapsX) {
        tapX = 0;
        tapY++;
      }
    }
  }
}

/** What the patches of pixels meet with some panels. */
struct PatchProduct {
  /** Four pixels interleaved, or pixels as they lie in memory. */
  const uint8_t* patches;
  uint32_t pixels;
  /** Numbers of a patch. */
  size_t elements;
  const uint8_t* weights;
  size_t panelBytes;
  /** Addresses of the results of pixels, and the first channel of them. */
  const uint8_t* targets;
  uint32_t firstChannel;
  /** Input channels from the first panel on. */
  uint32_t channels;
  bool add;
};

/** `multiplyTile` of four pixels that lie in memory one after the other; of the last four some may not exist. */
template <int panels>
SPIKEFORMER_INLINE void multiplyPixels(const PatchProduct& product, uint32_t pixel, FloatsOf<8> (&sums)[Width::tile][panels]) {
  FloatsOf<8> own[Width::tile][panels] = {};
  const uint8_t* rows[Width::tile];
  for (uint32_t row = 0; row < Width::tile; row++) rows[row] = product.patches + smaller(pixel + row, product.pixels - 1) * product.elements * 4;
  const uint8_t* weights = product.weights;
  for (size_t element = 0; element < product.elements; element++) {
    for (uint32_t row = 0; row < Width::tile; row++) {
      const uint32_t input = load32(rows[row] + element * 4);
      for (int panel = 0; panel < panels; panel++) own[row][panel] = FloatProduct::multiplyAdd(input, weights + panel * product.panelBytes, own[row][panel]);
    }
    weights += Width::panel * 4;
  }
  memcpy(sums, own, sizeof own);
}

template <int panels, bool isDirect>
SPIKEFORMER_LOOP void multiplyPatches(Bytes memory, const PatchProduct& product) {
  for (uint32_t pixel = 0; pixel < product.pixels; pixel += Width::tile) {
    FloatsOf<8> sums[Width::tile][panels] = {};
    if (isDirect) multiplyPixels<panels>(product, pixel, sums);
    else multiplyTile<FloatProduct, panels>(product.patches + pixel * product.elements * 4, product.elements, product.weights, product.panelBytes, sums);
    for (uint32_t row = 0; row < Width::tile; row++) {
      uint8_t* target = memory + load32(product.targets + (pixel + row) * 4) + product.firstChannel * 4;
      for (int panel = 0; panel < panels; panel++) {
        const uint32_t left = product.channels - static_cast<uint32_t>(panel) * Width::panel;
        const FloatsOf<8> sum = product.add ? sums[row][panel] + loadSome<8>(target + panel * 32, left) : sums[row][panel];
        storeSome<8>(target + panel * 32, sum, left);
      }
    }
  }
}

template <int panels>
static void multiply(Bytes memory, const PatchProduct& product, bool isDirect) {
  if (isDirect) multiplyPatches<panels, true>(memory, product);
  else multiplyPatches<panels, false>(memory, product);
}

/**
 * `input` is the output's gradient, `output` the input's. Tasks are (block of pixels of a phase, panel of input channels). Scratch: places of four pixels, a row of zeros, a place for
 * results that nobody reads, addresses of the results, patches.
 */
void inputGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const uint32_t images = wordOf(memory, instruction, Word::images);
  const uint32_t inputs = wordOf(memory, instruction, Word::inputChannels);
  const uint32_t outputs = wordOf(memory, instruction, Word::outputChannels);
  const uint32_t strideY = wordOf(memory, instruction, Word::strideHeight);
  const uint32_t strideX = wordOf(memory, instruction, Word::strideWidth);
  const uint32_t perBlock = wordOf(memory, instruction, Extra::positionsPerBlock);
  const uint32_t tapsPerSlice = wordOf(memory, instruction, Extra::tapsPerSlice);
  const bool accumulate = wordOf(memory, instruction, Extra::accumulate) != 0;
  const uint32_t panels = (inputs + Width::panel - 1) / Width::panel;
  const size_t tapBytes = static_cast<size_t>(outputs) * Width::panel * 4;
  const uint32_t zeros = scratch + 64;
  const uint32_t sink = zeros + ((outputs + 15) & ~15u) * 4;
  const uint32_t addresses = sink + ((inputs + 15) & ~15u) * 4;
  uint8_t* targets = memory + addresses;
  uint8_t* patches = targets + ((perBlock + 3 + 15) & ~15u) * 4;
  memset(memory + zeros, 0, static_cast<size_t>(outputs) * 4);
  // Of a pointwise convolution pixels are patches.
  const bool isDirect =
      wordOf(memory, instruction, Word::kernelHeight) * wordOf(memory, instruction, Word::kernelWidth) * strideY * strideX == 1 &&
      (wordOf(memory, instruction, Word::paddingHeight) | wordOf(memory, instruction, Word::paddingWidth)) == 0;
  uint32_t firstBlock = 0;
  const uint8_t* weightsOfPhase = at(memory, instruction, Extra::packed);
  for (uint32_t index = 0; index < strideY * strideX; index++) {
    Phase phase;
    phase.phaseY = index / strideX;
    phase.phaseX = index % strideX;
    phase.tapsY = phaseTaps(wordOf(memory, instruction, Word::kernelHeight), strideY, phase.phaseY);
    phase.tapsX = phaseTaps(wordOf(memory, instruction, Word::kernelWidth), strideX, phase.phaseX);
    phase.firstY = phaseFirst(wordOf(memory, instruction, Word::paddingHeight), strideY, phase.phaseY);
    phase.firstX = phaseFirst(wordOf(memory, instruction, Word::paddingWidth), strideX, phase.phaseX);
    phase.rows = phaseCount(wordOf(memory, instruction, Word::inputHeight), phase.firstY, strideY);
    phase.columns = phaseCount(wordOf(memory, instruction, Word::inputWidth), phase.firstX, strideX);
    const uint32_t taps = phase.tapsY * phase.tapsX;
    const size_t panelBytes = taps * tapBytes;
    const uint32_t pixels = images * phase.rows * phase.columns;
    const uint32_t blocks = (pixels + perBlock - 1) / perBlock;
    const uint32_t end = claimStart(blocks * panels, until);
    uint32_t task = claimStart(blocks * panels, from);
    while (task < end) {
      const uint32_t block = task / panels;
      const uint32_t firstPanel = task - block * panels;
      const uint32_t lastPanel = smaller(panels, firstPanel + end - task);
      const uint32_t first = shareStart(pixels, block, blocks);
      const uint32_t last = shareStart(pixels, block + 1, blocks);
      // Phases have blocks of their own; patches outlast a claim where all taps fit one slice.
      const bool prepared = isPrepared(memory, scratch, firstBlock + block);
      if (!prepared) listTargets(memory, instruction, targets, phase, first, last, sink);
      uint32_t firstTap = 0;
      do {
        const uint32_t lastTap = smaller(taps, firstTap + tapsPerSlice);
        const size_t elements = static_cast<size_t>(lastTap - firstTap) * outputs;
        if (!isDirect && (!prepared || taps > tapsPerSlice)) copyPatches(memory, instruction, patches, phase, first, last, firstTap, lastTap, memory + zeros);
        uint32_t together = 0;
        for (uint32_t panel = firstPanel; panel < lastPanel; panel += together) {
          // Four are two and two: one alone waits for its sums.
          together = lastPanel - panel == 4 ? 2 : smaller(lastPanel - panel, 3);
          const uint32_t channel = panel * Width::panel;
          const PatchProduct product = {
              isDirect ? at(memory, instruction, Word::input) + first * elements * 4 : patches, last - first, elements, weightsOfPhase + panel * panelBytes + firstTap * tapBytes, panelBytes, targets, channel, inputs - channel,
              accumulate || firstTap > 0,
          };
          if (together == 3) multiply<3>(memory, product, isDirect);
          else if (together == 2) multiply<2>(memory, product, isDirect);
          else multiply<1>(memory, product, isDirect);
        }
        firstTap = lastTap;
      } while (firstTap < taps);
      task += lastPanel - firstPanel;
    }
    weightsOfPhase += panels * panelBytes;
    firstBlock += blocks;
  }
}

}  // namespace SPIKEFORMER_ISA
