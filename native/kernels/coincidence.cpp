/** Coincidences of spikes and their gradient, as in `kernels/coincidence.ts`. Counts are whole numbers, exact in any order. */
#include "vector.h"
#include "spikeMask.h"

namespace SPIKEFORMER_ISA {

/** Counts the coincidences of a word of 32 channels over all tokens. Counts: `[32]`, float32. */
SPIKEFORMER_LOOP void countWord(const uint8_t* key, const uint8_t* value, size_t rowBytes, uint32_t tokens, uint8_t* counts) {
  constexpr uint32_t registers = 32 / lanes;
  Ints sums[registers] = {};
  for (uint32_t token = 0; token < tokens; token++) {
    const uint32_t both = load32(key) & load32(value);
    for (uint32_t index = 0; index < registers; index++) sums[index] -= spikeMask(both, index * lanes);
    key += rowBytes;
    value += rowBytes;
  }
  for (uint32_t index = 0; index < registers; index++) store(counts + index * vectorBytes, __builtin_convertvector(sums[index], Floats));
}

/** Tasks are words of 32 channels of an image. */
void coincidence(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t tokens = wordOf(memory, instruction, coincidenceWord::tokens);
  const uint32_t channels = wordOf(memory, instruction, coincidenceWord::channels);
  const uint32_t words = (channels + 31) >> 5;
  const size_t rowBytes = static_cast<size_t>(words) * 4;
  const uint32_t tasks = wordOf(memory, instruction, coincidenceWord::images) * words;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t image = task / words;
    const size_t word = task % words;
    const size_t offset = image * tokens * rowBytes + word * 4;
    uint8_t counts[32 * 4];
    countWord(at(memory, instruction, coincidenceWord::key) + offset, at(memory, instruction, coincidenceWord::value) + offset, rowBytes, tokens, counts);
    const size_t first = word * 32;
    memcpy(at(memory, instruction, coincidenceWord::output) + (image * channels + first) * 4, counts, smaller(32, channels - static_cast<uint32_t>(first)) * 4);
  }
}

/** Tasks are tokens of all images. */
void coincidenceGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t tokens = wordOf(memory, instruction, coincidenceGradientWord::tokens);
  const uint32_t channels = wordOf(memory, instruction, coincidenceGradientWord::channels);
  const size_t rowBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  const size_t gradientBytes = static_cast<size_t>(channels) * 4;
  const uint32_t tasks = wordOf(memory, instruction, coincidenceGradientWord::images) * tokens;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint8_t* key = at(memory, instruction, coincidenceGradientWord::key) + task * rowBytes;
    const uint8_t* value = at(memory, instruction, coincidenceGradientWord::value) + task * rowBytes;
    const uint8_t* arriving = at(memory, instruction, coincidenceGradientWord::outputGradient) + task / tokens * gradientBytes;
    uint8_t* keyGradient = at(memory, instruction, coincidenceGradientWord::keyGradient) + task * gradientBytes;
    uint8_t* valueGradient = at(memory, instruction, coincidenceGradientWord::valueGradient) + task * gradientBytes;
    for (uint32_t channel = 0; channel < channels; channel += lanes) {
      const uint32_t left = channels - channel;
      const size_t place = static_cast<size_t>(channel) * 4;
      const size_t word = static_cast<size_t>(channel >> 5) * 4;
      const Ints gradient = (Ints)loadLanes(arriving + place, left);
      storeLanes(keyGradient + place, (Floats)(gradient & spikeMask(load32(value + word), channel)), left);
      storeLanes(valueGradient + place, (Floats)(gradient & spikeMask(load32(key + word), channel)), left);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
