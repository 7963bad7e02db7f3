#include "vector.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE void addRun(const uint8_t* a, const uint8_t* b, uint8_t* output, uint32_t elements) {
  for (uint32_t done = 0; done < elements; done += lanes) {
    const size_t offset = static_cast<size_t>(done) * 4;
    const uint32_t left = elements - done;
    storeLanes(output + offset, loadLanes(a + offset, left) + loadLanes(b + offset, left), left);
  }
}

/** output = a + b, each index taken modulo the addend's own length. */
void add(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint8_t* a = at(memory, instruction, ElementWord::input);
  const uint8_t* b = at(memory, instruction, ElementWord::second);
  uint8_t* output = at(memory, instruction, ElementWord::output);
  const uint32_t elements = wordOf(memory, instruction, ElementWord::elements);
  const uint32_t aElements = wordOf(memory, instruction, ElementWord::inputElements);
  const uint32_t bElements = wordOf(memory, instruction, ElementWord::secondElements);
  const uint32_t end = rangeStart(elements, until);
  for (uint32_t element = rangeStart(elements, from); element < end;) {
    const uint32_t aAt = element % aElements;
    const uint32_t bAt = element % bElements;
    const uint32_t run = smaller(end - element, smaller(aElements - aAt, bElements - bAt));
    addRun(a + static_cast<size_t>(aAt) * 4, b + static_cast<size_t>(bAt) * 4, output + static_cast<size_t>(element) * 4, run);
    element += run;
  }
}

}  // namespace SPIKEFORMER_ISA
