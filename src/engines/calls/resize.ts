/** Resampling of maps to another height and width, and its gradient. */
import type { Tensor } from '../tensor.js';
import { type DeclaredSetting, declareCall, read, word, write } from './call.js';

export type ResizeMode = 'nearest' | 'bilinear';

/**
 * PyTorch's `interpolate` with a size and `align_corners=False`, along both axes of each image, `a` pixels becoming `b`. Nearest: pixel `i` is that at `⌊i·a/b⌋`.
 * Bilinear: it lies at `s = max(0, (i + ½)·a/b − ½)`, between pixels `⌊s⌋` and `⌊s⌋ + 1` (the last one is its own neighbour), which it takes with weights `1 − λ` and
 * `λ = s − ⌊s⌋`. Smaller maps are not smoothed first.
 */
export interface ResizeCall {
  readonly name: string;
  /** T·B. */
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly channels: number;
  readonly mode: ResizeMode;
  /** Real, `[images, inputHeight, inputWidth, channels]`. */
  readonly input: Tensor;
  /** Real, `[images, outputHeight, outputWidth, channels]`. */
  readonly output: Tensor;
}

type Sizes = Omit<ResizeCall, 'name' | 'mode' | 'input' | 'output'>;

const inputShape = ({ images, inputHeight, inputWidth, channels }: Sizes) => [
  images,
  inputHeight,
  inputWidth,
  channels,
];
const outputShape = ({ images, outputHeight, outputWidth, channels }: Sizes) => [
  images,
  outputHeight,
  outputWidth,
  channels,
];
const bilinear: DeclaredSetting<Pick<ResizeCall, 'mode'>> = word(({ mode }) => (mode === 'bilinear' ? 1 : 0));

export const resize = declareCall<ResizeCall>('resize', {
  sizes: ['images', 'inputHeight', 'inputWidth', 'outputHeight', 'outputWidth', 'channels'],
  tensors: { input: read('real', inputShape), output: write('real', outputShape) },
  settings: { bilinear },
});

/** Every pixel of the input's gradient is the sum of the output's gradients with the weights that it had in them. */
export interface ResizeGradientCall extends Omit<ResizeCall, 'input' | 'output'> {
  /** Real, `[images, outputHeight, outputWidth, channels]`. */
  readonly outputGradient: Tensor;
  /** Real, `[images, inputHeight, inputWidth, channels]`. */
  readonly inputGradient: Tensor;
  /** Add to what the gradient holds. */
  readonly accumulate: boolean;
}

export const resizeGradient = declareCall<ResizeGradientCall>('resizeGradient', {
  sizes: ['images', 'inputHeight', 'inputWidth', 'outputHeight', 'outputWidth', 'channels'],
  tensors: { outputGradient: read('real', outputShape), inputGradient: write('real', inputShape) },
  settings: { bilinear, accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
});
