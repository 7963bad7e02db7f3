/**
 * Gradient of a spike-fed convolution of stride 1 with respect to its weights, the twin of `kernels/trainingSpikeWeightGradient.ts`, which says how it works. Every sum is made in the
 * same order, so the results are the same bits; the lists of four input channels are gone through together, because one alone waits for
 * its sums.
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

/** Pixels whose gradients are fetched before they are needed: the hardware does not do it for a reader that skips other chunks. */
constexpr size_t pixelsAhead = 12;

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
        const uint8_t* source = gradient + (start + x) * pixelBytes;
        for (size_t pixel = pixelsAhead; pixel < pixelsAhead + 4; pixel++) {
          for (uint32_t byte = 0; byte < units.rowBytes; byte += 64) __builtin_prefetch(source + pixel * pixelBytes + byte);
        }
        fillSelections(source, pixelBytes, smaller(4, pixels - x), target, units.width, count);
        target += groupBytes;
      }
      memset(target, 0, static_cast<size_t>(end - target));
      target = end;
    }
    memset(target, 0, marginBytes);
    target += marginBytes;
  }
}

/** Lists that are gone through together. */
constexpr uint32_t listsTogether = 4;

/**
 * Puts the lists of a kernel column in an order of falling length and fills each up to the longest of its four with the row of zeros at `zeros`: a loop then serves four lists, ends for
 * all of them at once, and after about as many turns as the one before.
 */
static void balanceLists(Bytes memory, uint8_t* ends, uint8_t* order, uint32_t lists, uint32_t listBytes, uint32_t channels, uint32_t zeros) {
  constexpr uint32_t buckets = 256;
  uint32_t starts[buckets] = {};
  const auto bucketOf = [&](uint32_t channel) {
    const uint32_t length = (load32(ends + channel * 4) - (lists + channel * listBytes)) >> 2;
    return buckets - 1 - smaller(length, buckets - 1);
  };
  for (uint32_t channel = 0; channel < channels; channel++) starts[bucketOf(channel)]++;
  uint32_t before = 0;
  for (uint32_t bucket = 0; bucket < buckets; bucket++) {
    const uint32_t count = starts[bucket];
    starts[bucket] = before;
    before += count;
  }
  for (uint32_t channel = 0; channel < channels; channel++) store32(order + starts[bucketOf(channel)]++ * 4, channel);
  for (uint32_t first = 0; first + listsTogether <= channels; first += listsTogether) {
    uint32_t longest = 0;
    for (uint32_t index = first; index < first + listsTogether; index++) {
      const uint32_t channel = load32(order + index * 4);
      longest = larger(longest, load32(ends + channel * 4) - (lists + channel * listBytes));
    }
    for (uint32_t index = first; index < first + listsTogether; index++) {
      const uint32_t channel = load32(order + index * 4);
      const uint32_t end = lists + channel * listBytes + longest;
      for (uint32_t entry = load32(ends + channel * 4); entry < end; entry += 4) store32(memory + entry, zeros);
      store32(ends + channel * 4, end);
    }
  }
}

/** Sums of a tap of one chunk: where the table, the lists and the results of input channels are. */
struct Tap {
  const uint8_t* tables;
  const uint8_t* ends;
  const uint8_t* order;
  uint32_t lists;
  uint32_t listBytes;
  uint8_t* target;
  size_t targetBytes;
  bool add;
};

/** The sums of `together` lists of one length, `width` output channels from `first` on. `order` says which channels. */
template <int width, int together>
SPIKEFORMER_INLINE void sumLists(Bytes memory, const Tap& tap, uint32_t first, const uint8_t* order) {
  Row<width> sums[together];
  const uint8_t* lists[together];
  const uint8_t* tables = tap.tables + first * 4;
  for (int index = 0; index < together; index++) {
    sums[index].clear();
    lists[index] = memory + tap.lists + load32(order + index * 4) * tap.listBytes;
  }
  const size_t length = static_cast<size_t>(memory + load32(tap.ends + load32(order) * 4) - lists[0]);
  for (size_t entry = 0; entry < length; entry += 4) {
    for (int index = 0; index < together; index++) sums[index].add(tables + load32(lists[index] + entry));
  }
  for (int index = 0; index < together; index++) {
    uint8_t* target = tap.target + load32(order + index * 4) * tap.targetBytes + first * 4;
    if (tap.add) sums[index].add(target);
    sums[index].store(target);
  }
}

template <int width>
SPIKEFORMER_LOOP void sumChannels(Bytes memory, const Tap& tap, uint32_t first, uint32_t channels) {
  // As many as the registers hold.
  constexpr int together = lanes < 8 && width > 8 ? 2 : static_cast<int>(listsTogether);
  uint32_t index = 0;
  for (; index + listsTogether <= channels; index += listsTogether) {
    for (int more = 0; more < static_cast<int>(listsTogether); more += together) sumLists<width, together>(memory, tap, first, tap.order + (index + more) * 4);
  }
  for (; index < channels; index++) sumLists<width, 1>(memory, tap, first, tap.order + index * 4);
}

/** The sums of all input channels, cut as wasm cuts them: other lanes of a row are never written. */
static void sumTap(Bytes memory, const Tap& tap, uint32_t channels, uint32_t numbers) {
  uint32_t done = 0;
  while (done < numbers) {
    const uint32_t left = numbers - done;
    if (left > 20) {
      sumChannels<24>(memory, tap, done, channels);
      done += 24;
    } else if (left > 12) {
      sumChannels<16>(memory, tap, done, channels);
      done += 16;
    } else if (left > 4) {
      sumChannels<8>(memory, tap, done, channels);
      done += 8;
    } else {
      sumChannels<4>(memory, tap, done, channels);
      done += 4;
    }
  }
}

/**
 * `output` is the output's gradient. Tasks are (part of the blocks of units, chunk of output channels). Scratch: the lists' ends, their order, a row of words, lists, tables
 * with rows of zeros behind them. Sums: `[part][chunk][tap, input channel][width]`.
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
  uint8_t* orders = ends + static_cast<size_t>(units.kernelWidth) * units.inputs * 4;
  uint8_t* words = ends + wordOf(memory, instruction, Extra::startBytes);
  const uint32_t lists = scratch + wordOf(memory, instruction, Extra::startBytes) + wordOf(memory, instruction, Extra::wordBytes);
  uint8_t* tables = memory + ((lists + units.kernelWidth * units.inputs * units.listBytes + 63) & ~63u);
  const uint32_t tableRows = units.marginRows + unitsPerBlock * (units.unitRows + units.marginRows);
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
      // Every tap finds zeros where it looks for this row, behind the tables.
      const uint32_t zeros = (tableRows + units.kernelHeight - 1) * units.tableRowBytes;
      for (uint32_t tapY = 0; tapY < units.kernelHeight; tapY++) memset(tables + zeros - tapY * units.tableRowBytes, 0, units.rowBytes);
      for (uint32_t tapX = 0; tapX < units.kernelWidth; tapX++) {
        const uint32_t index = tapX * units.inputs;
        balanceLists(memory, ends + index * 4, orders + index * 4, lists + index * units.listBytes, units.listBytes, units.inputs, zeros);
      }
      for (uint32_t chunk = firstChunk; chunk < lastChunk; chunk++) {
        buildTables(memory, instruction, units, tables, first, last, chunk * units.width);
        // Lanes beyond the last output channel are summed with the rest of their vector.
        const uint32_t numbers = smaller(units.width, (units.outputs - chunk * units.width + 3) & ~3u);
        uint8_t* target = packed + part * partBytes + chunk * chunkBytes;
        for (uint32_t tapY = 0; tapY < units.kernelHeight; tapY++) {
          const uint8_t* rows = tables - static_cast<size_t>(tapY) * units.tableRowBytes;
          for (uint32_t tapX = 0; tapX < units.kernelWidth; tapX++) {
            const uint32_t index = tapX * units.inputs;
            const Tap tap = {rows, ends + index * 4, orders + index * 4, lists + index * units.listBytes, units.listBytes, target, units.rowBytes, block > firstBlock};
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
