/** Which outputs of a depthwise convolution a spike reaches. */
import { expectApart, expectSpikes } from '../checks.js';
import { EngineError } from '../errors.js';
import { spikeWords, type Tensor } from '../tensor.js';
import { defineCall } from './call.js';
import { type ConvolutionGeometry, checkGeometry } from './convolution.js';

/** `output = 1` where a depthwise convolution has a spike under a weight that is not zero. */
export interface ReachCall {
  readonly name: string;
  /** Of a depthwise convolution. */
  readonly geometry: ConvolutionGeometry;
  readonly input: Tensor;
  readonly output: Tensor;
  /** Channels that have a weight at a tap, `[tap][word]`, packed as spikes are. */
  readonly masks: Uint32Array;
}

export const reach = defineCall<ReachCall>('reach', {
  check: ({ name, geometry: g, input, output, masks }) => {
    const { images, inputHeight, inputWidth, outputHeight, outputWidth, inputChannels: channels } = g;
    const shape = [images, outputHeight, outputWidth, channels];
    // The convolution whose window it is.
    const real: Tensor = { shape, storage: 'real', block: { byteLength: 0 }, byteOffset: 0 };
    checkGeometry({ name, geometry: g, input, output: real });
    if (g.groups !== channels || g.outputChannels !== channels)
      throw new EngineError(`${name}: ${g.groups} groups of ${channels} channels, expected a depthwise convolution`);
    expectSpikes(name, 'input', input, images * inputHeight * inputWidth, channels);
    expectSpikes(name, 'output', output, images * outputHeight * outputWidth, channels);
    const expected = g.kernelHeight * g.kernelWidth * spikeWords(channels);
    if (masks.length !== expected)
      throw new EngineError(`${name}: ${masks.length} words of masks were given, expected ${expected}`);
    expectApart(name, output, [input]);
  },
  reads: ({ input }) => [input],
  writes: ({ output }) => [output],
});
