/** Integrate-and-fire neurons with hard reset, `h = v + x`, `s = h ≥ θ`, `v = (1 − s)·h`, and their gradient by a surrogate, as in `kernels/integrateAndFire.ts`. */
#include "vector.h"
#include "neuron.h"
#include "surrogate.h"

namespace SPIKEFORMER_ISA {

/** Up to eight channels of a position over all time steps: a byte of each step. */
SPIKEFORMER_INLINE void integrate8(
    const uint8_t* input, size_t inputStep, uint8_t* output, size_t outputStep, uint8_t* membranes, uint32_t timeSteps, uint32_t channels, float threshold) {
  const uint32_t valid = channels >= 8 ? 255 : (1u << channels) - 1;
  FloatsOf<8> membrane = {};
  if (membranes != nullptr) membrane = loadEight(membranes, channels);
  for (uint32_t step = 0; step < timeSteps; step++) {
    const FloatsOf<8> h = membrane + loadEight(input, channels);
    const IntsOf<8> fires = h >= splatOf<8>(threshold);
    membrane = (FloatsOf<8>)(~fires & (IntsOf<8>)h);
    *output = static_cast<uint8_t>(bitsOf<8>(fires) & valid);
    input += inputStep;
    output += outputStep;
  }
  if (membranes != nullptr) storeEight(membranes, membrane, channels);
}

/** Tasks are positions; membranes stay in registers over all time steps. */
void integrateAndFire(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t timeSteps = wordOf(memory, instruction, NeuronWord::timeSteps);
  const uint32_t positions = wordOf(memory, instruction, NeuronWord::positions);
  const uint32_t channels = wordOf(memory, instruction, NeuronWord::channels);
  const float threshold = floatOf(memory, instruction, NeuronWord::threshold);
  const size_t positionBytes = static_cast<size_t>(channels) * 4;
  const size_t wordBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  const size_t inputStep = wordOf(memory, instruction, NeuronWord::inputTimeSteps) == 1 ? 0 : positions * positionBytes;
  const size_t outputStep = positions * wordBytes;
  const uint8_t* input = at(memory, instruction, NeuronWord::input);
  uint8_t* output = at(memory, instruction, NeuronWord::output);
  uint8_t* membranes = wordOf(memory, instruction, NeuronWord::membrane) != 0 ? at(memory, instruction, NeuronWord::membrane) : nullptr;
  const uint32_t last = claimStart(positions, until);
  for (uint32_t position = claimStart(positions, from); position < last; position++) {
    const uint8_t* source = input + position * positionBytes;
    uint8_t* target = output + position * wordBytes;
    uint8_t* membrane = membranes != nullptr ? membranes + position * positionBytes : nullptr;
    for (uint32_t channel = 0; channel < channels; channel += 8) {
      uint8_t* own = membrane != nullptr ? membrane + channel * 4 : nullptr;
      integrate8(source + channel * 4, inputStep, target + (channel >> 3), outputStep, own, timeSteps, smaller(8, channels - channel), threshold);
    }
    const size_t bytes = (channels + 7) >> 3;
    for (uint32_t step = 0; step < timeSteps; step++) memset(target + step * outputStep + bytes, 0, wordBytes - bytes);
  }
}

/** All time steps of neurons `[neuron, neuron + count)`, forwards for the membranes, then backwards. Scratch: a register of membranes per time step. */
template <uint32_t kind, bool isWhole>
SPIKEFORMER_INLINE void allSteps(Bytes memory, uint32_t instruction, uint8_t* waiting, size_t neuron, uint32_t count) {
  const uint32_t timeSteps = wordOf(memory, instruction, NeuronGradientWord::timeSteps);
  const size_t step = static_cast<size_t>(wordOf(memory, instruction, NeuronGradientWord::neurons)) * 4;
  const bool accumulate = wordOf(memory, instruction, NeuronGradientWord::accumulate) != 0;
  const bool detachReset = wordOf(memory, instruction, NeuronGradientWord::detachReset) != 0;
  const Floats threshold = splat(floatOf(memory, instruction, NeuronGradientWord::threshold));
  const Floats alpha = splat(floatOf(memory, instruction, NeuronGradientWord::alpha));
  const Floats stretch = stretchOf(kind, floatOf(memory, instruction, NeuronGradientWord::alpha));
  const uint8_t* input = at(memory, instruction, NeuronGradientWord::input);
  const uint8_t* outputGradient = at(memory, instruction, NeuronGradientWord::outputGradient);
  uint8_t* inputGradient = at(memory, instruction, NeuronGradientWord::inputGradient);
  size_t place = neuron * 4;
  Floats membrane = {};
  for (uint32_t time = 0; time < timeSteps; time++) {
    const Floats h = membrane + loadSome<isWhole>(input + place, count);
    store(waiting + static_cast<size_t>(time) * vectorBytes, h);
    membrane = (Floats)(~(h >= threshold) & (Ints)h);
    place += step;
  }
  Floats afterReset = {};
  for (uint32_t time = timeSteps; time > 0; time--) {
    place -= step;
    const Floats h = load<Floats>(waiting + static_cast<size_t>(time - 1) * vectorBytes);
    Floats reachesSpike = loadSome<isWhole>(outputGradient + place, count);
    if (!detachReset) reachesSpike -= afterReset * h;
    const Floats stays = (Floats)(~(h >= threshold) & (Ints)afterReset);
    afterReset = reachesSpike * derivative<kind>(stretch, alpha, h - threshold) + stays;
    uint8_t* target = inputGradient + place;
    storeSome<isWhole>(target, accumulate ? loadSome<isWhole>(target, count) + afterReset : afterReset, count);
  }
}

template <uint32_t kind>
SPIKEFORMER_LOOP void gradientOf(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t first, uint32_t last) {
  size_t neuron = first;
  for (; neuron + lanes <= last; neuron += lanes) allSteps<kind, true>(memory, instruction, memory + scratch, neuron, lanes);
  if (neuron < last) allSteps<kind, false>(memory, instruction, memory + scratch, neuron, last - static_cast<uint32_t>(neuron));
}

/** Tasks are cache lines of neurons. */
void integrateAndFireGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t neurons = wordOf(memory, instruction, NeuronGradientWord::neurons);
  const uint32_t kind = wordOf(memory, instruction, NeuronGradientWord::surrogate);
  const uint32_t first = rangeStart(neurons, from);
  const uint32_t last = rangeStart(neurons, until);
  if (kind == SurrogateKind::sigmoid) gradientOf<SurrogateKind::sigmoid>(memory, instruction, scratch, first, last);
  else if (kind == SurrogateKind::arctangent) gradientOf<SurrogateKind::arctangent>(memory, instruction, scratch, first, last);
  else gradientOf<SurrogateKind::rectangular>(memory, instruction, scratch, first, last);
}

}  // namespace SPIKEFORMER_ISA
