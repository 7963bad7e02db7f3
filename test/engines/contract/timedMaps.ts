/** Cases of the kernels of dense prediction that are long enough to be timed: a map of 64 × 48 pixels and 128 channels, as a decoder has it. */
import { SeededNumbers } from '../support.js';
import { type CallSpec, type Case, real, result, TensorSpec } from './specs.js';

const [height, width, channels] = [48, 64, 128];
const map = [1, height, width, channels];
const twice = [1, 2 * height, 2 * width, channels];
const half = [1, height / 2, width / 2, channels];
const numbers = new SeededNumbers(1);

const resizing = {
  ...{ images: 1, inputHeight: height, inputWidth: width, outputHeight: 2 * height, outputWidth: 2 * width },
  ...{ channels, mode: 'bilinear' },
};
const pooling = { images: 1, inputHeight: height, inputWidth: width, channels, kernel: 3, stride: 2, padding: 1 };

/** Corners of boxes of 20 to 120 pixels in an image of four times the map. */
function corners(count: number): number[][] {
  return Array.from({ length: count }, () => {
    const [x, y] = [(4 * width - 120) * numbers.uniform(), (4 * height - 120) * numbers.uniform()];
    return [x, y, x + 20 + 100 * numbers.uniform(), y + 20 + 100 * numbers.uniform()];
  });
}

function regionsCall(): CallSpec {
  const boxes = corners(100);
  const regions = new TensorSpec('real', [100, 5], Float32Array.from(boxes.flatMap((box) => [0, ...box])));
  const sizes = { images: 1, height, width, channels, boxes: 100, outputHeight: 7, outputWidth: 7 };
  return { ...sizes, spatialScale: 0.25, samplingRatio: 0, regions };
}

const bins = [100, 7, 7, channels];

const calls: Readonly<Record<string, readonly [title: string, call: () => CallSpec]>> = {
  resize: ['bilinear, doubled', () => ({ ...resizing, input: real(numbers, map), output: result(twice) })],
  resizeGradient: [
    'bilinear, doubled',
    () => ({ ...resizing, accumulate: false, outputGradient: real(numbers, twice), inputGradient: result(map) }),
  ],
  maxPool: ['kernel 3, stride 2', () => ({ ...pooling, input: real(numbers, map), output: result(half) })],
  maxPoolGradient: [
    'kernel 3, stride 2',
    () => ({
      ...{ ...pooling, accumulate: false, input: real(numbers, map) },
      ...{ outputGradient: real(numbers, half), inputGradient: result(map) },
    }),
  ],
  swapAxes: [
    'blocks of 2 × 2',
    () => {
      const shape = [1, height, width, 4 * channels];
      const sizes = { outer: height, first: width, second: 2, inner: 2 * channels };
      return { ...sizes, input: real(numbers, shape), output: result(twice) };
    },
  ],
  roiAlign: ['100 boxes, 7 × 7', () => ({ ...regionsCall(), input: real(numbers, map), output: result(bins) })],
  roiAlignGradient: [
    '100 boxes, 7 × 7',
    () => ({ ...regionsCall(), accumulate: false, outputGradient: real(numbers, bins), inputGradient: result(map) }),
  ],
  nonMaximumSuppression: [
    '1000 boxes',
    () => {
      const shape = [1, 1000];
      const boxes = new TensorSpec('real', [...shape, 4], Float32Array.from(corners(1000).flat()));
      const scores = { scores: real(numbers, shape), kept: result(shape), left: result(shape) };
      return { images: 1, boxes: 1000, threshold: 0.7, corners: boxes, ...scores };
    },
  ],
};

/** By the kernel's name. */
export function timedMap(kernel: string): Case | undefined {
  const [title, call] = calls[kernel] ?? [];
  return title && call ? { title, call: call() } : undefined;
}
