/** The largest number of each window, and its gradient. */
import { expectWhole } from '../checks.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, read, word, write } from './call.js';

/**
 * PyTorch's `max_pool2d`: `output[i, y, x, c] = max over k, l < kernel of input[i, y·stride − padding + k, x·stride − padding + l, c]`, over those that lie in the map.
 * Where one of them is no number, neither is the result.
 */
export interface MaxPoolCall {
  readonly name: string;
  /** T·B. */
  readonly images: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
  /** On each side; at most half of the kernel, so that every window meets the map. */
  readonly padding: number;
  /** Real, `[images, inputHeight, inputWidth, channels]`. */
  readonly input: Tensor;
  /** Real, `[images, pooled(inputHeight), pooled(inputWidth), channels]`. */
  readonly output: Tensor;
}

/** ⌊(size + 2·padding − kernel) / stride⌋ + 1 */
export function pooledSize(
  size: number,
  { kernel, stride, padding }: Pick<MaxPoolCall, 'kernel' | 'stride' | 'padding'>,
): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

type Sizes = Omit<MaxPoolCall, 'input' | 'output'>;

const inputShape = ({ images, inputHeight, inputWidth, channels }: Sizes) => [
  images,
  inputHeight,
  inputWidth,
  channels,
];
const outputShape = (call: Sizes) => [
  call.images,
  pooledSize(call.inputHeight, call),
  pooledSize(call.inputWidth, call),
  call.channels,
];

function checkWindow({ name, inputHeight, inputWidth, kernel, padding }: Sizes): void {
  expectWhole(name, { padding }, 0);
  if (2 * padding > kernel)
    throw new EngineError(`${name}: padding is ${padding}, expected at most half of the kernel, which is ${kernel}`);
  if (Math.min(inputHeight, inputWidth) + 2 * padding < kernel)
    throw new EngineError(
      `${name}: a map of ${inputHeight}×${inputWidth} is smaller than the kernel, which is ${kernel}`,
    );
}

export const maxPool = declareCall<MaxPoolCall>('maxPool', {
  sizes: ['images', 'inputHeight', 'inputWidth', 'channels', 'kernel', 'stride'],
  tensors: { input: read('real', inputShape), output: write('real', outputShape) },
  settings: { padding: word(({ padding }) => padding) },
  check: checkWindow,
});

/** The gradient of each window goes to its largest number, the first of them in the order of rows. */
export interface MaxPoolGradientCall extends Omit<MaxPoolCall, 'output'> {
  /** Real, in the shape of the output. */
  readonly outputGradient: Tensor;
  /** Real, in the shape of the input. */
  readonly inputGradient: Tensor;
  /** Add to what the gradient holds. */
  readonly accumulate: boolean;
}

export const maxPoolGradient = declareCall<MaxPoolGradientCall>('maxPoolGradient', {
  sizes: ['images', 'inputHeight', 'inputWidth', 'channels', 'kernel', 'stride'],
  tensors: {
    input: read('real', inputShape),
    outputGradient: read('real', outputShape),
    inputGradient: write('real', inputShape),
  },
  settings: { padding: word(({ padding }) => padding), accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
  check: checkWindow,
});
