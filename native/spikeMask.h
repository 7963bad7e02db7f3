/** Spikes as masks of lanes. */
#pragma once
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** The lanes' numbers: 0, 1, 2, … */
SPIKEFORMER_INLINE Words laneNumbers() {
  Words numbers = {};
  for (uint32_t lane = 0; lane < lanes; lane++) numbers[lane] = lane;
  return numbers;
}

/** All bits set in the lanes of the channels from `channel` on (a multiple of the lanes, whose spikes so lie in one word) that have a spike in their word. */
SPIKEFORMER_INLINE Ints spikeMask(uint32_t word, uint32_t channel) {
  const Words bits = (Words{} + 1u) << laneNumbers();
  return ((Words{} + (word >> (channel & 31))) & bits) != Words{};
}

}  // namespace SPIKEFORMER_ISA
