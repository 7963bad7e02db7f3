/** Cases of the kernels of dense prediction, whose maps change their size. */
import { pooledSize } from '../../../src/engines/calls/maxPool.js';
import { SeededNumbers } from '../support.js';
import { type Case, real, result, TensorSpec } from './specs.js';

const channelCounts = [1, 3, 33, 64];

/** Heights and widths before and after: the same, doubled, halved, odd, one pixel, longer on one axis alone. */
const resizes = [
  [4, 5, 4, 5],
  [3, 4, 6, 8],
  [8, 6, 4, 3],
  [7, 10, 13, 21],
  [7, 10, 9, 6],
  [13, 9, 5, 4],
  [5, 3, 1, 1],
  [1, 1, 3, 4],
  [1, 6, 7, 2],
  [2, 2, 9, 9],
] as const;

function ofResizes(isGradient: boolean): Case[] {
  return resizes.flatMap(([inputHeight, inputWidth, outputHeight, outputWidth], index) =>
    (['nearest', 'bilinear'] as const).map((mode) => {
      const channels = channelCounts[index % channelCounts.length]!;
      const images = 1 + 2 * (index % 2);
      const numbers = new SeededNumbers(index);
      const [small, large] = [
        [images, inputHeight, inputWidth, channels],
        [images, outputHeight, outputWidth, channels],
      ];
      const accumulate = index % 3 === 0;
      return {
        title: `${mode}, ${inputHeight}×${inputWidth} to ${outputHeight}×${outputWidth}, ${channels} channels`,
        call: {
          ...{ images, inputHeight, inputWidth, outputHeight, outputWidth, channels, mode },
          ...(isGradient
            ? {
                accumulate,
                outputGradient: real(numbers, large),
                inputGradient: accumulate ? real(numbers, small) : result(small),
              }
            : { input: real(numbers, small), output: result(large) }),
        },
      };
    }),
  );
}

/** Numbers further apart than what slopes are measured with, in an order of chance. */
function distinct(numbers: SeededNumbers, shape: readonly number[]): TensorSpec {
  const count = shape.reduce((product, size) => product * size);
  const values = Float32Array.from({ length: count }, (_, i) => (2 * i) / count - 1);
  for (let i = count - 1; i > 0; i--) {
    const other = numbers.whole(0, i);
    [values[i], values[other]] = [values[other]!, values[i]!];
  }
  return new TensorSpec('real', shape, values);
}

/** Few different numbers: most windows have several largest ones. */
function tied(numbers: SeededNumbers, shape: readonly number[]): TensorSpec {
  const count = shape.reduce((product, size) => product * size);
  return new TensorSpec(
    'real',
    shape,
    Float32Array.from({ length: count }, () => numbers.whole(-1, 1)),
  );
}

/** Height, width, kernel, stride, padding. */
const pools = [
  [5, 4, 1, 2, 0],
  [6, 5, 2, 2, 0],
  [7, 5, 3, 2, 1],
  [4, 6, 3, 1, 1],
  [3, 3, 3, 3, 0],
  [1, 1, 2, 1, 1],
  [9, 8, 5, 2, 2],
] as const;

function ofPools(isGradient: boolean): Case[] {
  return pools.flatMap(([inputHeight, inputWidth, kernel, stride, padding], index) =>
    [1, 5, 17].map((channels) => {
      const images = 1 + (index % 2);
      const numbers = new SeededNumbers(10 * index + channels);
      const shape = [images, inputHeight, inputWidth, channels];
      const call = { images, inputHeight, inputWidth, channels, kernel, stride, padding };
      const [height, width] = [pooledSize(inputHeight, call), pooledSize(inputWidth, call)];
      const pooled = [images, height, width, channels];
      const accumulate = index % 2 === 0;
      return {
        title: `${inputHeight}×${inputWidth}, kernel ${kernel}, stride ${stride}, padding ${padding}, ${channels} channels`,
        call: {
          ...call,
          ...(isGradient
            ? {
                accumulate,
                input: tied(numbers, shape),
                outputGradient: real(numbers, pooled),
                inputGradient: accumulate ? real(numbers, shape) : result(shape),
              }
            : { input: distinct(numbers, shape), output: result(pooled) }),
        },
      };
    }),
  );
}

/** Inside, over each border, outside, tiny, of no size and of less than none, larger than the map, and of an image that there is not. */
function regions(numbers: SeededNumbers, images: number): TensorSpec {
  const image = () => numbers.whole(0, images - 1);
  const rows = [
    ...Array.from({ length: 6 }, () => {
      const [x, y] = [60 * numbers.uniform() - 10, 50 * numbers.uniform() - 10];
      return [image(), x, y, x + 50 * numbers.uniform(), y + 40 * numbers.uniform()];
    }),
    [image(), 3.2, 4.1, 3.3, 4.25],
    [image(), 8, 8, 8, 16],
    [image(), 30, 20, 10, 12],
    [image(), -50, -50, -20, -20],
    [image(), 500, 500, 600, 600],
    [image(), -100, -100, 200, 200],
    [-1, 0, 0, 20, 20],
    [images, 0, 0, 20, 20],
    [0.5, 0, 0, 20, 20],
    [0, 1e30, -1e30, 2e30, 1e30],
  ];
  return new TensorSpec('real', [rows.length, 5], Float32Array.from(rows.flat()));
}

function ofRegions(isGradient: boolean): Case[] {
  return [
    { height: 9, width: 11, channels: 1, outputHeight: 7, outputWidth: 7, spatialScale: 0.25, samplingRatio: 0 },
    { height: 14, width: 9, channels: 3, outputHeight: 3, outputWidth: 5, spatialScale: 0.125, samplingRatio: 2 },
    { height: 1, width: 2, channels: 33, outputHeight: 2, outputWidth: 1, spatialScale: 1 / 16, samplingRatio: 0 },
    { height: 12, width: 12, channels: 20, outputHeight: 2, outputWidth: 2, spatialScale: 0.3, samplingRatio: 1 },
  ].map((sizes, index) => {
    const numbers = new SeededNumbers(index);
    const { height, width, channels, outputHeight, outputWidth, samplingRatio } = sizes;
    const images = 1 + (index % 3);
    const boxes = regions(numbers, images);
    const [map, bins] = [
      [images, height, width, channels],
      [boxes.shape[0]!, outputHeight, outputWidth, channels],
    ];
    const accumulate = index % 2 === 0;
    return {
      title: `${height}×${width} to ${outputHeight}×${outputWidth}, ${channels} channels, sampling ratio ${samplingRatio}`,
      call: {
        ...{ ...sizes, images, boxes: boxes.shape[0]!, regions: boxes },
        ...(isGradient
          ? {
              accumulate,
              outputGradient: real(numbers, bins),
              inputGradient: accumulate ? real(numbers, map) : result(map),
            }
          : { input: real(numbers, map), output: result(bins) }),
      },
    };
  });
}

function suppressionCases(): Case[] {
  return [1, 2, 7, 60].flatMap((boxes) =>
    [0, 0.3, 0.7].map((threshold, index) => {
      const images = [1, 3][index % 2]!;
      const numbers = new SeededNumbers(boxes + index);
      const corners = Array.from({ length: images * boxes }, () => {
        const [x, y] = [numbers.whole(0, 20), numbers.whole(0, 20)];
        return [x, y, x + numbers.whole(0, 12), y + numbers.whole(0, 12)];
      });
      // Few different scores, so that some are the same, and some that are none.
      const scores = corners.map(() => numbers.pick([0.1, 0.2, 0.3, 0.5, 0.9, -2, Number.NEGATIVE_INFINITY]));
      const shape = [images, boxes];
      const given = new TensorSpec('real', shape, Float32Array.from(scores));
      const groups = new TensorSpec(
        'real',
        shape,
        Float32Array.from(corners, () => numbers.whole(0, 2)),
      );
      return {
        title: `${boxes} boxes of ${images} images, threshold ${threshold}${index === 1 ? ', in groups' : ''}`,
        call: {
          ...{ images, boxes, threshold, scores: given },
          corners: new TensorSpec('real', [images, boxes, 4], Float32Array.from(corners.flat())),
          ...(index === 1 && { groups }),
          ...{ kept: result(shape), left: index === 2 ? given : result(shape) },
        },
      };
    }),
  );
}

export const mapCases: Readonly<Record<string, () => Case[]>> = {
  resize: () => ofResizes(false),
  resizeGradient: () => ofResizes(true),
  maxPool: () => ofPools(false),
  maxPoolGradient: () => ofPools(true),
  roiAlign: () => ofRegions(false),
  roiAlignGradient: () => ofRegions(true),
  nonMaximumSuppression: suppressionCases,
};
