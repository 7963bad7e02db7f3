/** Leaky integrate-and-fire neurons with hard reset, `kernels/neuron.ts`: h = v + (x − v)/τ, s = h ≥ θ, v = (1 − s)·h, bit for bit. */
#pragma once
#include "widths.h"

namespace SPIKEFORMER_ISA {

/** What all neurons of a layer share. A quotient by τ is a product only where that is the same. */
struct Dynamics {
  float factor;
  float threshold;
};

/** Eight membranes take up one time step's inputs; returns a bit of each that fires. */
template <bool divide>
SPIKEFORMER_INLINE uint32_t step(FloatsOf<8>& membranes, FloatsOf<8> inputs, const Dynamics& dynamics) {
  const FloatsOf<8> difference = inputs - membranes;
  const FloatsOf<8> h = membranes + (divide ? difference / dynamics.factor : difference * dynamics.factor);
  const IntsOf<8> fires = h >= splatOf<8>(dynamics.threshold);
  membranes = (FloatsOf<8>)(~fires & (IntsOf<8>)h);
  return bitsOf<8>(fires);
}

/** The first `count` of eight numbers, zeros behind them. */
SPIKEFORMER_INLINE FloatsOf<8> loadEight(const uint8_t* from, uint32_t count) {
  if (count >= 8) return load<FloatsOf<8>>(from);
  float values[8] = {};
  for (uint32_t index = 0; index < count; index++) values[index] = loadFloat(from + index * 4);
  return load<FloatsOf<8>>(reinterpret_cast<const uint8_t*>(values));
}

SPIKEFORMER_INLINE void storeEight(uint8_t* to, FloatsOf<8> values, uint32_t count) {
  if (count >= 8) {
    store(to, values);
    return;
  }
  for (uint32_t index = 0; index < count; index++) storeFloat(to + index * 4, values[index]);
}

/** Up to eight channels over all time steps; a byte of spikes for each step. `membranes`: where they come from and go to, or null. */
template <bool divide>
SPIKEFORMER_INLINE void neurons8(
    const uint8_t* input, size_t inputStep, uint8_t* output, size_t outputStep, uint8_t* membranes, uint32_t timeSteps, uint32_t channels, const Dynamics& dynamics) {
  const uint32_t valid = (1u << channels) - 1;
  FloatsOf<8> membrane = {};
  if (membranes != nullptr) membrane = loadEight(membranes, channels);
  for (uint32_t timeStep = 0; timeStep < timeSteps; timeStep++) {
    *output = static_cast<uint8_t>(step<divide>(membrane, loadEight(input, channels), dynamics) & valid);
    input += inputStep;
    output += outputStep;
  }
  if (membranes != nullptr) storeEight(membranes, membrane, channels);
}

/** All channels of one position (`width` of them), and `padding` silent bytes behind them. */
template <bool divide>
SPIKEFORMER_INLINE void neuronsOfPosition(
    const uint8_t* input, size_t inputStep, uint8_t* output, size_t outputStep, uint8_t* membranes, uint32_t timeSteps, uint32_t width, uint32_t padding,
    const Dynamics& dynamics) {
  uint32_t channel = 0;
  if (timeSteps == 1 && membranes == nullptr) {
    // A word of spikes at once, from empty membranes.
    for (; channel + 32 <= width; channel += 32) {
      uint32_t word = 0;
      for (uint32_t byte = 0; byte < 4; byte++) {
        FloatsOf<8> empty = {};
        word |= step<divide>(empty, load<FloatsOf<8>>(input + (channel + byte * 8) * 4), dynamics) << (byte * 8);
      }
      store32(output + (channel >> 3), word);
    }
  }
  for (; channel + 8 <= width; channel += 8) {
    uint8_t* membrane = membranes != nullptr ? membranes + channel * 4 : nullptr;
    neurons8<divide>(input + channel * 4, inputStep, output + (channel >> 3), outputStep, membrane, timeSteps, 8, dynamics);
  }
  if (channel < width) {
    uint8_t* membrane = membranes != nullptr ? membranes + channel * 4 : nullptr;
    neurons8<divide>(input + channel * 4, inputStep, output + (channel >> 3), outputStep, membrane, timeSteps, width - channel, dynamics);
  }
  const uint32_t bytes = (width + 7) >> 3;
  for (uint32_t byte = bytes; byte < bytes + padding; byte++) {
    for (uint32_t timeStep = 0; timeStep < timeSteps; timeStep++) output[byte + timeStep * outputStep] = 0;
  }
}

template <bool divide>
SPIKEFORMER_LOOP void fireChannels(
    const uint8_t* input, size_t inputStep, size_t positionBytes, uint8_t* output, size_t outputStep, size_t wordBytes, uint32_t padding, uint32_t width,
    uint32_t count, uint32_t timeSteps, const Dynamics& dynamics) {
  for (uint32_t position = 0; position < count; position++) {
    neuronsOfPosition<divide>(input, inputStep, output, outputStep, nullptr, timeSteps, width, padding, dynamics);
    input += positionBytes;
    output += wordBytes;
  }
}

/**
 * Neurons that a convolution feeds, for `count` positions of each time step from `first` on and `width` of its channels, whose currents it has just written at `input`
 * (positions and time steps so many bytes apart); a multiple of eight channels unless they are the last.
 */
SPIKEFORMER_INLINE void fire(
    Bytes memory, uint32_t instruction, const uint8_t* input, size_t inputStep, size_t positionBytes, uint32_t firstChannel, uint32_t width, uint32_t first,
    uint32_t count, uint32_t perStep) {
  const uint32_t channels = wordOf(memory, instruction, ConvolutionWord::outputChannels);
  const uint32_t timeSteps = wordOf(memory, instruction, ConvolutionWord::timeSteps);
  const size_t wordBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  uint8_t* output = at(memory, instruction, ConvolutionWord::neurons) + first * wordBytes + (firstChannel >> 3);
  const uint32_t padding = firstChannel + width == channels ? static_cast<uint32_t>(wordBytes) - ((channels + 7) >> 3) : 0;
  const size_t outputStep = perStep * wordBytes;
  const Dynamics dynamics = {floatOf(memory, instruction, ConvolutionWord::factor), floatOf(memory, instruction, ConvolutionWord::threshold)};
  if (wordOf(memory, instruction, ConvolutionWord::divide) != 0) {
    fireChannels<true>(input, inputStep, positionBytes, output, outputStep, wordBytes, padding, width, count, timeSteps, dynamics);
  } else {
    fireChannels<false>(input, inputStep, positionBytes, output, outputStep, wordBytes, padding, width, count, timeSteps, dynamics);
  }
}

}  // namespace SPIKEFORMER_ISA
