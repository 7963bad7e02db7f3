/**
 * Gradient of a spike-fed convolution of stride 1 with respect to its weights, the twin of `kernels/trainingSpikeWeightGradient.ts`, which says how it works. Every sum is made in the
 * same order, so the results are the same bits; the lists of some input channels are gone through together, because one alone waits for its sums.
 */
#include "vector.h"
#include "training.h"

namespace SPIKEFORMER_ISA {

/** Selections of four spikes that are not empty. */
constexpr uint32_t selections = 15;

/** Rows of output positions, cut into units with rows of zeros between them. */
struct Units {
  uint32_t inputHeight;
  uint32_t inputWidth;
  uint32_t inputs;
  uint32_t outputHeight;
  uint32_t outputWidth;
  uint32_t outputs;
  uint32_t kernelHeight;
  uint32_t kernelWidth;
  uint32_t paddingHeight;
  uint32_t paddingWidth;
  uint32_t unitRows;
  uint32_t unitsPerImage;
  uint32_t marginRows;
  uint32_t inputPixels;
  uint32_t outputPixels;
  /** Of a chunk of output channels, and of its sums for one selection. */
  uint32_t width;
  uint32_t rowBytes;
  /** Groups of four neighbouring positions. */
  uint32_t groups;
  uint32_t tableRowBytes;
  uint32_t listBytes;
};

SPIKEFORMER_INLINE Units unitsOf(Bytes memory, uint32_t instruction) {
  namespace Word = ConvolutionWord;
  namespace Extra = TrainingConvolutionWord;
  const auto word = [&](uint32_t index) { return wordOf(memory, instruction, index); };
  const uint32_t groups = (word(Word::outputWidth) + 3) >> 2;
  const uint32_t rowBytes = word(Extra::width) * 4;
  return {
      word(Word::inputHeight),   word(Word::inputWidth),    word(Word::inputChannels), word(Word::outputHeight),  word(Word::outputWidth),
      word(Word::outputChannels), word(Word::kernelHeight), word(Word::kernelWidth),   word(Word::paddingHeight), word(Word::paddingWidth),
      word(Extra::unitRows),     word(Extra::unitsPerImage), word(Extra::marginRows),  word(Extra::inputPixels),  word(Extra::outputPixels),
      word(Extra::width),        rowBytes,                   groups,                   groups * selections * rowBytes, word(Extra::listBytes),
  };
}

/** Copies a row of one word of spikes, zeros around it: `before` pixels in front, `total` in all. */
static void copyWords(const uint8_t* source, size_t pixelBytes, uint32_t pixels, uint8_t* target, uint32_t before, uint32_t total) {
  memset(target, 0, static_cast<size_t>(total) * 4);
  target += before * 4;
  for (uint32_t pixel = 0; pixel < pixels; pixel++) store32(target + pixel * 4, load32(source + pixel * pixelBytes));
}

/** Appends a selection to a list, if it is not empty, and says where the list ends then. What is written too much is overwritten by the next. */
SPIKEFORMER_INLINE uint32_t append(Bytes memory, uint32_t end, uint32_t selection, uint32_t base, uint32_t rowBytes) {
  store32(memory + end, base + selection * rowBytes);
  return end + (selection != 0 ? 4 : 0);
}

/** Appends an entry to the lists of up to 32 channels for every group of four pixels in which they fire: the group's offset in the tables plus the row of the selection. */
SPIKEFORMER_LOOP void listRow(Bytes memory, const uint8_t* words, uint32_t groups, uint32_t channels, uint8_t* ends, uint32_t base, uint32_t rowBytes) {
  const uint32_t groupBytes = selections * rowBytes;
  uint32_t group = 0;
  // Channels go from the highest down, the next one's bits being moved to the signs.
#if defined(__AVX2__)
  for (; group + 2 <= groups; group += 2) {
    const __m256i pixels = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + group * 16));
    if (!_mm256_testz_si256(pixels, pixels)) {
      __m256i bits = _mm256_sll_epi32(pixels, _mm_cvtsi32_si128(static_cast<int>(32 - channels)));
      for (uint32_t channel = channels; channel-- > 0;) {
        const uint32_t both = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(bits)));
        const uint32_t end = append(memory, load32(ends + channel * 4), both & 15, base, rowBytes);
        store32(ends + channel * 4, append(memory, end, both >> 4, base + groupBytes, rowBytes));
        bits = _mm256_add_epi32(bits, bits);
      }
    }
    base += 2 * groupBytes;
  }
#endif
  for (; group < groups; group++) {
    const WordsOf<4> pixels = load<WordsOf<4>>(words + group * 16);
    if (bitsOf<4>((IntsOf<4>)(pixels != 0)) != 0) {
      WordsOf<4> bits = pixels << (32 - channels);
      for (uint32_t channel = channels; channel-- > 0;) {
        const uint32_t selection = bitsOf<4>((IntsOf<4>)bits);
        store32(ends + channel * 4, append(memory, load32(ends + channel * 4), selection, base, rowBytes));
        bits += bits;
      }
    }
    base += groupBytes;
  }
}

/** Builds the lists of units [first, last), a list for each column of the kernel and input channel; `ends` says where they end. */
static void buildLists(Bytes memory, uint32_t instruction, const Units& units, uint8_t* ends, uint8_t* words, uint32_t lists, uint32_t first, uint32_t last) {
  const uint8_t* input = at(memory, instruction, ConvolutionWord::input);
  const size_t pixelBytes = static_cast<size_t>((units.inputs + 31) >> 5) * 4;
  const uint32_t wordCount = larger(units.groups * 4 + units.kernelWidth, units.paddingWidth + units.inputWidth);
  const uint32_t count = units.kernelWidth * units.inputs;
  for (uint32_t index = 0; index < count; index++) store32(ends + index * 4, lists + index * units.listBytes);
  for (uint32_t unit = first; unit < last; unit++) {
    const uint32_t image = unit / units.unitsPerImage;
    const uint32_t top = (unit % units.unitsPerImage) * units.unitRows;
    const uint32_t reach = smaller(units.unitRows, units.outputHeight - top) + units.kernelHeight - 1;
    const uint32_t tableRow = units.marginRows + (unit - first) * (units.unitRows + units.marginRows);
    for (uint32_t row = 0; row < reach; row++) {
      // A negative coordinate is a huge unsigned one.
      const uint32_t y = top + row - units.paddingHeight;
      if (y >= units.inputHeight) continue;
      const uint32_t start = (image * units.inputHeight + y) * units.inputWidth;
      if (start >= units.inputPixels) continue;
      // Selection 0 is never listed, so the first row of a group is that of selection 1.
      const uint32_t base = (tableRow + row) * units.tableRowBytes - units.rowBytes;
      for (uint32_t channel = 0; channel < units.inputs; channel += 32) {
        const uint8_t* source = input + start * pixelBytes + (channel >> 3);
        copyWords(source, pixelBytes, smaller(units.inputWidth, units.inputPixels - start), words, units.paddingWidth, wordCount);
        for (uint32_t tap = 0; tap < units.kernelWidth; tap++) {
          uint8_t* target = ends + (tap * units.inputs + channel) * 4;
          listRow(memory, words + tap * 4, units.groups, smaller(32, units.inputs - channel), target, base, units.rowBytes);
        }
      }
    }
  }
}

/** The fifteen sums of four rows of the gradient, `width` numbers each, of which `count` exist. The last `4 - present` rows are zeros. */
SPIKEFORMER_LOOP void fillSelections(const uint8_t* row, size_t pixelBytes, uint32_t present, uint8_t* table, uint32_t width, uint32_t count) {
  const size_t rowBytes = static_cast<size_t>(width) * 4;
  inWidths(width, [&](auto tag, uint32_t channel) {
    constexpr int numbers = decltype(tag)::width;
    typedef FloatsOf<numbers> Sums;
    const uint8_t* source = row + channel * 4;
    const uint32_t left = channel < count ? count - channel : 0;
    const Sums value0 = loadSome<numbers>(source, left);
    const Sums value1 = present > 1 ? loadSome<numbers>(source + pixelBytes, left) : Sums{};
    const Sums value2 = present > 2 ? loadSome<numbers>(source + pixelBytes * 2, left) : Sums{};
    const Sums value3 = present > 3 ? loadSome<numbers>(source + pixelBytes * 3, left) : Sums{};
    const Sums sum3 = value0 + value1;
    const Sums sum5 = value0 + value2;
    const Sums sum6 = value1 + value2;
    const Sums sum7 = sum3 + value2;
    uint8_t* target = table + channel * 4;
    store(target, value0);
    store(target + rowBytes, value1);
    store(target + rowBytes * 2, sum3);
    store(target + rowBytes * 3, value2);
    store(target + rowBytes * 4, sum5);
    store(target + rowBytes * 5, sum6);
    store(target + rowBytes * 6, sum7);
    store(target + rowBytes * 7, value3);
    store(target + rowBytes * 8, value0 + value3);
    store(target + rowBytes * 9, value1 + value3);
    store(target + rowBytes * 10, sum3 + value3);
    store(target + rowBytes * 11, value2 + value3);
    store(target + rowBytes * 12, sum5 + value3);
    store(target + rowBytes * 13, sum6 + value3);
    store(target + rowBytes * 14, sum7 + value3);
  });
}

/** Builds the tables of one chunk of output channels for units [first, last). */
static void buildTables(Bytes memory, uint32_t instruction, const Units& units, uint8_t* tables, uint32_t first, uint32_t last, uint32_t firstChannel) {
  const uint8_t* gradient = at(memory, instruction, ConvolutionWord::output) + firstChannel * 4;
  const uint32_t count = smaller(units.width, units.outputs - firstChannel);
  const size_t groupBytes = static_cast<size_t>(selections) * units.rowBytes;
  const size_t pixelBytes = static_cast<size_t>(units.outputs) * 4;
  const size_t marginBytes = static_cast<size_t>(units.marginRows) * units.tableRowBytes;
  memset(tables, 0, marginBytes);
  uint8_t* target = tables + marginBytes;
  for (uint32_t unit = first; unit < last; unit++) {
    const uint32_t image = unit / units.unitsPerImage;
    const uint32_t top = (unit % units.unitsPerImage) * units.unitRows;
    for (uint32_t row = top; row < top + units.unitRows; row++) {
      const uint32_t start = (image * units.outputHeight + row) * units.outputWidth;
      const bool exists = row < units.outputHeight && start < units.outputPixels;
      const uint32_t pixels = exists ? smaller(units.outputWidth, units.outputPixels - start) : 0;
      uint8_t* end = target + units.tableRowBytes;
      for (uint32_t x = 0; x < pixels; x += 4) {
        fillSelections(gradient + (start + x) * pixelBytes, pixelBytes, smaller(4, pixels - x), target, units.width, count);
        target += groupBytes;
      }
      memset(target, 0, static_cast<size_t>(end - target));
      target = end;
    }
    memset(target, 0, marginBytes);
    target += marginBytes;
  }
}

/** Sums of a tap of one chunk: where the table, the lists and the results of input channels are. */
struct Tap {
  const uint8_t* tables;
  const uint8_t* ends;
  uint32_t lists;
  uint32_t listBytes;
  uint8_t* target;
  size_t targetBytes;
  bool add;
};

/** The sums of `together` lists, `width` output channels from `first` on. */
template <int width, int together>
SPIKEFORMER_INLINE void sumLists(Bytes memory, const Tap& tap, uint32_t first, uint32_t channel) {
  Row<width> sums[together];
  for (int index = 0; index < together; index++) sums[index] = Row<width>{};
  const uint8_t* tables = tap.tables + first * 4;
  const uint8_t* lists[together];
  const uint8_t* ends[together];
  size_t shortest = SIZE_MAX;
  for (int index = 0; index < together; index++) {
    lists[index] = memory + tap.lists + (channel + index) * tap.listBytes;
    ends[index] = memory + load32(tap.ends + (channel + index) * 4);
    const size_t length = static_cast<size_t>(ends[index] - lists[index]);
    if (length < shortest) shortest = length;
  }
  for (size_t entry = 0; entry < shortest; entry += 4) {
    for (int index = 0; index < together; index++) sums[index].add(tables + load32(lists[index] + entry));
  }
  for (int index = 0; index < together; index++) {
    Row<width> sum = sums[index];
    for (const uint8_t* entry = lists[index] + shortest; entry < ends[index]; entry += 4) sum.add(tables + load32(entry));
    uint8_t* target = tap.target + (channel + index) * tap.targetBytes + first * 4;
    if (tap.add) sum.add(target);
    sum.store(target);
  }
}

template <int width, int together>
SPIKEFORMER_LOOP void sumChannels(Bytes memory, const Tap& tap, uint32_t first, uint32_t channels) {
  uint32_t channel = 0;
  for (; channel + together <= channels; channel += together) sumLists<width, together>(memory, tap, first, channel);
  for (; channel < channels; channel++) sumLists<width, 1>(memory, tap, first, channel);
}

/** The sums of all input channels, cut as wasm cuts them: other lanes of a row are never written. */
static void sumTap(Bytes memory, const Tap& tap, uint32_t channels, uint32_t numbers) {
  uint32_t done = 0;
  while (done < numbers) {
    const uint32_t left = numbers - done;
    if (left > 20) {
      sumChannels<24, 2>(memory, tap, done, channels);
      done += 24;
    } else if (left > 12) {
      sumChannels<16, 3>(memory, tap, done, channels);
      done += 16;
    } else if (left > 4) {
      sumChannels<8, 4>(memory, tap, done, channels);
      done += 8;
    } else {
      sumChannels<4, 4>(memory, tap, done, channels);
      done += 4;
    }
  }
}

/**
 * `output` is the output's gradient. Tasks are (part of the blocks of units, chunk of output channels). Scratch: the lists' ends, a row of words, lists, tables.
 * Sums: `[part][chunk][tap, input channel][width]`.
 */
void spikeWeightGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  namespace Extra = TrainingConvolutionWord;
  const Units units = unitsOf(memory, instruction);
  const uint32_t unitsPerBlock = wordOf(memory, instruction, Extra::unitsPerBlock);
  const Bytes packed = at(memory, instruction, Extra::packed);
  const uint32_t parts = wordOf(memory, instruction, Extra::parts);
  const size_t partBytes = wordOf(memory, instruction, Extra::partBytes);
  const size_t chunkBytes = wordOf(memory, instruction, Extra::chunkBytes);
  const uint32_t count = wordOf(memory, instruction, ConvolutionWord::images) * units.unitsPerImage;
  const uint32_t blocks = (count + unitsPerBlock - 1) / unitsPerBlock;
  const uint32_t chunks = (units.outputs + units.width - 1) / units.width;
  uint8_t* ends = memory + scratch;
  uint8_t* words = ends + wordOf(memory, instruction, Extra::startBytes);
  const uint32_t lists = scratch + wordOf(memory, instruction, Extra::startBytes) + wordOf(memory, instruction, Extra::wordBytes);
  uint8_t* tables = memory + ((lists + units.kernelWidth * units.inputs * units.listBytes + 63) & ~63u);
  const uint32_t end = claimStart(parts * chunks, until);
  uint32_t task = claimStart(parts * chunks, from);
  while (task < end) {
    const uint32_t part = task / chunks;
    const uint32_t firstChunk = task - part * chunks;
    const uint32_t lastChunk = smaller(chunks, firstChunk + end - task);
    const uint32_t firstBlock = shareStart(blocks, part, parts);
    const uint32_t lastBlock = shareStart(blocks, part + 1, parts);
    for (uint32_t block = firstBlock; block < lastBlock; block++) {
      const uint32_t first = block * unitsPerBlock;
      const uint32_t last = smaller(count, first + unitsPerBlock);
      buildLists(memory, instruction, units, ends, words, lists, first, last);
      for (uint32_t chunk = firstChunk; chunk < lastChunk; chunk++) {
        buildTables(memory, instruction, units, tables, first, last, chunk * units.width);
        // Lanes beyond the last output channel are summed with the rest of their vector.
        const uint32_t numbers = smaller(units.width, (units.outputs - chunk * units.width + 3) & ~3u);
        uint8_t* target = packed + part * partBytes + chunk * chunkBytes;
        for (uint32_t tapY = 0; tapY < units.kernelHeight; tapY++) {
          const uint8_t* rows = tables - static_cast<size_t>(tapY) * units.tableRowBytes;
          for (uint32_t tapX = 0; tapX < units.kernelWidth; tapX++) {
            const uint32_t index = tapX * units.inputs;
            const Tap tap = {rows, ends + index * 4, lists + index * units.listBytes, units.listBytes, target, units.rowBytes, block > firstBlock};
            sumTap(memory, tap, units.inputs, numbers);
            target += static_cast<size_t>(units.inputs) * units.rowBytes;
          }
        }
      }
    }
    task += lastChunk - firstChunk;
  }
}

}  // namespace SPIKEFORMER_ISA
