/** The mean over the positions of an image, and its gradient. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[i, c] = mean over p of input[i, p, c]`. */
export interface SpatialMeanCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
}

export const spatialMean = declareCall<SpatialMeanCall>('spatialMean', {
  sizes: ['images', 'positions', 'channels'],
  tensors: {
    input: read('real', ({ images, positions, channels }) => [images, positions, channels]),
    output: write('real', ({ images, channels }) => [images, channels]),
  },
});

/** `inputGradient[i, p, c] = outputGradient[i, c] / positions`. */
export interface SpatialMeanGradientCall {
  readonly name: string;
  readonly images: number;
  readonly positions: number;
  readonly channels: number;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
}

export const spatialMeanGradient = declareCall<SpatialMeanGradientCall>('spatialMeanGradient', {
  sizes: ['images', 'positions', 'channels'],
  tensors: {
    outputGradient: read('real', ({ images, channels }) => [images, channels]),
    inputGradient: write('real', ({ images, positions, channels }) => [images, positions, channels]),
  },
});
