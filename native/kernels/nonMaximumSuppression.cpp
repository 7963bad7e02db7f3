/** Of boxes that overlap, the best, as in `kernels/nonMaximumSuppression.ts`. */
#include "kernel.h"

namespace SPIKEFORMER_ISA {

constexpr float decided = -__builtin_inff();

/** NaN where one of the two is, as in wasm. */
SPIKEFORMER_INLINE float lower(float a, float b) { return a != a || a < b ? a : b; }
SPIKEFORMER_INLINE float higher(float a, float b) { return a != a || a > b ? a : b; }

/** The length that two boxes have in common along one axis. */
SPIKEFORMER_INLINE float common(const uint8_t* a, const uint8_t* b) {
  return higher(lower(loadFloat(a + 8), loadFloat(b + 8)) - higher(loadFloat(a), loadFloat(b)), 0.0f);
}

SPIKEFORMER_INLINE float area(const uint8_t* box) { return (loadFloat(box + 8) - loadFloat(box)) * (loadFloat(box + 12) - loadFloat(box + 4)); }

/** Intersection over union; no number where both are empty. */
SPIKEFORMER_INLINE float overlap(const uint8_t* a, const uint8_t* b) {
  const float intersection = common(a, b) * common(a + 4, b + 4);
  return intersection / (area(a) + area(b) - intersection);
}

/** Tasks are images. */
void nonMaximumSuppression(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t images = wordOf(memory, instruction, nonMaximumSuppressionWord::images);
  const size_t boxes = wordOf(memory, instruction, nonMaximumSuppressionWord::boxes);
  const float threshold = floatOf(memory, instruction, nonMaximumSuppressionWord::threshold);
  const bool hasGroups = wordOf(memory, instruction, nonMaximumSuppressionWord::groups) != 0;
  const uint32_t last = claimStart(images, until);
  for (uint32_t image = claimStart(images, from); image < last; image++) {
    const size_t row = image * boxes * 4;
    const uint8_t* corners = at(memory, instruction, nonMaximumSuppressionWord::corners) + row * 4;
    const uint8_t* scores = at(memory, instruction, nonMaximumSuppressionWord::scores) + row;
    const uint8_t* groups = at(memory, instruction, nonMaximumSuppressionWord::groups) + row;
    uint8_t* kept = at(memory, instruction, nonMaximumSuppressionWord::kept) + row;
    uint8_t* left = at(memory, instruction, nonMaximumSuppressionWord::left) + row;
    size_t best = 0;
    float highest = decided;
    for (size_t box = 0; box < boxes; box++) {
      const float score = loadFloat(scores + box * 4);
      // What is no number is not left either.
      storeFloat(left + box * 4, score > decided ? score : decided);
      storeFloat(kept + box * 4, -1.0f);
      if (score > highest) {
        highest = score;
        best = box;
      }
    }
    for (; highest > decided; kept += 4) {
      const size_t chosen = best;
      storeFloat(kept, static_cast<float>(chosen));
      storeFloat(left + chosen * 4, decided);
      highest = decided;
      for (size_t box = 0; box < boxes; box++) {
        const float score = loadFloat(left + box * 4);
        if (score == decided) continue;
        const bool competes = !hasGroups || loadFloat(groups + box * 4) == loadFloat(groups + chosen * 4);
        if (competes && overlap(corners + chosen * 16, corners + box * 16) > threshold) {
          storeFloat(left + box * 4, decided);
        } else if (score > highest) {
          highest = score;
          best = box;
        }
      }
    }
  }
}

}  // namespace SPIKEFORMER_ISA
