/** A gate of spikes and its gradient, as in `kernels/gate.ts`. */
#include "vector.h"
#include "spikeMask.h"

namespace SPIKEFORMER_ISA {

/** Tasks are tokens of all images. */
void gate(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t tokens = wordOf(memory, instruction, gateWord::tokens);
  const uint32_t words = (wordOf(memory, instruction, gateWord::channels) + 31) >> 5;
  const size_t rowBytes = static_cast<size_t>(words) * 4;
  const uint8_t* inputs = at(memory, instruction, gateWord::input);
  const uint8_t* gates = at(memory, instruction, gateWord::gate);
  uint8_t* outputs = at(memory, instruction, gateWord::output);
  const uint32_t last = claimStart(wordOf(memory, instruction, gateWord::images) * tokens, until);
  for (uint32_t task = claimStart(wordOf(memory, instruction, gateWord::images) * tokens, from); task < last; task++) {
    const uint8_t* input = inputs + task * rowBytes;
    const uint8_t* open = gates + task / tokens * rowBytes;
    uint8_t* output = outputs + task * rowBytes;
    uint32_t word = 0;
    for (; word + lanes <= words; word += lanes) store(output + word * 4, load<Words>(input + word * 4) & load<Words>(open + word * 4));
    for (; word < words; word++) store32(output + word * 4, load32(input + word * 4) & load32(open + word * 4));
  }
}

/** Channels `[channel, channel + count)` of all tokens of an image; sums go over the tokens in order. */
template <bool isWhole>
SPIKEFORMER_INLINE void gateChannels(
    const uint8_t* input, const uint8_t* gate, const uint8_t* arriving, uint8_t* inputGradient, uint8_t* gateGradient, uint32_t channels, uint32_t tokens,
    uint32_t channel, uint32_t count) {
  const size_t rowBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  const size_t word = static_cast<size_t>(channel >> 5) * 4;
  const Ints open = spikeMask(load32(gate + word), channel);
  Floats sum = {};
  for (size_t token = 0; token < tokens; token++) {
    const size_t place = (token * channels + channel) * 4;
    const Floats gradient = loadSome<isWhole>(arriving + place, count);
    sum += (Floats)((Ints)gradient & spikeMask(load32(input + token * rowBytes + word), channel));
    storeSome<isWhole>(inputGradient + place, (Floats)((Ints)gradient & open), count);
  }
  storeSome<isWhole>(gateGradient + channel * 4, sum, count);
}

/** Tasks are cache lines of channels of an image. */
void gateGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const size_t tokens = wordOf(memory, instruction, gateGradientWord::tokens);
  const size_t channels = wordOf(memory, instruction, gateGradientWord::channels);
  const size_t rowBytes = ((channels + 31) >> 5) * 4;
  const uint32_t lines = static_cast<uint32_t>((channels + 15) >> 4);
  const uint32_t tasks = wordOf(memory, instruction, gateGradientWord::images) * lines;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t image = task / lines;
    const uint8_t* input = at(memory, instruction, gateGradientWord::input) + image * tokens * rowBytes;
    const uint8_t* gate = at(memory, instruction, gateGradientWord::gate) + image * rowBytes;
    const uint8_t* arriving = at(memory, instruction, gateGradientWord::outputGradient) + image * tokens * channels * 4;
    uint8_t* inputGradient = at(memory, instruction, gateGradientWord::inputGradient) + image * tokens * channels * 4;
    uint8_t* gateGradients = at(memory, instruction, gateGradientWord::gateGradient) + image * channels * 4;
    uint32_t channel = (task % lines) << 4;
    const uint32_t lastChannel = smaller(static_cast<uint32_t>(channels), channel + 16);
    const uint32_t all = static_cast<uint32_t>(channels);
    const uint32_t count = static_cast<uint32_t>(tokens);
    for (; channel + lanes <= lastChannel; channel += lanes) {
      gateChannels<true>(input, gate, arriving, inputGradient, gateGradients, all, count, channel, lanes);
    }
    if (channel < lastChannel) gateChannels<false>(input, gate, arriving, inputGradient, gateGradients, all, count, channel, lastChannel - channel);
  }
}

}  // namespace SPIKEFORMER_ISA
