/**
 * Leaky integrate-and-fire neurons, step by step in time. Not a surrogate and not trainable: only what flows forward.
 * Formula: `MultiStepLIFNode` of spikingjelly 0.0.0.0.12 with `decay_input` and hard reset to zero. Each operation is rounded
 * to float32 in PyTorch's order, because a membrane that lands exactly on the threshold must fire here as it does there.
 */
import { EngineError } from '../errors.js';
import { type LeakyIntegrateAndFireCall, spikeWords } from '../kernels.js';
import { expectApart, expectSize, expectWhole, realView, spikeView } from './memory.js';

/** Checks the call and returns what runs it. Throws EngineError. */
export function leakyIntegrateAndFire(call: LeakyIntegrateAndFireCall): () => void {
  checkNeuron(call);
  const { timeSteps, positions, channels } = call;
  const input = realView(call.name, call.input);
  const output = spikeView(call.name, call.output);
  const words = spikeWords(channels);
  const tau = Math.fround(call.tau);
  const threshold = Math.fround(call.threshold);
  const neurons = positions * channels;
  const membrane = new Float32Array(neurons);

  return () => {
    membrane.fill(0);
    output.fill(0);
    for (let step = 0; step < timeSteps; step++) {
      for (let neuron = 0; neuron < neurons; neuron++) {
        const x = input[(step * neurons + neuron) % input.length]!;
        const v = membrane[neuron]!;
        const h = Math.fround(v + Math.fround(Math.fround(x - v) / tau));
        const fires = h >= threshold;
        membrane[neuron] = fires ? 0 : h;
        if (!fires) continue;
        const channel = neuron % channels;
        const position = step * positions + (neuron - channel) / channels;
        const word = position * words + (channel >>> 5);
        output[word] = output[word]! | (1 << (channel & 31));
      }
    }
  };
}

function checkNeuron(call: LeakyIntegrateAndFireCall): void {
  const { name, timeSteps, inputTimeSteps, positions, channels, tau, threshold } = call;
  expectWhole(name, { timeSteps, inputTimeSteps, positions, channels });
  if (inputTimeSteps !== timeSteps && inputTimeSteps !== 1) {
    throw new EngineError(`${name}: the input has ${inputTimeSteps} time steps, expected ${timeSteps} or 1`);
  }
  if (!(tau > 0) || !Number.isFinite(threshold)) {
    throw new EngineError(
      `${name}: tau is ${tau} and the threshold ${threshold}, expected tau > 0, a finite threshold`,
    );
  }
  expectSize(name, 'input', call.input, inputTimeSteps * positions * channels, channels);
  expectSize(name, 'output', call.output, timeSteps * positions * channels, channels);
  expectApart(name, call.output, [call.input]);
}
