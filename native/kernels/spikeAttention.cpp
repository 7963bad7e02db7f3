/**
 * SDSA-3, `scale · Q (Kᵀ V)` per image and head, as in `kernels/attention.ts`: K and V become bit sets over the tokens, an entry of KᵀV is the population count of an AND, and each
 * spike of Q adds one row of counts. All sums are integers, exact.
 */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** The spikes of the head's channels from `channel` on, at most 32 and no more than lie in one word; `available` says how many. */
SPIKEFORMER_INLINE uint32_t headBits(const uint8_t* spikes, uint32_t firstChannel, uint32_t channel, uint32_t width, uint32_t& available) {
  const uint32_t place = firstChannel + channel;
  available = smaller(32 - (place & 31), width - channel);
  const uint32_t word = load32(spikes + (place >> 5) * 4) >> (place & 31);
  return available < 32 ? word & ((1u << available) - 1) : word;
}

/** Fills `sets` (one bit set over tokens per channel of the head) from packed spikes. */
static void transpose(const uint8_t* spikes, uint8_t* sets, size_t setBytes, uint32_t tokens, size_t rowBytes, uint32_t firstChannel, uint32_t width) {
  memset(sets, 0, width * setBytes);
  for (uint32_t token = 0; token < tokens; token++) {
    uint8_t* target = sets + (token >> 5) * 4;
    const uint32_t bit = 1u << (token & 31);
    uint32_t available;
    for (uint32_t channel = 0; channel < width; channel += available) {
      for (uint32_t bits = headBits(spikes, firstChannel, channel, width, available); bits != 0; bits &= bits - 1) {
        uint8_t* set = target + (channel + static_cast<uint32_t>(__builtin_ctz(bits))) * setBytes;
        store32(set, load32(set) | bit);
      }
    }
    spikes += rowBytes;
  }
}

/** counts[k][v] = in how many tokens channel k of K and channel v of V fire together. */
static void coincidences(const uint8_t* keys, const uint8_t* values, size_t setBytes, uint32_t width, uint8_t* counts, size_t countBytes) {
  for (uint32_t key = 0; key < width; key++) {
    const uint8_t* keySet = keys + key * setBytes;
    for (uint32_t value = 0; value < width; value++) {
      const uint8_t* valueSet = values + value * setBytes;
      uint64_t sum = 0;
      for (size_t offset = 0; offset < setBytes; offset += 8) {
        uint64_t one, other;
        memcpy(&one, keySet + offset, 8);
        memcpy(&other, valueSet + offset, 8);
        sum += static_cast<uint64_t>(__builtin_popcountll(one & other));
      }
      store32(counts + key * countBytes + value * 4, static_cast<uint32_t>(sum));
    }
  }
}

/** One token: adds the count rows that its spikes select, `lists` holding their addresses. Rows of counts end with the thread's scratch behind them, whose lanes are dropped. */
template <uint32_t registers>
SPIKEFORMER_INLINE void selectRows(Bytes memory, const uint8_t* lists, const uint8_t* listEnd, uint8_t* output, uint32_t firstLane, uint32_t width, float scale) {
  Ints sums[registers] = {};
  for (const uint8_t* entry = lists; entry < listEnd; entry += 4) {
    const uint8_t* row = memory + load32(entry) + firstLane * 4;
    for (uint32_t index = 0; index < registers; index++) sums[index] += load<Ints>(row + index * vectorBytes);
  }
  for (uint32_t index = 0; index < registers; index++) {
    const uint32_t lane = firstLane + index * lanes;
    if (lane < width) storeLanes(output + lane * 4, __builtin_convertvector(sums[index], Floats) * scale, width - lane);
  }
}

/** Scratch: key sets, value sets, counts, one list. */
void spikeAttention(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t tokens = wordOf(memory, instruction, AttentionWord::tokens);
  const uint32_t channels = wordOf(memory, instruction, AttentionWord::channels);
  const uint32_t heads = wordOf(memory, instruction, AttentionWord::heads);
  const float scale = floatOf(memory, instruction, AttentionWord::scale);
  const uint32_t width = channels / heads;
  const size_t setBytes = static_cast<size_t>((tokens + 127) >> 7) << 4;
  const size_t countBytes = static_cast<size_t>((width + 3) >> 2) << 4;
  const size_t rowBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  uint8_t* keys = memory + scratch;
  uint8_t* values = keys + width * setBytes;
  uint8_t* counts = values + width * setBytes;
  uint8_t* lists = counts + width * countBytes;
  // Lanes beyond the head's width are loaded with the rest of their vector and dropped on storing.
  memset(counts, 0, width * countBytes);
  const uint32_t tasks = wordOf(memory, instruction, AttentionWord::images) * heads;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t image = task / heads;
    const uint32_t firstChannel = (task % heads) * width;
    const size_t offset = image * tokens * rowBytes;
    transpose(at(memory, instruction, AttentionWord::key) + offset, keys, setBytes, tokens, rowBytes, firstChannel, width);
    transpose(at(memory, instruction, AttentionWord::value) + offset, values, setBytes, tokens, rowBytes, firstChannel, width);
    coincidences(keys, values, setBytes, width, counts, countBytes);
    const uint8_t* query = at(memory, instruction, AttentionWord::query) + offset;
    uint8_t* output = at(memory, instruction, AttentionWord::output) + (image * tokens * channels + firstChannel) * 4;
    for (uint32_t token = 0; token < tokens; token++) {
      uint8_t* listEnd = lists;
      uint32_t available;
      for (uint32_t channel = 0; channel < width; channel += available) {
        for (uint32_t bits = headBits(query, firstChannel, channel, width, available); bits != 0; bits &= bits - 1) {
          store32(listEnd, static_cast<uint32_t>(counts - memory + (channel + static_cast<uint32_t>(__builtin_ctz(bits))) * countBytes));
          listEnd += 4;
        }
      }
      for (uint32_t lane = 0; lane < width; lane += 4 * lanes) {
        if (width - lane > 2 * lanes) selectRows<4>(memory, lists, listEnd, output, lane, width, scale);
        else if (width - lane > lanes) selectRows<2>(memory, lists, listEnd, output, lane, width, scale);
        else selectRows<1>(memory, lists, listEnd, output, lane, width, scale);
      }
      query += rowBytes;
      output += static_cast<size_t>(channels) * 4;
    }
  }
}

}  // namespace SPIKEFORMER_ISA
