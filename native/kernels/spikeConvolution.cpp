/**
 * Convolution (and linear layer: a 1×1 convolution) on packed spikes, without any multiplication: the twin of `kernels/spikeConvolution.ts`. Rows of two chunks of 24 channels
 * are added up at a time: with one, every sum would wait for the one before, and an entry of a list would be read for three registers only.
 */
#include "vector.h"
#include "neuron.h"
#include "spikeByteRows.h"
#include "spikeLists.h"

namespace SPIKEFORMER_ISA {

/** Into how many parts the positions of a (block, chunks) may be cut between claims, and below how many positions they are not. */
constexpr uint32_t partsPerTask = 8;
constexpr uint32_t leastPositionsToCut = 64;
constexpr uint32_t chunkBytesOfSums = Width::chunk * 4;

/**
 * The second pass for one segment and `chunks` chunks, of `channels` channels each: every position's sums start from `initial`, take up its rows and the residual, and go to
 * `output`. `chunkBytes`: from one chunk's rows to the next one's.
 */
template <int channels, int chunks>
SPIKEFORMER_LOOP void sumRows(Bytes memory, const uint8_t* table, size_t chunkBytes, SumPlaces places) {
  for (uint32_t position = 0; position < places.count; position++) {
    Row<channels> sums[chunks];
    for (int chunk = 0; chunk < chunks; chunk++) sums[chunk].load(places.initial + chunk * chunkBytesOfSums);
    const uint8_t* end = memory + load32(places.starts + 4);
    for (const uint8_t* entry = memory + load32(places.starts); entry < end; entry += 4) {
      const uint8_t* row = table + load32(entry);
      for (int chunk = 0; chunk < chunks; chunk++) sums[chunk].add(row + chunk * chunkBytes);
    }
    if (places.residual != nullptr) {
      const uint8_t* other = places.residual + places.residualAt * places.residualStride;
      for (int chunk = 0; chunk < chunks; chunk++) sums[chunk].add(other + chunk * chunkBytesOfSums);
      if (++places.residualAt == places.residualPositions) places.residualAt = 0;
    }
    for (int chunk = 0; chunk < chunks; chunk++) sums[chunk].store(places.output + chunk * chunkBytesOfSums);
    places.initial += places.initialStride;
    places.output += places.outputStride;
    places.starts += places.startStride;
  }
}

/** The last one to three channels of sums that go to the output; rows and bias are padded to four. */
SPIKEFORMER_LOOP void sumLastRows(Bytes memory, const uint8_t* table, SumPlaces places, uint32_t channels) {
  for (uint32_t position = 0; position < places.count; position++) {
    Row<4> sums;
    sums.load(places.initial);
    const uint8_t* end = memory + load32(places.starts + 4);
    for (const uint8_t* entry = memory + load32(places.starts); entry < end; entry += 4) sums.add(table + load32(entry));
    uint8_t four[16];
    sums.store(four);
    const uint8_t* other = places.residual != nullptr ? places.residual + places.residualAt * places.residualStride : nullptr;
    for (uint32_t channel = 0; channel < channels; channel++) {
      const float sum = loadFloat(four + channel * 4);
      storeFloat(places.output + channel * 4, other != nullptr ? sum + loadFloat(other + channel * 4) : sum);
    }
    if (other != nullptr && ++places.residualAt == places.residualPositions) places.residualAt = 0;
    places.initial += places.initialStride;
    places.output += places.outputStride;
    places.starts += places.startStride;
  }
}

/** A run of positions whose lists are built, and some chunks of output channels. */
struct Task {
  /** Of the run's first position. */
  const uint8_t* starts;
  uint32_t firstPosition;
  uint32_t count;
  uint32_t chunk;
  uint32_t chunks;
  uint8_t* output;
  size_t outputStride;
  bool touches;
};

SPIKEFORMER_INLINE SumPlaces placesOfTask(Bytes memory, uint32_t instruction, const Task& task, uint32_t firstChannel, const Cut& cut) {
  SumPlaces places = {};
  const uint32_t residual = wordOf(memory, instruction, ConvolutionWord::residual);
  places.residualPositions = wordOf(memory, instruction, ConvolutionWord::residualPositions);
  places.residual = residual != 0 ? memory + residual + firstChannel * 4 : nullptr;
  places.residualStride = static_cast<size_t>(wordOf(memory, instruction, ConvolutionWord::outputChannels)) * 4;
  places.residualAt = residual != 0 ? task.firstPosition % places.residualPositions : 0;
  places.startStride = static_cast<size_t>(cut.segments) * 8;
  places.count = task.count;
  return places;
}

/** The places of one segment, `offset` bytes of sums from the first chunk's first channel on: sums rest in `partial` between segments. */
SPIKEFORMER_INLINE SumPlaces placesOfSegment(
    SumPlaces places, const Task& task, const uint8_t* bias, uint8_t* partial, size_t partialStride, uint32_t segment, const Cut& cut, size_t offset) {
  const bool isLast = segment == cut.segments - 1;
  places.starts = task.starts + segment * 8;
  places.initial = (segment == 0 ? bias : partial) + offset;
  places.initialStride = segment == 0 ? 0 : partialStride;
  places.output = (isLast ? task.output : partial) + offset;
  places.outputStride = isLast ? task.outputStride : partialStride;
  places.residual = isLast && places.residual != nullptr ? places.residual + offset : nullptr;
  return places;
}

/** Sums one or two chunks of float32. */
static void sumChunks(Bytes memory, uint32_t instruction, uint8_t* partial, const Task& task, const Cut& cut) {
  using namespace ConvolutionWord;
  const uint32_t firstChannel = task.chunk * Width::chunk;
  const uint32_t width = smaller(task.chunks * Width::chunk, wordOf(memory, instruction, outputChannels) - firstChannel);
  const size_t bytesOfChunk = wordOf(memory, instruction, chunkBytes);
  const size_t partialStride = static_cast<size_t>(task.chunks) * wordOf(memory, instruction, rowBytes);
  const uint8_t* table = at(memory, instruction, weights) + task.chunk * bytesOfChunk;
  const uint8_t* firstBias = at(memory, instruction, bias) + firstChannel * 4;
  const SumPlaces shared = placesOfTask(memory, instruction, task, firstChannel, cut);
  for (uint32_t segment = 0; segment < cut.segments; segment++) {
    const bool isLast = segment == cut.segments - 1;
    if (task.touches && task.count >= leastPositionsToTouch) {
      for (uint32_t chunk = 0; chunk < task.chunks; chunk++) touchSegment(memory, instruction, table + chunk * bytesOfChunk, segment, cut);
    }
    for (uint32_t done = 0; done < width;) {
      const uint32_t chunk = done / Width::chunk;
      const uint32_t left = smaller(width - done, (chunk + 1) * Width::chunk - done);
      const SumPlaces places = placesOfSegment(shared, task, firstBias, partial, partialStride, segment, cut, done * 4);
      const uint8_t* rows = table + chunk * bytesOfChunk + (done - chunk * Width::chunk) * 4;
      if (width - done == 2 * Width::chunk) {
        sumRows<Width::chunk, 2>(memory, rows, bytesOfChunk, places);
        done += 2 * Width::chunk;
      } else if (left == Width::chunk) {
        sumRows<Width::chunk, 1>(memory, rows, 0, places);
        done += Width::chunk;
      } else if (left >= 16) {
        sumRows<16, 1>(memory, rows, 0, places);
        done += 16;
      } else if (left >= 8) {
        sumRows<8, 1>(memory, rows, 0, places);
        done += 8;
      } else if (left >= 4 || !isLast) {
        sumRows<4, 1>(memory, rows, 0, places);
        done += 4;
      } else {
        sumLastRows(memory, rows, places, left);
        done += 4;
      }
    }
  }
}

/** Sums one chunk of bytes. */
static void sumByteChunk(Bytes memory, uint32_t instruction, uint8_t* partial, const Task& task, const Cut& cut) {
  using namespace ConvolutionWord;
  const uint32_t firstChannel = task.chunk * Width::byteChunk;
  const uint32_t width = smaller(Width::byteChunk, wordOf(memory, instruction, outputChannels) - firstChannel);
  const size_t partialStride = static_cast<size_t>(wordOf(memory, instruction, rowBytes)) * 4;
  const uint8_t* table = at(memory, instruction, weights) + static_cast<size_t>(task.chunk) * wordOf(memory, instruction, chunkBytes);
  const uint8_t* firstBias = at(memory, instruction, bias) + firstChannel * 4;
  const uint8_t* firstScales = at(memory, instruction, scales) + firstChannel * 4;
  const SumPlaces shared = placesOfTask(memory, instruction, task, firstChannel, cut);
  for (uint32_t segment = 0; segment < cut.segments; segment++) {
    const bool isLast = segment == cut.segments - 1;
    if (task.touches && task.count >= leastPositionsToTouch) touchSegment(memory, instruction, table, segment, cut);
    for (uint32_t done = 0; done < width;) {
      const uint32_t left = width - done;
      const SumPlaces places = placesOfSegment(shared, task, firstBias, partial, partialStride, segment, cut, done * 4);
      const uint8_t* rows = table + done;
      const uint8_t* scale = firstScales + done * 4;
      if (left == 64) {
        sumBytes<4, true>(memory, rows, places, scale, 64);
        done += 64;
      } else if (left >= 48) {
        sumBytes<3, true>(memory, rows, places, scale, 48);
        done += 48;
      } else if (left >= 32) {
        sumBytes<2, true>(memory, rows, places, scale, 32);
        done += 32;
      } else if (left >= 16 || !isLast) {
        // Sums between segments are padded to sixteen.
        sumBytes<1, true>(memory, rows, places, scale, 16);
        done += 16;
      } else {
        sumBytes<1, false>(memory, rows, places, scale, left);
        done += 16;
      }
    }
  }
}

/**
 * Tasks are (block of positions, chunks of channels), blocks outermost; a claim may begin and end inside a block, so that all threads have work even when there is only one
 * block; then the lists may have been made by the instruction before (`spikeLists`). Where the convolution feeds neurons that fire in the same instruction, a block is the same
 * positions of all time steps. Scratch: lookup tables (of wasm), a byte per image, sums between segments, starts, and the same of pixels, lists of pixels, lists.
 */
void spikeConvolution(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  using namespace ConvolutionWord;
  const uint32_t imageCount = wordOf(memory, instruction, images);
  const uint32_t positions = imageCount * wordOf(memory, instruction, outputHeight) * wordOf(memory, instruction, outputWidth);
  const uint32_t channels = wordOf(memory, instruction, outputChannels);
  const uint32_t blockCount = wordOf(memory, instruction, blocks);
  const bool byBytes = wordOf(memory, instruction, bytes) != 0;
  const uint32_t chunkWidth = byBytes ? Width::byteChunk : Width::chunk;
  const uint32_t chunks = (channels + chunkWidth - 1) / chunkWidth;
  const uint32_t chunksAtOnce = byBytes ? 1u : +Width::chunksAtOnce;
  const uint32_t groups = (chunks + chunksAtOnce - 1) / chunksAtOnce;
  const bool hasTables = wordOf(memory, instruction, tables) != 0;
  const bool fires = wordOf(memory, instruction, neurons) != 0;
  const uint32_t steps = fires ? wordOf(memory, instruction, timeSteps) : 1;
  const uint32_t perStep = positions / steps;
  const uint32_t currentsOffset = fires ? wordOf(memory, instruction, currents) : 0;
  // Also the parts of a chunk's positions are tasks, so that claims end together however few chunks there are.
  const uint32_t parts = perStep / blockCount >= leastPositionsToCut ? partsPerTask : 1;
  const uint32_t perBlock = groups * parts;
  uint32_t task = claimStart(blockCount * perBlock, from);
  const uint32_t end = claimStart(blockCount * perBlock, until);
  if (task >= end) return;
  uint8_t* modes = memory + scratch + Size::lookup;
  uint8_t* partial = modes + wordOf(memory, instruction, modeBytes);
  uint8_t* ownStarts = partial + wordOf(memory, instruction, partialBytes);
  // Shared lists are those of a layer of one block.
  const bool isShared = wordOf(memory, instruction, lists) != 0;
  uint8_t* starts = isShared ? at(memory, instruction, lists) : ownStarts;
  uint8_t* pixelStarts = ownStarts + wordOf(memory, instruction, startBytes);
  uint8_t* ownLists = pixelStarts + wordOf(memory, instruction, pixelStartBytes) + wordOf(memory, instruction, pixelListBytes);
  if (isFirstClaim(memory, scratch)) memset(modes, 0, imageCount);
  while (task < end) {
    const uint32_t block = task / perBlock;
    const uint32_t first = shareStart(perStep, block, blockCount);
    const uint32_t last = shareStart(perStep, block + 1, blockCount);
    const uint32_t count = last - first;
    bool withTables = false;
    for (uint32_t step = 0; hasTables && step < steps; step++) {
      if (anyUsesTables(memory, instruction, modes, step * perStep + first, step * perStep + last)) withTables = true;
    }
    const Cut cut = cutOf(memory, instruction, withTables);
    const size_t bytesOfStarts = static_cast<size_t>(count) * cut.segments * 8;
    if (!isPrepared(memory, scratch, block) && !isShared) {
      uint8_t* list = ownLists;
      for (uint32_t step = 0; step < steps; step++) {
        const uint32_t offset = step * perStep;
        list = buildLists(memory, instruction, modes, starts + step * bytesOfStarts, pixelStarts, list, offset + first, offset + last, cut);
      }
    }
    const uint32_t blockEnd = smaller(end, (block + 1) * perBlock);
    while (task < blockEnd) {
      const uint32_t group = (task - block * perBlock) / parts;
      const uint32_t groupStart = block * perBlock + group * parts;
      const uint32_t taskEnd = smaller(blockEnd, groupStart + parts);
      // Positions of the block that are this claim's.
      const uint32_t begin = shareStart(count, task - groupStart, parts);
      const uint32_t some = shareStart(count, taskEnd - groupStart, parts) - begin;
      task = taskEnd;
      const uint32_t chunk = group * chunksAtOnce;
      const uint32_t firstChannel = chunk * chunkWidth;
      const uint32_t width = smaller(chunksAtOnce * chunkWidth, channels - firstChannel);
      // Currents that only the neurons read are packed as densely as they come, and never leave the cache.
      const size_t positionBytes = static_cast<size_t>(currentsOffset != 0 ? width : channels) * 4;
      uint8_t* base = currentsOffset != 0 ? memory + scratch + currentsOffset : at(memory, instruction, output) + (first + begin) * positionBytes + firstChannel * 4;
      const size_t stepBytes = (currentsOffset != 0 ? some : perStep) * positionBytes;
      for (uint32_t step = 0; step < steps; step++) {
        const Task own = {
            starts + step * bytesOfStarts + static_cast<size_t>(begin) * cut.segments * 8,
            step * perStep + first + begin,
            some,
            chunk,
            smaller(chunksAtOnce, chunks - chunk),
            base + step * stepBytes,
            positionBytes,
            step == 0,
        };
        if (byBytes) sumByteChunk(memory, instruction, partial, own, cut);
        else sumChunks(memory, instruction, partial, own, cut);
      }
      if (fires) fire(memory, instruction, base, stepBytes, positionBytes, firstChannel, width, first + begin, some, perStep);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
