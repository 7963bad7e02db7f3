#include "vector.h"
#include "neuron.h"

namespace SPIKEFORMER_ISA {

template <bool divide>
static void firePositions(Bytes memory, uint32_t instruction, uint32_t first, uint32_t last) {
  const uint32_t timeSteps = wordOf(memory, instruction, NeuronWord::timeSteps);
  const uint32_t positions = wordOf(memory, instruction, NeuronWord::positions);
  const uint32_t channels = wordOf(memory, instruction, NeuronWord::channels);
  const Dynamics dynamics = {floatOf(memory, instruction, NeuronWord::factor), floatOf(memory, instruction, NeuronWord::threshold)};
  const size_t positionBytes = static_cast<size_t>(channels) * 4;
  const size_t wordBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  const size_t inputStep = wordOf(memory, instruction, NeuronWord::inputTimeSteps) == 1 ? 0 : positions * positionBytes;
  const size_t outputStep = positions * wordBytes;
  const uint32_t padding = static_cast<uint32_t>(wordBytes) - ((channels + 7) >> 3);
  const uint8_t* input = at(memory, instruction, NeuronWord::input) + first * positionBytes;
  uint8_t* output = at(memory, instruction, NeuronWord::output) + first * wordBytes;
  uint8_t* membranes = wordOf(memory, instruction, NeuronWord::membrane) != 0 ? at(memory, instruction, NeuronWord::membrane) + first * positionBytes : nullptr;
  for (uint32_t position = first; position < last; position++) {
    neuronsOfPosition<divide>(input, inputStep, output, outputStep, membranes, timeSteps, channels, padding, dynamics);
    input += positionBytes;
    output += wordBytes;
    if (membranes != nullptr) membranes += positionBytes;
  }
}

/** Tasks are positions; membranes stay in registers over all time steps. */
void leakyIntegrateAndFire(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t positions = wordOf(memory, instruction, NeuronWord::positions);
  const uint32_t first = claimStart(positions, from);
  const uint32_t last = claimStart(positions, until);
  if (wordOf(memory, instruction, NeuronWord::divide) != 0) firePositions<true>(memory, instruction, first, last);
  else firePositions<false>(memory, instruction, first, last);
}

}  // namespace SPIKEFORMER_ISA
