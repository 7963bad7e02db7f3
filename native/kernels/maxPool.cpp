/** The largest number of each window, and its gradient, as in `kernels/maxPool.ts`. */
#include "vector.h"

namespace SPIKEFORMER_ISA {

/** Windows along one axis. */
struct Windows {
  uint32_t size;
  uint32_t kernel;
  uint32_t stride;
  uint32_t padding;

  __attribute__((always_inline)) uint32_t count() const { return (size + 2 * padding - kernel) / stride + 1; }
  /** The first pixel of a window that lies in the map. */
  __attribute__((always_inline)) uint32_t start(uint32_t at) const { return at * stride > padding ? at * stride - padding : 0; }
  /** One behind its last pixel. */
  __attribute__((always_inline)) uint32_t end(uint32_t at) const { return smaller(size, at * stride + kernel - padding); }
};

/** Lanes in which `value` takes the place of the largest so far: it is larger, or no number. */
SPIKEFORMER_INLINE Ints replaces(Floats value, Floats largest) { return (value > largest) | (value != value); }

SPIKEFORMER_INLINE Ints chosen(Ints mask, Ints a, Ints b) { return (mask & a) | (~mask & b); }

constexpr float infinity = __builtin_inff();

/** Tasks are rows of the output. */
void maxPool(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t kernel = wordOf(memory, instruction, maxPoolWord::kernel);
  const uint32_t stride = wordOf(memory, instruction, maxPoolWord::stride);
  const uint32_t padding = wordOf(memory, instruction, maxPoolWord::padding);
  const uint32_t channels = wordOf(memory, instruction, maxPoolWord::channels);
  const Windows rows{wordOf(memory, instruction, maxPoolWord::inputHeight), kernel, stride, padding};
  const Windows columns{wordOf(memory, instruction, maxPoolWord::inputWidth), kernel, stride, padding};
  const uint32_t height = rows.count();
  const uint32_t width = columns.count();
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const uint32_t tasks = wordOf(memory, instruction, maxPoolWord::images) * height;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const uint32_t y = task % height;
    const uint8_t* image = at(memory, instruction, maxPoolWord::input) + static_cast<size_t>(task / height) * rows.size * columns.size * pixelBytes;
    uint8_t* output = at(memory, instruction, maxPoolWord::output) + static_cast<size_t>(task) * width * pixelBytes;
    for (uint32_t x = 0; x < width; x++, output += pixelBytes) {
      for (uint32_t channel = 0; channel < channels; channel += lanes) {
        const uint32_t count = channels - channel;
        Floats largest = splat(-infinity);
        for (uint32_t row = rows.start(y); row < rows.end(y); row++) {
          for (uint32_t column = columns.start(x); column < columns.end(x); column++) {
            const Floats value = loadLanes(image + (static_cast<size_t>(row) * columns.size + column) * pixelBytes + channel * 4, count);
            largest = (Floats)chosen(replaces(value, largest), (Ints)value, (Ints)largest);
          }
        }
        storeLanes(output + channel * 4, largest, count);
      }
    }
  }
}

/** The gradient of `count` channels of an image, all addresses those of the first of them. */
SPIKEFORMER_LOOP void poolChannels(
    const Windows& rows, const Windows& columns, const uint8_t* input, const uint8_t* arriving, uint8_t* target, size_t pixelBytes, uint32_t count,
    bool accumulate) {
  const size_t pixels = static_cast<size_t>(rows.size) * columns.size;
  if (!accumulate) {
    for (size_t pixel = 0; pixel < pixels; pixel++) storeLanes(target + pixel * pixelBytes, Floats{}, count);
  }
  const uint32_t height = rows.count();
  const uint32_t width = columns.count();
  for (uint32_t y = 0; y < height; y++) {
    for (uint32_t x = 0; x < width; x++, arriving += pixelBytes) {
      Floats largest = splat(-infinity);
      Ints places = splat(static_cast<int32_t>(rows.start(y) * columns.size + columns.start(x)));
      for (uint32_t row = rows.start(y); row < rows.end(y); row++) {
        for (uint32_t column = columns.start(x); column < columns.end(x); column++) {
          const uint32_t pixel = row * columns.size + column;
          const Floats value = loadLanes(input + pixel * pixelBytes, count);
          const Ints larger = replaces(value, largest);
          largest = (Floats)chosen(larger, (Ints)value, (Ints)largest);
          places = chosen(larger, splat(static_cast<int32_t>(pixel)), places);
        }
      }
      const Floats gradient = loadLanes(arriving, count);
      for (uint32_t row = rows.start(y); row < rows.end(y); row++) {
        for (uint32_t column = columns.start(x); column < columns.end(x); column++) {
          const uint32_t pixel = row * columns.size + column;
          const Ints here = places == splat(static_cast<int32_t>(pixel));
          uint8_t* place = target + pixel * pixelBytes;
          storeLanes(place, loadLanes(place, count) + (Floats)((Ints)gradient & here), count);
        }
      }
    }
  }
}

/** Tasks are cache lines of channels of an image. */
void maxPoolGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t kernel = wordOf(memory, instruction, maxPoolGradientWord::kernel);
  const uint32_t stride = wordOf(memory, instruction, maxPoolGradientWord::stride);
  const uint32_t padding = wordOf(memory, instruction, maxPoolGradientWord::padding);
  const uint32_t channels = wordOf(memory, instruction, maxPoolGradientWord::channels);
  const bool accumulate = wordOf(memory, instruction, maxPoolGradientWord::accumulate) != 0;
  const Windows rows{wordOf(memory, instruction, maxPoolGradientWord::inputHeight), kernel, stride, padding};
  const Windows columns{wordOf(memory, instruction, maxPoolGradientWord::inputWidth), kernel, stride, padding};
  const size_t pixelBytes = static_cast<size_t>(channels) * 4;
  const size_t inputBytes = static_cast<size_t>(rows.size) * columns.size * pixelBytes;
  const size_t outputBytes = static_cast<size_t>(rows.count()) * columns.count() * pixelBytes;
  const uint32_t lines = (channels + 15) >> 4;
  const uint32_t tasks = wordOf(memory, instruction, maxPoolGradientWord::images) * lines;
  const uint32_t last = claimStart(tasks, until);
  for (uint32_t task = claimStart(tasks, from); task < last; task++) {
    const size_t image = task / lines;
    const uint32_t end = smaller(channels, ((task % lines) << 4) + 16);
    for (uint32_t channel = (task % lines) << 4; channel < end; channel += lanes) {
      const uint8_t* input = at(memory, instruction, maxPoolGradientWord::input) + image * inputBytes + channel * 4;
      const uint8_t* arriving = at(memory, instruction, maxPoolGradientWord::outputGradient) + image * outputBytes + channel * 4;
      uint8_t* target = at(memory, instruction, maxPoolGradientWord::inputGradient) + image * inputBytes + channel * 4;
      poolChannels(rows, columns, input, arriving, target, pixelBytes, smaller(lanes, end - channel), accumulate);
    }
  }
}

}  // namespace SPIKEFORMER_ISA
