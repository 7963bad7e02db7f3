/** Pixels around maps: with given values, or with those of a batch normalisation; and the way back. */
import {
  expectApart,
  expectEpsilon,
  expectLength,
  expectPerChannel,
  expectReal,
  expectRealSize,
  expectSize,
  expectWhole,
} from '../checks.js';
import type { Tensor } from '../tensor.js';
import type { BatchNormTensors } from './batchNorm.js';
import { declareCall, defineCall, read, word, write } from './call.js';

/** Surrounds each image with `padding` pixels that hold `values` (one per channel). */
export interface PadCall {
  readonly name: string;
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly values: Float32Array;
}

export const pad = defineCall<PadCall>('pad', {
  check: (call) => {
    const { name, images, inputHeight, inputWidth, channels, padding } = call;
    expectWhole(name, { images, inputHeight, inputWidth, channels });
    expectWhole(name, { padding }, 0);
    expectReal(name, call.input, call.output);
    expectSize(name, 'input', call.input, images * inputHeight * inputWidth * channels, channels);
    const outputLength = images * (inputHeight + 2 * padding) * (inputWidth + 2 * padding) * channels;
    expectSize(name, 'output', call.output, outputLength, channels);
    expectLength(name, 'values', call.values, channels);
    expectApart(name, call.output, [call.input]);
  },
  reads: ({ input }) => [input],
  writes: ({ output }) => [output],
});

/**
 * RepConv's border: pixels that hold what the normalisation with *running* statistics (as just updated) makes of 0,
 * `bias − runningMean · weight/√(runningVariance + ε)`. The authors detach it: the border has no gradient.
 */
export interface PadWithStatisticsCall {
  readonly name: string;
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly tensors: Pick<BatchNormTensors, 'weight' | 'bias' | 'runningMean' | 'runningVariance'>;
  readonly epsilon: number;
}

export const padWithStatistics = defineCall<PadWithStatisticsCall>('padWithStatistics', {
  check: (call) => {
    const { name, images, inputHeight, inputWidth, channels, padding, tensors } = call;
    expectWhole(name, { images, inputHeight, inputWidth, channels });
    expectWhole(name, { padding }, 0);
    expectEpsilon(name, call.epsilon);
    expectRealSize(name, 'input', call.input, images * inputHeight * inputWidth * channels);
    const outputLength = images * (inputHeight + 2 * padding) * (inputWidth + 2 * padding) * channels;
    expectRealSize(name, 'output', call.output, outputLength);
    expectPerChannel(name, channels, { ...tensors });
    expectApart(name, call.output, [call.input, ...Object.values(tensors)]);
  },
  reads: ({ input, tensors }) => [input, ...Object.values(tensors)],
  writes: ({ output }) => [output],
});

/** The inside of padded maps: `input` is `[images, height + 2·padding, width + 2·padding, channels]`. */
export interface CropCall {
  readonly name: string;
  readonly images: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly channels: number;
  readonly padding: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

export const crop = declareCall<CropCall>('crop', {
  sizes: ['images', 'outputHeight', 'outputWidth', 'channels'],
  tensors: {
    input: read('real', ({ images, outputHeight, outputWidth, channels, padding }) => [
      images,
      outputHeight + 2 * padding,
      outputWidth + 2 * padding,
      channels,
    ]),
    output: write('real', ({ images, outputHeight, outputWidth, channels }) => [
      images,
      outputHeight,
      outputWidth,
      channels,
    ]),
  },
  settings: { padding: word(({ padding }) => padding) },
  check: ({ name, padding }) => expectWhole(name, { padding }, 0),
});
