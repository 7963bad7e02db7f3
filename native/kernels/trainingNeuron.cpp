/**
 * Neurons behind a batch normalisation, and the gradient of leaky integrate-and-fire neurons by a surrogate, as in `kernels/trainingNeuron.ts`. Membranes and spikes are those of wasm bit for
 * bit, and so are gradients (of the sigmoid see `powerOfTwo`).
 */
#include "vector.h"
#include "batchNorm.h"
#include "neuron.h"
#include "surrogate.h"

namespace SPIKEFORMER_ISA {

SPIKEFORMER_INLINE Floats splatOfWord(Bytes memory, uint32_t instruction, uint32_t word) { return splat(floatOf(memory, instruction, word)); }

/** What one time step does to a gradient: nothing to remember, h = x/τ. */
template <uint32_t kind, bool divide>
struct Passage {
  Floats factor, threshold, stretch, height;

  __attribute__((always_inline)) static Passage of(Bytes memory, uint32_t instruction) {
    const float alpha = floatOf(memory, instruction, NeuronGradientWord::alpha);
    return {
        splatOfWord(memory, instruction, NeuronGradientWord::factor), splatOfWord(memory, instruction, NeuronGradientWord::threshold), stretchOf(kind, alpha),
        splat(alpha * floatOf(memory, instruction, NeuronGradientWord::inflow))};
  }

  /** δx. */
  __attribute__((always_inline)) Floats operator()(Floats outputGradient, Floats x) const {
    const Floats u = (divide ? x / factor : x * factor) - threshold;
    return outputGradient * derivative<kind>(stretch, height, u);
  }
};

/** Writes a gradient, or adds it to what is there. Returns what is there then. */
template <bool isWhole, bool accumulate>
SPIKEFORMER_INLINE Floats deliver(uint8_t* target, Floats gradient, uint32_t count) {
  const Floats value = accumulate ? loadSome<isWhole>(target, count) + gradient : gradient;
  storeSome<isWhole>(target, value, count);
  return value;
}

SPIKEFORMER_INLINE Normalisation normalisationOf(Bytes memory, uint32_t instruction) {
  return {
      at(memory, instruction, NeuronGradientWord::batchMean), at(memory, instruction, NeuronGradientWord::batchInverseDeviation),
      at(memory, instruction, NeuronGradientWord::weight), at(memory, instruction, NeuronGradientWord::bias)};
}

/** One time step of neurons `[first, last)`. */
template <uint32_t kind, bool divide, bool accumulate>
SPIKEFORMER_LOOP void singleStep(Bytes memory, uint32_t instruction, uint32_t first, uint32_t last) {
  const auto passage = Passage<kind, divide>::of(memory, instruction);
  const uint8_t* input = at(memory, instruction, NeuronGradientWord::input);
  const uint8_t* outputGradient = at(memory, instruction, NeuronGradientWord::outputGradient);
  uint8_t* inputGradient = at(memory, instruction, NeuronGradientWord::inputGradient);
  size_t neuron = first;
  for (; neuron + lanes <= last; neuron += lanes) {
    const Floats result = passage(load<Floats>(outputGradient + neuron * 4), load<Floats>(input + neuron * 4));
    deliver<true, accumulate>(inputGradient + neuron * 4, result, lanes);
  }
  if (neuron < last) {
    const uint32_t left = last - static_cast<uint32_t>(neuron);
    const Floats result = passage(loadLanes(outputGradient + neuron * 4, left), loadLanes(input + neuron * 4, left));
    deliver<false, accumulate>(inputGradient + neuron * 4, result, left);
  }
}

/** The gradient of neurons behind a normalisation, from the input of that: its output, which nobody else reads, need not be written and read again. */
template <uint32_t kind, bool divide, bool accumulate>
struct NormalisedPassage {
  Passage<kind, divide> passage;
  Normalisation normalisation;
  const uint8_t* outputGradient;
  uint8_t* inputGradient;

  __attribute__((always_inline)) static NormalisedPassage of(Bytes memory, uint32_t instruction) {
    return {
        Passage<kind, divide>::of(memory, instruction), normalisationOf(memory, instruction), SPIKEFORMER_ISA::at(memory, instruction, NeuronGradientWord::outputGradient),
        SPIKEFORMER_ISA::at(memory, instruction, NeuronGradientWord::inputGradient)};
  }

  /** Of numbers `place` bytes into the tensors and `placeInRow` into those of the normalisation. */
  template <bool isWhole>
  __attribute__((always_inline)) Floats at(size_t place, size_t placeInRow, Floats standard, uint32_t count) const {
    const Floats x = normalisation.scaledAndShifted<isWhole>(standard, placeInRow, count);
    const Floats result = passage(loadSome<isWhole>(outputGradient + place, count), x);
    return deliver<isWhole, accumulate>(inputGradient + place, result, count);
  }
};

/** One time step of rows `[first, last)` behind a normalisation. */
template <uint32_t kind, bool divide, bool accumulate>
SPIKEFORMER_LOOP void normalisedStep(Bytes memory, uint32_t instruction, uint32_t first, uint32_t last) {
  const auto passage = NormalisedPassage<kind, divide, accumulate>::of(memory, instruction);
  const uint8_t* input = at(memory, instruction, NeuronGradientWord::input);
  const uint32_t channels = wordOf(memory, instruction, NeuronGradientWord::channels);
  for (size_t row = first; row < last; row++) {
    const size_t start = row * channels * 4;
    uint32_t channel = 0;
    for (; channel + lanes <= channels; channel += lanes) {
      const size_t place = static_cast<size_t>(channel) * 4;
      const Floats standard = passage.normalisation.template standardised<true>(load<Floats>(input + start + place), place, lanes);
      passage.template at<true>(start + place, place, standard, lanes);
    }
    if (channel < channels) {
      const size_t place = static_cast<size_t>(channel) * 4;
      const uint32_t left = channels - channel;
      const Floats standard = passage.normalisation.template standardised<false>(loadLanes(input + start + place, left), place, left);
      passage.template at<false>(start + place, place, standard, left);
    }
  }
}

/** As `normalisedStep`, and leaves the sums of δ and of δ · x̂ for the gradient of the normalisation, as `batchGradientSums` would make them, to the bit; tasks are parts. */
template <uint32_t kind, bool divide, bool accumulate>
SPIKEFORMER_LOOP void normalisedStepWithSums(Bytes memory, uint32_t instruction, uint32_t from, uint32_t until) {
  const auto passage = NormalisedPassage<kind, divide, accumulate>::of(memory, instruction);
  const uint32_t channels = wordOf(memory, instruction, NeuronGradientWord::channels);
  const uint32_t rows = wordOf(memory, instruction, NeuronGradientWord::neurons) / channels;
  sumParts(
      passage, at(memory, instruction, NeuronGradientWord::input), passage.normalisation, rows, channels, at(memory, instruction, NeuronGradientWord::sums),
      wordOf(memory, instruction, NeuronGradientWord::parts), from, until);
}

/** All time steps of neurons `[neuron, neuron + count)`, forwards for the membranes, then backwards. Scratch: a register of membranes per time step. */
template <uint32_t kind, bool divide, bool isWhole>
SPIKEFORMER_INLINE void allSteps(Bytes memory, uint32_t instruction, uint8_t* waiting, size_t neuron, uint32_t count) {
  const uint32_t timeSteps = wordOf(memory, instruction, NeuronGradientWord::timeSteps);
  const size_t step = static_cast<size_t>(wordOf(memory, instruction, NeuronGradientWord::neurons)) * 4;
  const bool accumulate = wordOf(memory, instruction, NeuronGradientWord::accumulate) != 0;
  const bool detachReset = wordOf(memory, instruction, NeuronGradientWord::detachReset) != 0;
  const Floats factor = splatOfWord(memory, instruction, NeuronGradientWord::factor);
  const Floats threshold = splatOfWord(memory, instruction, NeuronGradientWord::threshold);
  const Floats inflow = splatOfWord(memory, instruction, NeuronGradientWord::inflow);
  const Floats decay = splatOfWord(memory, instruction, NeuronGradientWord::decay);
  const Floats alpha = splatOfWord(memory, instruction, NeuronGradientWord::alpha);
  const Floats stretch = stretchOf(kind, floatOf(memory, instruction, NeuronGradientWord::alpha));
  const uint8_t* input = at(memory, instruction, NeuronGradientWord::input);
  const uint8_t* outputGradient = at(memory, instruction, NeuronGradientWord::outputGradient);
  uint8_t* inputGradient = at(memory, instruction, NeuronGradientWord::inputGradient);
  size_t place = neuron * 4;
  Floats membrane = {};
  for (uint32_t time = 0; time < timeSteps; time++) {
    const Floats difference = loadSome<isWhole>(input + place, count) - membrane;
    const Floats h = membrane + (divide ? difference / factor : difference * factor);
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
    const Floats beforeReset = reachesSpike * derivative<kind>(stretch, alpha, h - threshold) + stays;
    const Floats result = beforeReset * inflow;
    if (accumulate) deliver<isWhole, true>(inputGradient + place, result, count);
    else deliver<isWhole, false>(inputGradient + place, result, count);
    afterReset = beforeReset * decay;
  }
}

template <uint32_t kind, bool divide>
SPIKEFORMER_LOOP void severalSteps(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t first, uint32_t last) {
  size_t neuron = first;
  for (; neuron + lanes <= last; neuron += lanes) allSteps<kind, divide, true>(memory, instruction, memory + scratch, neuron, lanes);
  if (neuron < last) allSteps<kind, divide, false>(memory, instruction, memory + scratch, neuron, last - static_cast<uint32_t>(neuron));
}

/** Chooses the loop that has no question left to ask. */
template <uint32_t kind, bool divide, bool accumulate>
SPIKEFORMER_INLINE void singleStepOf(Bytes memory, uint32_t instruction, uint32_t first, uint32_t last) {
  if (wordOf(memory, instruction, NeuronGradientWord::parts) != 0) normalisedStepWithSums<kind, divide, accumulate>(memory, instruction, first, last);
  else if (wordOf(memory, instruction, NeuronGradientWord::batchMean) != 0) normalisedStep<kind, divide, accumulate>(memory, instruction, first, last);
  else singleStep<kind, divide, accumulate>(memory, instruction, first, last);
}

template <uint32_t kind, bool divide>
SPIKEFORMER_INLINE void stepsOf(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t first, uint32_t last) {
  if (wordOf(memory, instruction, NeuronGradientWord::timeSteps) > 1) severalSteps<kind, divide>(memory, instruction, scratch, first, last);
  else if (wordOf(memory, instruction, NeuronGradientWord::accumulate) != 0) singleStepOf<kind, divide, true>(memory, instruction, first, last);
  else singleStepOf<kind, divide, false>(memory, instruction, first, last);
}

template <uint32_t kind>
SPIKEFORMER_INLINE void gradientOf(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t first, uint32_t last) {
  if (wordOf(memory, instruction, NeuronGradientWord::divide) != 0) stepsOf<kind, true>(memory, instruction, scratch, first, last);
  else stepsOf<kind, false>(memory, instruction, scratch, first, last);
}

/** Tasks are parts where sums are left, else whole rows behind a normalisation, else whole cache lines. */
void neuronGradient(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  const uint32_t neurons = wordOf(memory, instruction, NeuronGradientWord::neurons);
  uint32_t first = from;
  uint32_t last = until;
  if (wordOf(memory, instruction, NeuronGradientWord::parts) == 0) {
    const bool byRows = wordOf(memory, instruction, NeuronGradientWord::batchMean) != 0;
    const uint32_t rows = byRows ? neurons / wordOf(memory, instruction, NeuronGradientWord::channels) : 0;
    first = byRows ? claimStart(rows, from) : rangeStart(neurons, from);
    last = byRows ? claimStart(rows, until) : rangeStart(neurons, until);
  }
  const uint32_t kind = wordOf(memory, instruction, NeuronGradientWord::surrogate);
  if (kind == SurrogateKind::sigmoid) gradientOf<SurrogateKind::sigmoid>(memory, instruction, scratch, first, last);
  else if (kind == SurrogateKind::arctangent) gradientOf<SurrogateKind::arctangent>(memory, instruction, scratch, first, last);
  else gradientOf<SurrogateKind::rectangular>(memory, instruction, scratch, first, last);
}

/** A bit of each of eight channels that fires. */
template <bool divide, bool isWhole>
SPIKEFORMER_INLINE uint32_t firing8(const uint8_t* input, const Normalisation& normalisation, size_t place, uint32_t count, const Dynamics& dynamics) {
  const auto eight = [count](const uint8_t* from) __attribute__((always_inline)) { return isWhole ? load<FloatsOf<8>>(from) : loadEight(from, count); };
  const FloatsOf<8> standard = (eight(input + place) - eight(normalisation.mean + place)) * eight(normalisation.inverseDeviation + place);
  const FloatsOf<8> x = standard * eight(normalisation.weight + place) + eight(normalisation.bias + place);
  const FloatsOf<8> h = divide ? x / dynamics.factor : x * dynamics.factor;
  return bitsOf<8>(h >= splatOf<8>(dynamics.threshold));
}

/** Positions `[first, last)`: a word of spikes at a time, and what is left by bytes. */
template <bool divide>
SPIKEFORMER_LOOP void normalisedPositions(Bytes memory, uint32_t instruction, uint32_t first, uint32_t last) {
  const uint32_t channels = wordOf(memory, instruction, NormalisedNeuronWord::channels);
  const Dynamics dynamics = {floatOf(memory, instruction, NormalisedNeuronWord::factor), floatOf(memory, instruction, NormalisedNeuronWord::threshold)};
  const Normalisation normalisation = {
      at(memory, instruction, NormalisedNeuronWord::batchMean), at(memory, instruction, NormalisedNeuronWord::batchInverseDeviation),
      at(memory, instruction, NormalisedNeuronWord::weight), at(memory, instruction, NormalisedNeuronWord::bias)};
  const size_t rowBytes = static_cast<size_t>(channels) * 4;
  const size_t wordBytes = static_cast<size_t>((channels + 31) >> 5) * 4;
  const uint8_t* input = at(memory, instruction, NormalisedNeuronWord::input) + first * rowBytes;
  uint8_t* output = at(memory, instruction, NormalisedNeuronWord::output) + first * wordBytes;
  for (uint32_t position = first; position < last; position++) {
    uint32_t channel = 0;
    for (; channel + 32 <= channels; channel += 32) {
      uint32_t word = 0;
      for (uint32_t byte = 0; byte < 4; byte++) {
        word |= firing8<divide, true>(input, normalisation, static_cast<size_t>(channel + byte * 8) * 4, 8, dynamics) << (byte * 8);
      }
      store32(output + (channel >> 3), word);
    }
    if (channel < channels) {
      // Words end with bits of no channel: those are zero.
      uint32_t word = 0;
      uint8_t* target = output + (channel >> 3);
      for (uint32_t shift = 0; channel < channels; channel += 8, shift += 8) {
        const size_t place = static_cast<size_t>(channel) * 4;
        const uint32_t left = channels - channel;
        if (left >= 8) word |= firing8<divide, true>(input, normalisation, place, 8, dynamics) << shift;
        else word |= (firing8<divide, false>(input, normalisation, place, left, dynamics) & ((1u << left) - 1)) << shift;
      }
      store32(target, word);
    }
    input += rowBytes;
    output += wordBytes;
  }
}

/** One time step of neurons behind a batch normalisation, from its input: its output, which nobody else reads, is neither written nor read. Tasks are positions. */
void normalisedNeurons(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
  (void)scratch;
  const uint32_t positions = wordOf(memory, instruction, NormalisedNeuronWord::positions);
  const uint32_t first = claimStart(positions, from);
  const uint32_t last = claimStart(positions, until);
  if (wordOf(memory, instruction, NormalisedNeuronWord::divide) != 0) normalisedPositions<true>(memory, instruction, first, last);
  else normalisedPositions<false>(memory, instruction, first, last);
}

}  // namespace SPIKEFORMER_ISA
