/** Two neighbouring axes change places, as in `kernels/swapAxes.ts`. */
#include "kernel.h"

namespace SPIKEFORMER_ISA {

/** Tasks are rows of the output that are written in one piece. */
void swapAxes(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const size_t firsts = wordOf(memory, instruction, swapAxesWord::first);
  const uint32_t seconds = wordOf(memory, instruction, swapAxesWord::second);
  const size_t innerBytes = static_cast<size_t>(wordOf(memory, instruction, swapAxesWord::inner)) * 4;
  const uint32_t tasks = wordOf(memory, instruction, swapAxesWord::outer) * seconds;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint8_t* input = at(memory, instruction, swapAxesWord::input) + (task / seconds * firsts * seconds + task % seconds) * innerBytes;
    uint8_t* output = at(memory, instruction, swapAxesWord::output) + task * firsts * innerBytes;
    for (size_t first = 0; first < firsts; first++, input += seconds * innerBytes, output += innerBytes) {
      if (innerBytes == 4) store32(output, load32(input));
      else memcpy(output, input, innerBytes);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
