#include "vector.h"

namespace SPIKEFORMER_ISA {

/** output[row, c] = input[row, c] · scale[c] + shift[c], rounded twice as in wasm. */
void scaleShift(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t rows = wordOf(memory, instruction, ElementWord::rows);
  const uint32_t channels = wordOf(memory, instruction, ElementWord::channels);
  const uint8_t* scale = at(memory, instruction, ElementWord::second);
  const uint8_t* shift = at(memory, instruction, ElementWord::third);
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const uint32_t first = claimStart(rows, from);
  const uint32_t last = claimStart(rows, until);
  const uint8_t* input = at(memory, instruction, ElementWord::input) + first * rowBytes;
  uint8_t* output = at(memory, instruction, ElementWord::output) + first * rowBytes;
  for (uint32_t row = first; row < last; row++) {
    for (uint32_t channel = 0; channel < channels; channel += lanes) {
      const size_t offset = static_cast<size_t>(channel) * 4;
      const uint32_t left = channels - channel;
      const Floats scaled = loadLanes(input + offset, left) * loadLanes(scale + offset, left);
      storeLanes(output + offset, scaled + loadLanes(shift + offset, left), left);
    }
    input += rowBytes;
    output += rowBytes;
  }
}

}  // namespace SPIKEFORMER_ISA
