/** Regions of maps, resampled to one size, and the gradient to the maps. */

import { expectWhole } from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, float32, read, word, write } from './call.js';

/** More samples than these along an axis of a bin are not taken: a box from outside may be of any size. */
export const mostSamples = 256;

/**
 * RoIAlign (He et al. 2017, Mask R-CNN) with `aligned=True`, as torchvision and mmcv define it, in float32. A box `[image, x1, y1, x2, y2]` in pixels begins at
 * `x1·scale − ½` on the map, has no least size, and is cut into `outputWidth` by `outputHeight` bins. A bin is the mean of samples at the middles of its
 * `samplingRatio²` equal parts, or, where that is 0, of its `⌈box / bins⌉` parts along each axis (at most `mostSamples`). A sample lies between four pixels, bilinear;
 * one at `y < −1` or `y > height` (x likewise) is 0, others outside lie on the border. A bin without samples is 0, and so are all of a box whose image is none of the
 * map's: −1 marks boxes that are not there.
 */
export interface RoiAlignCall {
  readonly name: string;
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly boxes: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  /** Pixels of the map by pixels of the image: 1/stride. */
  readonly spatialScale: number;
  /** Samples along each axis of a bin; 0: as many as pixels, rounded up. */
  readonly samplingRatio: number;
  /** Real, `[images, height, width, channels]`. */
  readonly input: Tensor;
  /** Real, `[boxes, 5]`: number of the image, x1, y1, x2, y2. */
  readonly regions: Tensor;
  /** Real, `[boxes, outputHeight, outputWidth, channels]`. */
  readonly output: Tensor;
}

type Sizes = Omit<RoiAlignCall, 'input' | 'regions' | 'output'>;

const inputShape = ({ images, height, width, channels }: Sizes) => [images, height, width, channels];
const regionShape = ({ boxes }: Sizes) => [boxes, 5];
const outputShape = ({ boxes, outputHeight, outputWidth, channels }: Sizes) => [
  boxes,
  outputHeight,
  outputWidth,
  channels,
];

const settings = {
  spatialScale: float32<Sizes>(({ spatialScale }) => spatialScale),
  samplingRatio: word<Sizes>(({ samplingRatio }) => samplingRatio),
};

function checkSettings({ name, spatialScale, samplingRatio }: Sizes): void {
  expectWhole(name, { samplingRatio }, 0);
  if (samplingRatio > mostSamples)
    throw new EngineError(`${name}: samplingRatio is ${samplingRatio}, expected at most ${mostSamples}`);
  if (!(spatialScale > 0 && spatialScale < Number.POSITIVE_INFINITY))
    throw new EngineError(`${name}: spatialScale is ${spatialScale}, expected a number above 0`);
}

export const roiAlign = declareCall<RoiAlignCall>('roiAlign', {
  sizes: ['images', 'height', 'width', 'channels', 'boxes', 'outputHeight', 'outputWidth'],
  tensors: {
    input: read('real', inputShape),
    regions: read('real', regionShape),
    output: write('real', outputShape),
  },
  settings,
  check: checkSettings,
});

/** What reaches a pixel of the map from all bins that sample it. Boxes get no gradient. */
export interface RoiAlignGradientCall extends Omit<RoiAlignCall, 'input' | 'output'> {
  /** Real, `[boxes, outputHeight, outputWidth, channels]`. */
  readonly outputGradient: Tensor;
  /** Real, `[images, height, width, channels]`. */
  readonly inputGradient: Tensor;
  /** Add to what the gradient holds. */
  readonly accumulate: boolean;
}

export const roiAlignGradient = declareCall<RoiAlignGradientCall>('roiAlignGradient', {
  sizes: ['images', 'height', 'width', 'channels', 'boxes', 'outputHeight', 'outputWidth'],
  tensors: {
    regions: read('real', regionShape),
    outputGradient: read('real', outputShape),
    inputGradient: write('real', inputShape),
  },
  settings: { ...settings, accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
  check: checkSettings,
});
