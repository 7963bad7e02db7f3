/** Regions of maps, resampled, and the gradient to the maps, as in `kernels/roiAlign.ts`. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** As in `src/engines/calls/roiAlign.ts`. */
constexpr float mostSamples = 256;

/** Where a place along an axis lies: a pixel, and the weight of the one behind it. */
struct Place {
  bool isInside;
  uint32_t lower;
  float share;
};

/** The bins of a box along one axis. */
struct Bins {
  float start;
  float size;
  uint32_t samples;
  /** Pixels of the map. */
  uint32_t pixels;

  __attribute__((always_inline)) Bins(float from, float to, float scale, uint32_t count, uint32_t ratio, uint32_t all) {
    start = from * scale - 0.5f;
    size = (to * scale - 0.5f - start) / static_cast<float>(count);
    pixels = all;
    const float wanted = __builtin_ceilf(size);
    samples = ratio > 0 ? ratio : wanted > 0 ? static_cast<uint32_t>(wanted < mostSamples ? wanted : mostSamples) : 0;
  }

  __attribute__((always_inline)) Place place(uint32_t bin, uint32_t sample) const {
    const float within = (static_cast<float>(sample) + 0.5f) * size / static_cast<float>(samples);
    const float at = start + static_cast<float>(bin) * size + within;
    if (!(at >= -1.0f && at <= static_cast<float>(pixels))) return {false, 0, 0};
    if (!(at > 0)) return {true, 0, 0};
    const uint32_t lower = smaller(static_cast<uint32_t>(at), pixels - 1);
    return {true, lower, lower + 1 < pixels ? at - static_cast<float>(lower) : 0};
  }
};

struct Region {
  Bins rows;
  Bins columns;

  /** The share of a sample in its bin. */
  __attribute__((always_inline)) float share() const {
    const uint32_t all = rows.samples * columns.samples;
    return 1.0f / (all > 0 ? static_cast<float>(all) : 1.0f);
  }
};

/** The number of a box's image, or how many there are. */
SPIKEFORMER_INLINE uint32_t imageOf(const uint8_t* region, uint32_t images) {
  const float image = loadFloat(region);
  return image >= 0 && image < static_cast<float>(images) && __builtin_floorf(image) == image ? static_cast<uint32_t>(image) : images;
}

/** Tasks are rows of bins. */
void roiAlign(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t images = wordOf(memory, instruction, roiAlignWord::images);
  const uint32_t height = wordOf(memory, instruction, roiAlignWord::height);
  const uint32_t width = wordOf(memory, instruction, roiAlignWord::width);
  const uint32_t channels = wordOf(memory, instruction, roiAlignWord::channels);
  const uint32_t outputHeight = wordOf(memory, instruction, roiAlignWord::outputHeight);
  const uint32_t outputWidth = wordOf(memory, instruction, roiAlignWord::outputWidth);
  const uint32_t ratio = wordOf(memory, instruction, roiAlignWord::samplingRatio);
  const float scale = floatOf(memory, instruction, roiAlignWord::spatialScale);
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const uint32_t tasks = wordOf(memory, instruction, roiAlignWord::boxes) * outputHeight;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint8_t* region = at(memory, instruction, roiAlignWord::regions) + task / outputHeight * 20;
    uint8_t* output = at(memory, instruction, roiAlignWord::output) + static_cast<size_t>(task) * outputWidth * pixelBytes;
    memset(output, 0, outputWidth * pixelBytes);
    const uint32_t image = imageOf(region, images);
    if (image == images) continue;
    const uint8_t* input = at(memory, instruction, roiAlignWord::input) + static_cast<size_t>(image) * height * width * pixelBytes;
    const Region box{
        Bins(loadFloat(region + 8), loadFloat(region + 16), scale, outputHeight, ratio, height),
        Bins(loadFloat(region + 4), loadFloat(region + 12), scale, outputWidth, ratio, width)};
    const float share = box.share();
    for (uint32_t bin = 0; bin < outputWidth; bin++, output += pixelBytes) {
      for (uint32_t row = 0; row < box.rows.samples; row++) {
        const Place y = box.rows.place(task % outputHeight, row);
        if (!y.isInside) continue;
        const size_t rowBytes = y.lower + 1 < height ? width * pixelBytes : 0;
        for (uint32_t column = 0; column < box.columns.samples; column++) {
          const Place x = box.columns.place(bin, column);
          if (!x.isInside) continue;
          const size_t columnBytes = x.lower + 1 < width ? pixelBytes : 0;
          const uint8_t* source = input + (static_cast<size_t>(y.lower) * width + x.lower) * pixelBytes;
          const Floats upperLeft = splat((1 - y.share) * (1 - x.share) * share);
          const Floats upperRight = splat((1 - y.share) * x.share * share);
          const Floats lowerLeft = splat(y.share * (1 - x.share) * share);
          const Floats lowerRight = splat(y.share * x.share * share);
          for (uint32_t channel = 0; channel < channels; channel += lanes) {
            const uint8_t* place = source + channel * 4;
            const uint32_t count = channels - channel;
            const Floats above = upperLeft * loadLanes(place, count) + upperRight * loadLanes(place + columnBytes, count);
            const Floats under = lowerLeft * loadLanes(place + rowBytes, count) + lowerRight * loadLanes(place + rowBytes + columnBytes, count);
            storeLanes(output + channel * 4, loadLanes(output + channel * 4, count) + (above + under), count);
          }
        }
      }
    }
  }
}

SPIKEFORMER_INLINE void addWeighted(uint8_t* target, const uint8_t* source, float weight, uint32_t channels) {
  for (uint32_t channel = 0; channel < channels; channel += lanes) {
    const uint32_t count = channels - channel;
    storeLanes(target + channel * 4, loadLanes(target + channel * 4, count) + splat(weight) * loadLanes(source + channel * 4, count), count);
  }
}

/** What a box gives to `channels` channels of its map, addresses those of the first of them. */
SPIKEFORMER_LOOP void addBox(
    const Region& box, const uint8_t* arriving, uint8_t* target, uint32_t outputHeight, uint32_t outputWidth, size_t pixelBytes, uint32_t channels) {
  const float share = box.share();
  const size_t rowBytes = box.columns.pixels * pixelBytes;
  for (uint32_t binY = 0; binY < outputHeight; binY++) {
    for (uint32_t binX = 0; binX < outputWidth; binX++, arriving += pixelBytes) {
      for (uint32_t row = 0; row < box.rows.samples; row++) {
        const Place y = box.rows.place(binY, row);
        if (!y.isInside) continue;
        for (uint32_t column = 0; column < box.columns.samples; column++) {
          const Place x = box.columns.place(binX, column);
          if (!x.isInside) continue;
          uint8_t* place = target + y.lower * rowBytes + x.lower * pixelBytes;
          addWeighted(place, arriving, (1 - y.share) * (1 - x.share) * share, channels);
          if (x.share > 0) addWeighted(place + pixelBytes, arriving, (1 - y.share) * x.share * share, channels);
          if (y.share == 0) continue;
          addWeighted(place + rowBytes, arriving, y.share * (1 - x.share) * share, channels);
          if (x.share > 0) addWeighted(place + rowBytes + pixelBytes, arriving, y.share * x.share * share, channels);
        }
      }
    }
  }
}

/** Tasks are cache lines of channels of an image. */
void roiAlignGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t images = wordOf(memory, instruction, roiAlignGradientWord::images);
  const uint32_t height = wordOf(memory, instruction, roiAlignGradientWord::height);
  const uint32_t width = wordOf(memory, instruction, roiAlignGradientWord::width);
  const uint32_t channels = wordOf(memory, instruction, roiAlignGradientWord::channels);
  const uint32_t boxes = wordOf(memory, instruction, roiAlignGradientWord::boxes);
  const uint32_t outputHeight = wordOf(memory, instruction, roiAlignGradientWord::outputHeight);
  const uint32_t outputWidth = wordOf(memory, instruction, roiAlignGradientWord::outputWidth);
  const uint32_t ratio = wordOf(memory, instruction, roiAlignGradientWord::samplingRatio);
  const float scale = floatOf(memory, instruction, roiAlignGradientWord::spatialScale);
  const bool accumulate = wordOf(memory, instruction, roiAlignGradientWord::accumulate) != 0;
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const size_t pixels = static_cast<size_t>(height) * width;
  const uint32_t lines = (channels + 15) >> 4;
  const uint32_t last = claimStart(images * lines, until);
  for (uint32_t task = claimStart(images * lines, from); task < last; task++) {
    const uint32_t image = task / lines;
    const uint32_t channel = (task % lines) << 4;
    const uint32_t count = smaller(16, channels - channel);
    uint8_t* target = at(memory, instruction, roiAlignGradientWord::inputGradient) + image * pixels * pixelBytes + channel * 4;
    if (!accumulate) {
      for (size_t pixel = 0; pixel < pixels; pixel++) memset(target + pixel * pixelBytes, 0, count * 4);
    }
    for (uint32_t index = 0; index < boxes; index++) {
      const uint8_t* region = at(memory, instruction, roiAlignGradientWord::regions) + static_cast<size_t>(index) * 20;
      if (imageOf(region, images) != image) continue;
      const Region box{
          Bins(loadFloat(region + 8), loadFloat(region + 16), scale, outputHeight, ratio, height),
          Bins(loadFloat(region + 4), loadFloat(region + 12), scale, outputWidth, ratio, width)};
      const uint8_t* arriving =
          at(memory, instruction, roiAlignGradientWord::outputGradient) + static_cast<size_t>(index) * outputHeight * outputWidth * pixelBytes + channel * 4;
      addBox(box, arriving, target, outputHeight, outputWidth, pixelBytes, count);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
