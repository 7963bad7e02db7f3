/**
 * Sums of packed spikes for the account of energy, as in `kernels/counting.ts`. Sums are whole numbers added to counters of 64 bits, so they do not depend on how the work is cut.
 */
#include "vector.h"
#include "widths.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE void addToCounter(uint8_t* counter, uint64_t sum) {
  if (sum != 0) __atomic_fetch_add(reinterpret_cast<uint64_t*>(counter), sum, __ATOMIC_SEQ_CST);
}

SPIKEFORMER_INLINE uint64_t load64(const uint8_t* from) {
  uint64_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

SPIKEFORMER_INLINE void store64(uint8_t* to, uint64_t value) { memcpy(to, &value, sizeof value); }

SPIKEFORMER_INLINE uint64_t bitsOfWords(const uint8_t* words, uint32_t count) {
  uint64_t sum = 0;
  uint32_t index = 0;
  for (; index + 2 <= count; index += 2) sum += static_cast<uint64_t>(__builtin_popcountll(load64(words + index * 4)));
  if (index < count) sum += static_cast<uint64_t>(__builtin_popcount(load32(words + index * 4)));
  return sum;
}

static void flush(uint8_t* sums, uint8_t* counters, uint32_t count) {
  for (uint32_t index = 0; index < count; index++) {
    addToCounter(counters + index * 8, load64(sums + index * 8));
    store64(sums + index * 8, 0);
  }
}

/** counters[t][class of row][class of column] += spikes; cut by rows of pixels. */
void countSpikes(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t rows = wordOf(memory, instruction, CountWord::tasks);
  const uint32_t rowsPerStep = wordOf(memory, instruction, CountWord::tasksPerStep);
  const uint32_t height = wordOf(memory, instruction, CountWord::height);
  const uint32_t runCount = wordOf(memory, instruction, CountWord::runCount);
  const uint8_t* runs = at(memory, instruction, CountWord::runs);
  const uint32_t columnClasses = wordOf(memory, instruction, CountWord::columnClassCount);
  const uint32_t classCount = wordOf(memory, instruction, CountWord::classCount);
  const uint8_t* rowClasses = at(memory, instruction, CountWord::rowClasses);
  uint8_t* counters = at(memory, instruction, CountWord::output);
  const size_t rowBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::width)) * wordOf(memory, instruction, CountWord::words) * 4;
  const uint32_t first = claimStart(rows, from);
  const uint32_t last = claimStart(rows, until);
  if (first >= last) return;
  uint8_t* allSums = memory + scratch;
  memset(allSums, 0, static_cast<size_t>(classCount) * 8);
  const uint8_t* words = at(memory, instruction, CountWord::input) + first * rowBytes;
  size_t step = first / rowsPerStep;
  uint32_t y = first % height;
  for (uint32_t row = first; row < last; row++) {
    if (row >= (step + 1) * rowsPerStep) {
      flush(allSums, counters + step * classCount * 8, classCount);
      step++;
    }
    uint8_t* sums = allSums + static_cast<size_t>(load32(rowClasses + y * 4)) * columnClasses * 8;
    for (uint32_t run = 0; run < runCount; run++) {
      const uint32_t count = load32(runs + run * 8 + 4);
      uint8_t* sum = sums + static_cast<size_t>(load32(runs + run * 8)) * 8;
      store64(sum, load64(sum) + bitsOfWords(words, count));
      words += static_cast<size_t>(count) * 4;
    }
    if (++y == height) y = 0;
  }
  flush(allSums, counters + step * classCount * 8, classCount);
}

/** Spikes of one word of the listed positions (at most 255, so that a byte can hold each channel's count), each times the weight of its channel. */
static uint64_t weighed(const uint8_t* input, size_t stride, const uint8_t* positions, uint32_t count, const uint8_t* weights) {
  typedef uint8_t Counts __attribute__((vector_size(32)));
  typedef int8_t Masks __attribute__((vector_size(32)));
  Counts selectors;
  for (int channel = 0; channel < 32; channel++) selectors[channel] = static_cast<uint8_t>(1 << (channel & 7));
  Counts counts = {};
  for (uint32_t index = 0; index < count; index++) {
    const uint32_t word = load32(input + load32(positions + index * 4) * stride);
#if defined(__AVX2__)
    const __m256i order = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const Counts bytes = (Counts)_mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(word)), order);
#else
    Counts bytes;
    for (int channel = 0; channel < 32; channel++) bytes[channel] = static_cast<uint8_t>(word >> (channel & 24));
#endif
    // All ones are −1.
    counts -= (Counts)(Masks)((bytes & selectors) == selectors);
  }
  uint64_t sum = 0;
  for (int channel = 0; channel < 32; channel++) sum += counts[channel] * static_cast<uint64_t>(load32(weights + channel * 4));
  return sum;
}

/** counter += the sum of all spikes, each times the weight of its class of positions and its channel; cut by images and listed words. */
void weighSpikes(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t listed = wordOf(memory, instruction, CountWord::listedWordCount);
  const uint8_t* listedWords = at(memory, instruction, CountWord::listedWords);
  const uint32_t classCount = wordOf(memory, instruction, CountWord::classCount);
  const uint8_t* classEnds = at(memory, instruction, CountWord::classEnds);
  const uint8_t* positions = at(memory, instruction, CountWord::positions);
  const uint8_t* weights = at(memory, instruction, CountWord::weights);
  const size_t stride = static_cast<size_t>(wordOf(memory, instruction, CountWord::words)) * 4;
  const size_t imageBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::height)) * wordOf(memory, instruction, CountWord::width) * stride;
  const uint8_t* input = at(memory, instruction, CountWord::input);
  const uint32_t tasks = wordOf(memory, instruction, CountWord::tasks) * listed;
  const uint32_t last = claimStart(tasks, until);
  uint64_t sum = 0;
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint32_t index = task % listed;
    const uint8_t* words = input + (task / listed) * imageBytes + load32(listedWords + index * 4) * 4;
    const uint8_t* weightsOfClass = weights + static_cast<size_t>(index) * classCount * 128;
    uint32_t position = 0;
    for (uint32_t kind = 0; kind < classCount; kind++) {
      const uint32_t end = load32(classEnds + kind * 4);
      while (position < end) {
        const uint32_t count = smaller(255, end - position);
        sum += weighed(words, stride, positions + static_cast<size_t>(position) * 4, count, weightsOfClass);
        position += count;
      }
      weightsOfClass += 128;
    }
  }
  addToCounter(at(memory, instruction, CountWord::output), sum);
}

/** Set bits from channel `first` to before `end` of a position's words. */
SPIKEFORMER_INLINE uint32_t bitsBetween(const uint8_t* words, uint32_t first, uint32_t end) {
  uint32_t count = 0;
  while (first < end) {
    const uint32_t available = smaller(32 - (first & 31), end - first);
    uint32_t word = load32(words + (first >> 5) * 4) >> (first & 31);
    if (available < 32) word &= (1u << available) - 1;
    count += static_cast<uint32_t>(__builtin_popcount(word));
    first += available;
  }
  return count;
}

/** counters[t] += the sum, over tokens and heads, of the spikes of the one times the spikes of the other; cut by tokens. */
void countCoincidences(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t tokens = wordOf(memory, instruction, CountWord::tasks);
  const uint32_t perStep = wordOf(memory, instruction, CountWord::tasksPerStep);
  const uint32_t heads = wordOf(memory, instruction, CountWord::heads);
  const uint32_t width = wordOf(memory, instruction, CountWord::channels) / heads;
  const size_t tokenBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::words)) * 4;
  uint8_t* counters = at(memory, instruction, CountWord::output);
  const uint32_t first = claimStart(tokens, from);
  const uint32_t last = claimStart(tokens, until);
  const uint8_t* one = at(memory, instruction, CountWord::input) + first * tokenBytes;
  const uint8_t* other = at(memory, instruction, CountWord::second) + first * tokenBytes;
  size_t step = first / perStep;
  uint64_t sum = 0;
  for (uint32_t token = first; token < last; token++) {
    if (token >= (step + 1) * perStep) {
      addToCounter(counters + step * 8, sum);
      sum = 0;
      step++;
    }
    for (uint32_t channel = 0; channel < heads * width; channel += width) {
      const uint64_t spikes = bitsBetween(one, channel, channel + width);
      if (spikes != 0) sum += spikes * bitsBetween(other, channel, channel + width);
    }
    one += tokenBytes;
    other += tokenBytes;
  }
  addToCounter(counters + step * 8, sum);
}

/** Four words whose window begins at `source`; the first is word `word` of its position. */
SPIKEFORMER_INLINE WordsOf<4> reachedFour(Bytes memory, uint32_t instruction, const uint8_t* source, size_t paddedBytes, uint32_t word) {
  const uint32_t kernelHeight = wordOf(memory, instruction, CountWord::kernelHeight);
  const uint32_t kernelWidth = wordOf(memory, instruction, CountWord::kernelWidth);
  const size_t pixelBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::words)) * 4;
  const size_t maskBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::maskStride)) * 4;
  const uint8_t* masks = at(memory, instruction, CountWord::masks) + word * 4;
  WordsOf<4> reached = {};
  for (uint32_t y = 0; y < kernelHeight; y++) {
    const uint8_t* pixel = source;
    for (uint32_t x = 0; x < kernelWidth; x++) {
      reached |= load<WordsOf<4>>(pixel) & load<WordsOf<4>>(masks);
      pixel += pixelBytes;
      masks += maskBytes;
    }
    source += paddedBytes;
  }
  return reached;
}

static void reachRow(Bytes memory, uint32_t instruction, const uint8_t* padded, size_t paddedBytes, uint8_t* output) {
  const uint32_t words = wordOf(memory, instruction, CountWord::words);
  const uint32_t stride = wordOf(memory, instruction, CountWord::strideWidth);
  const uint32_t total = wordOf(memory, instruction, CountWord::outputWidth) * words;
  uint32_t index = 0;
  if (stride == 1) {
    for (; index + 4 <= total; index += 4) store(output + index * 4, reachedFour(memory, instruction, padded + index * 4, paddedBytes, index % words));
  }
  for (; index < total; index++) {
    const uint8_t* source = padded + static_cast<size_t>((index / words) * stride * words + index % words) * 4;
    store32(output + index * 4, reachedFour(memory, instruction, source, paddedBytes, index % words)[0]);
  }
}

/**
 * Marks where a depthwise convolution has a spike under a weight; cut by rows of the output. The rows under the kernel are copied between zeros first, so that the loop over taps
 * has no borders.
 */
void reachSpikes(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t outputHeight = wordOf(memory, instruction, CountWord::outputHeight);
  const uint32_t words = wordOf(memory, instruction, CountWord::words);
  const uint32_t height = wordOf(memory, instruction, CountWord::height);
  const uint32_t kernelHeight = wordOf(memory, instruction, CountWord::kernelHeight);
  const uint32_t strideHeight = wordOf(memory, instruction, CountWord::strideHeight);
  const uint32_t paddingHeight = wordOf(memory, instruction, CountWord::paddingHeight);
  const size_t paddingBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::paddingWidth)) * words * 4;
  const size_t rowBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::width)) * words * 4;
  const size_t paddedBytes = rowBytes + 2 * paddingBytes;
  const size_t outputRowBytes = static_cast<size_t>(wordOf(memory, instruction, CountWord::outputWidth)) * words * 4;
  const uint8_t* input = at(memory, instruction, CountWord::input);
  const uint32_t rows = wordOf(memory, instruction, CountWord::tasks) * outputHeight;
  const uint32_t first = claimStart(rows, from);
  const uint32_t last = claimStart(rows, until);
  uint8_t* output = at(memory, instruction, CountWord::output) + first * outputRowBytes;
  uint8_t* padded = memory + scratch;
  // Beyond the last row lie four words that a vector may reach.
  memset(padded, 0, kernelHeight * paddedBytes + 16);
  for (uint32_t row = first; row < last; row++) {
    const uint8_t* image = input + static_cast<size_t>(row / outputHeight) * height * rowBytes;
    uint8_t* target = padded + paddingBytes;
    for (uint32_t tapY = 0; tapY < kernelHeight; tapY++) {
      // A negative row is a huge unsigned one.
      const uint32_t y = (row % outputHeight) * strideHeight + tapY - paddingHeight;
      if (y >= height) memset(target, 0, rowBytes);
      else memcpy(target, image + y * rowBytes, rowBytes);
      target += paddedBytes;
    }
    reachRow(memory, instruction, padded, paddedBytes, output);
    output += outputRowBytes;
  }
}

/** Marks the numbers that are not zero, packed as spikes are; cut by positions of all images. */
void markNonZero(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t images = wordOf(memory, instruction, CountWord::tasks);
  const uint32_t positions = images * wordOf(memory, instruction, CountWord::height) * wordOf(memory, instruction, CountWord::width);
  const uint32_t channels = wordOf(memory, instruction, CountWord::channels);
  const uint32_t words = wordOf(memory, instruction, CountWord::words);
  const uint32_t first = claimStart(positions, from);
  const uint32_t last = claimStart(positions, until);
  const uint8_t* input = at(memory, instruction, CountWord::input) + static_cast<size_t>(first) * channels * 4;
  uint8_t* output = at(memory, instruction, CountWord::output) + static_cast<size_t>(first) * words * 4;
  for (uint32_t position = first; position < last; position++) {
    for (uint32_t channel = 0; channel < channels; channel += 32) {
      const uint32_t end = smaller(32, channels - channel);
      uint32_t word = 0;
      for (uint32_t bit = 0; bit < end; bit++) {
        word |= static_cast<uint32_t>(loadFloat(input) != 0) << bit;
        input += 4;
      }
      store32(output, word);
      output += 4;
    }
  }
}

}  // namespace SPIKEFORMER_ISA
