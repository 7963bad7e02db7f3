/**
 * The first pass of the convolution on spikes, as `kernels/spikeLists.ts` has it: the spikes under every position's kernel become lists of row offsets, the same words at the
 * same addresses. A byte of spikes makes up to eight entries at once: where its set bits are stands in a table.
 */
#pragma once
#include "widths.h"
#include "spikeRows.h"

namespace SPIKEFORMER_ISA {

/** For each byte, the numbers of its set bits in rising order, zeros behind them. */
struct SetBits {
  uint8_t places[256][8];
  constexpr SetBits() : places() {
    for (int byte = 0; byte < 256; byte++) {
      int count = 0;
      for (int bit = 0; bit < 8; bit++) {
        if ((byte >> bit) & 1) places[byte][count++] = static_cast<uint8_t>(bit);
      }
    }
  }
};
static constexpr SetBits setBits;

/** Where a byte's set bits are, in rising order. */
SPIKEFORMER_INLINE WordsOf<8> placesOf(uint32_t byte) {
  const uint8_t* places = setBits.places[byte];
  // What the compiler makes of a conversion of vectors goes through scalars.
#if defined(__AVX2__)
  return (WordsOf<8>)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(places)));
#elif defined(__x86_64__)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(places));
  const __m128i halves[2] = {_mm_cvtepu8_epi32(bytes), _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 4))};
  WordsOf<8> both;
  memcpy(&both, halves, sizeof both);
  return both;
#else
  WordsOf<8> words;
  for (int lane = 0; lane < 8; lane++) words[lane] = places[lane];
  return words;
#endif
}

/** Appends one row per set bit. Always the whole word: a loop that ends with the last set bit is a branch that nobody can predict. `base`: the first bit's row. */
SPIKEFORMER_INLINE uint8_t* listSpikes(uint32_t word, uint8_t* list, WordsOf<8> base, uint32_t rowBytes) {
#if defined(__AVX512F__)
  const __m512i numbers = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i first = _mm512_set1_epi32(static_cast<int>(base[0]));
  const __m512i rows = _mm512_add_epi32(_mm512_mullo_epi32(numbers, _mm512_set1_epi32(static_cast<int>(rowBytes))), first);
  const __m512i next = _mm512_add_epi32(rows, _mm512_set1_epi32(static_cast<int>(rowBytes * 16)));
  _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(static_cast<__mmask16>(word), rows));
  list += __builtin_popcount(word & 0xffff) * 4;
  _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(static_cast<__mmask16>(word >> 16), next));
  return list + __builtin_popcount(word >> 16) * 4;
#else
  for (uint32_t byte = 0; byte < 4; byte++) {
    const uint32_t bits = (word >> (byte * 8)) & 255;
    store(list, placesOf(bits) * rowBytes + base);
    list += static_cast<size_t>(static_cast<uint32_t>(__builtin_popcount(bits))) * 4;
    base += rowBytes * 8;
  }
  return list;
#endif
}

/** Appends one row per nibble of a word that is not silent: a single row where one bit is set, a row of the tables where more are. */
SPIKEFORMER_INLINE uint8_t* listPatterns(uint32_t word, uint8_t* list, uint32_t singles, uint32_t tables, uint32_t rowBytes) {
#if defined(__AVX2__)
  const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const __m256i bytes = _mm256_set1_epi32(static_cast<int>(rowBytes));
  const __m256i nibbles =
      _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(word)), _mm256_slli_epi32(lane, 2)), _mm256_set1_epi32(15));
  const __m256i zero = _mm256_setzero_si256();
  const __m256i isSingle = _mm256_cmpeq_epi32(_mm256_and_si256(nibbles, _mm256_sub_epi32(nibbles, _mm256_set1_epi32(1))), zero);
  // Place among the single rows (patterns 1, 2, 4, 8) or among the others, in rising order.
  const __m256i placeOf = _mm256_broadcastsi128_si256(_mm_set_epi8(10, 9, 8, 7, 6, 5, 4, 3, 3, 2, 1, 2, 0, 1, 0, 0));
  const __m256i place = _mm256_shuffle_epi8(placeOf, nibbles);
  // In rows: 4 · lane single rows, 11 · lane rows of tables.
  const __m256i group = _mm256_blendv_epi8(_mm256_mullo_epi32(lane, _mm256_set1_epi32(patterns)), _mm256_slli_epi32(lane, 2), isSingle);
  const __m256i start = _mm256_blendv_epi8(_mm256_set1_epi32(static_cast<int>(tables)), _mm256_set1_epi32(static_cast<int>(singles)), isSingle);
  const __m256i rows = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_add_epi32(place, group), bytes), start);
  const uint32_t silent = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(nibbles, zero))));
  const uint32_t active = ~silent & 255;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(list), _mm256_permutevar8x32_epi32(rows, (__m256i)placesOf(active)));
  return list + __builtin_popcount(active) * 4;
#else
  static constexpr uint8_t placeOf[16] = {0, 0, 1, 0, 2, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10};
  for (uint32_t group = 0; group < 8; group++) {
    const uint32_t nibble = (word >> (group * 4)) & 15;
    const bool isSingle = (nibble & (nibble - 1)) == 0;
    store32(list, (placeOf[nibble] + group * (isSingle ? 4 : patterns)) * rowBytes + (isSingle ? singles : tables));
    list += nibble != 0 ? 4 : 0;
  }
  return list;
#endif
}

/**
 * Whether an image's lists use the tables. By the image's own firing rate, so that neither the number of threads nor the rest of the batch has a say in the order of its
 * sums. `modes` remembers: 0 unknown, 1 no, 2 yes.
 */
static bool usesTables(Bytes memory, uint32_t instruction, uint8_t* modes, uint32_t image) {
  using namespace ConvolutionWord;
  if (modes[image] != 0) return modes[image] == 2;
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const uint32_t pixels = wordOf(memory, instruction, inputHeight) * wordOf(memory, instruction, inputWidth);
  const uint32_t count = pixels * ((channels + 31) >> 5);
  const uint8_t* words = at(memory, instruction, input) + static_cast<size_t>(image) * count * 4;
  uint32_t spikes = 0;
  for (uint32_t index = 0; index < count; index++) spikes += static_cast<uint32_t>(__builtin_popcount(load32(words + index * 4)));
  const uint64_t least = static_cast<uint64_t>(pixels) * channels * wordOf(memory, instruction, tables);
  const bool dense = static_cast<uint64_t>(spikes) * 100 > least;
  modes[image] = dense ? 2 : 1;
  return dense;
}

/** Whether any image of positions [first, last) uses the tables. */
SPIKEFORMER_INLINE bool anyUsesTables(Bytes memory, uint32_t instruction, uint8_t* modes, uint32_t first, uint32_t last) {
  const uint32_t perImage = wordOf(memory, instruction, ConvolutionWord::outputHeight) * wordOf(memory, instruction, ConvolutionWord::outputWidth);
  bool result = false;
  for (uint32_t image = first / perImage; image <= (last - 1) / perImage; image++) {
    if (usesTables(memory, instruction, modes, image)) result = true;
  }
  return result;
}

/**
 * Lists the rows of pixels [first, last), counted over all images, for a kernel of one tap. `starts` receives, per pixel and part of its words, where its entries begin and
 * end. Returns the lists' end.
 */
SPIKEFORMER_LOOP uint8_t* listPixels(
    Bytes memory, uint32_t instruction, uint8_t* modes, uint8_t* starts, uint8_t* list, uint32_t first, uint32_t last, uint32_t wordsPerPart) {
  using namespace ConvolutionWord;
  const uint32_t channels = wordOf(memory, instruction, inputChannels);
  const uint32_t words = (channels + 31) >> 5;
  const uint32_t perImage = wordOf(memory, instruction, inputHeight) * wordOf(memory, instruction, inputWidth);
  const bool hasTables = wordOf(memory, instruction, tables) != 0;
  const uint32_t bytes = wordOf(memory, instruction, rowBytes);
  const uint8_t* source = at(memory, instruction, input) + static_cast<size_t>(first) * words * 4;
  for (uint32_t pixel = first; pixel < last;) {
    const uint32_t image = pixel / perImage;
    const uint32_t imageEnd = smaller(last, (image + 1) * perImage);
    const bool byPatterns = hasTables && usesTables(memory, instruction, modes, image);
    for (; pixel < imageEnd; pixel++) {
      uint32_t singles = 0;
      uint32_t multiples = channels * bytes;
      WordsOf<8> base = {};
      for (uint32_t firstWord = 0; firstWord < words; firstWord += wordsPerPart) {
        const uint32_t lastWord = smaller(words, firstWord + wordsPerPart);
        store32(starts, static_cast<uint32_t>(list - memory));
        for (uint32_t word = firstWord; word < lastWord; word++) {
          const uint32_t bits = load32(source);
          source += 4;
          if (bits != 0) list = byPatterns ? listPatterns(bits, list, singles, multiples, bytes) : listSpikes(bits, list, base, bytes);
          singles += 32 * bytes;
          base += 32 * bytes;
          multiples += 8 * patterns * bytes;
        }
        store32(starts + 4, static_cast<uint32_t>(list - memory));
        starts += 8;
      }
    }
  }
  return list;
}

/**
 * Makes the lists of positions [first, last) of one image from those of the pixels under their taps, `pixelStarts` being those of the image's rows from `firstRow` on.
 * `starts` and result as above.
 */
SPIKEFORMER_LOOP uint8_t* listPositions(
    Bytes memory, uint32_t instruction, uint8_t* starts, uint8_t* list, const uint8_t* pixelStarts, uint32_t firstRow, uint32_t first, uint32_t last,
    uint32_t tapsPerSegment, uint32_t parts) {
  using namespace ConvolutionWord;
  const uint32_t height = wordOf(memory, instruction, inputHeight);
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t widthOfOutput = wordOf(memory, instruction, outputWidth);
  const uint32_t widthOfKernel = wordOf(memory, instruction, kernelWidth);
  const uint32_t taps = wordOf(memory, instruction, kernelHeight) * widthOfKernel;
  const uint32_t rowStride = wordOf(memory, instruction, strideHeight);
  const uint32_t columnStride = wordOf(memory, instruction, strideWidth);
  const uint32_t bytesOfTap = wordOf(memory, instruction, tapBytes);
  // A negative coordinate is a huge unsigned one.
  uint32_t top = (first / widthOfOutput) * rowStride - wordOf(memory, instruction, paddingHeight);
  const uint32_t firstLeft = 0 - wordOf(memory, instruction, paddingWidth);
  uint32_t column = first % widthOfOutput;
  for (uint32_t position = first; position < last; position++) {
    const uint32_t left = column * columnStride + firstLeft;
    for (uint32_t firstTap = 0; firstTap < taps; firstTap += tapsPerSegment) {
      const uint32_t lastTap = smaller(taps, firstTap + tapsPerSegment);
      for (uint32_t part = 0; part < parts; part++) {
        store32(starts, static_cast<uint32_t>(list - memory));
        uint32_t tapY = firstTap / widthOfKernel;
        uint32_t tapX = firstTap - tapY * widthOfKernel;
        for (uint32_t tap = firstTap; tap < lastTap; tap++) {
          const uint32_t y = top + tapY;
          const uint32_t x = left + tapX;
          if (++tapX == widthOfKernel) {
            tapX = 0;
            tapY++;
          }
          if (y >= height || x >= width) continue;
          const uint8_t* source = pixelStarts + static_cast<size_t>(((y - firstRow) * width + x) * parts + part) * 8;
          const uint8_t* entries = memory + load32(source);
          const uint32_t byteLength = load32(source + 4) - load32(source);
          const uint32_t base = tap * bytesOfTap;
          // Sixteen entries at a time, what is too much being overwritten: the fewer rounds, the fewer of them come unexpected.
          for (uint32_t offset = 0; offset < byteLength; offset += 64) {
            const WordsOf<8> low = load<WordsOf<8>>(entries + offset) + base;
            const WordsOf<8> high = load<WordsOf<8>>(entries + offset + 32) + base;
            store(list + offset, low);
            store(list + offset + 32, high);
          }
          list += byteLength;
        }
        store32(starts + 4, static_cast<uint32_t>(list - memory));
        starts += 8;
      }
    }
    if (++column == widthOfOutput) {
      column = 0;
      top += rowStride;
    }
  }
  return list;
}

/** Lists the rows of positions [first, last), image by image, at `list`; returns the lists' end. */
static uint8_t* buildLists(
    Bytes memory, uint32_t instruction, uint8_t* modes, uint8_t* starts, uint8_t* pixelStarts, uint8_t* list, uint32_t first, uint32_t last, const Cut& cut) {
  using namespace ConvolutionWord;
  if (wordOf(memory, instruction, inPlace) != 0) return listPixels(memory, instruction, modes, starts, list, first, last, cut.wordsPerSegment);
  uint8_t* pixelLists = pixelStarts + wordOf(memory, instruction, pixelStartBytes);
  const int32_t height = static_cast<int32_t>(wordOf(memory, instruction, inputHeight));
  const uint32_t width = wordOf(memory, instruction, inputWidth);
  const uint32_t widthOfOutput = wordOf(memory, instruction, outputWidth);
  const uint32_t perImage = wordOf(memory, instruction, outputHeight) * widthOfOutput;
  const int32_t stride = static_cast<int32_t>(wordOf(memory, instruction, strideHeight));
  const int32_t padding = static_cast<int32_t>(wordOf(memory, instruction, paddingHeight));
  const int32_t heightOfKernel = static_cast<int32_t>(wordOf(memory, instruction, kernelHeight));
  const uint32_t words = (wordOf(memory, instruction, inputChannels) + 31) >> 5;
  const uint32_t parts = (words + cut.wordsPerSegment - 1) / cut.wordsPerSegment;
  while (first < last) {
    const uint32_t image = first / perImage;
    const uint32_t imageStart = image * perImage;
    const uint32_t imageEnd = smaller(last, imageStart + perImage);
    const int32_t top = static_cast<int32_t>((first - imageStart) / widthOfOutput) * stride - padding;
    const int32_t bottom = static_cast<int32_t>((imageEnd - 1 - imageStart) / widthOfOutput) * stride - padding + heightOfKernel;
    const int32_t clippedTop = top < height ? top : height;
    const int32_t firstRow = clippedTop > 0 ? clippedTop : 0;
    const int32_t clippedBottom = bottom < height ? bottom : height;
    const int32_t lastRow = clippedBottom > firstRow ? clippedBottom : firstRow;
    const uint32_t pixels = image * static_cast<uint32_t>(height) * width;
    listPixels(
        memory, instruction, modes, pixelStarts, pixelLists, pixels + static_cast<uint32_t>(firstRow) * width, pixels + static_cast<uint32_t>(lastRow) * width,
        cut.wordsPerSegment);
    list = listPositions(
        memory, instruction, starts, list, pixelStarts, static_cast<uint32_t>(firstRow), first - imageStart, imageEnd - imageStart, cut.tapsPerSegment, parts);
    starts += static_cast<size_t>(imageEnd - first) * cut.segments * 8;
    first = imageEnd;
  }
  return list;
}

}  // namespace SPIKEFORMER_ISA
