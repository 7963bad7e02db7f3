/**
 * A gate of spikes, the last step of SDSA-1 (Yao et al. 2023, Spike-driven Transformer, NeurIPS): `Q ⊗ SN(SUM_c(K ⊗ V))`, a mask for each channel that holds for all
 * tokens of an image. An AND: spikes stay spikes.
 */
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/** `output[i, n, c] = input[i, n, c] · gate[i, c]`. */
export interface GateCall {
  readonly name: string;
  /** T·B. */
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  /** Spikes, `[images, tokens, channels]`. */
  readonly input: Tensor;
  /** Spikes, `[images, channels]`. */
  readonly gate: Tensor;
  /** Spikes, `[images, tokens, channels]`; may be the input's memory. */
  readonly output: Tensor;
}

type Sizes = Pick<GateCall, 'images' | 'tokens' | 'channels'>;

const tokenShape = ({ images, tokens, channels }: Sizes) => [images, tokens, channels];
const channelShape = ({ images, channels }: Sizes) => [images, channels];

export const gate = declareCall<GateCall>('gate', {
  sizes: ['images', 'tokens', 'channels'],
  tensors: {
    input: read('spikes', tokenShape),
    gate: read('spikes', channelShape),
    output: write('spikes', tokenShape, ['input']),
  },
});

/**
 * `δinput[i, n, c] = δoutput[i, n, c] · gate[i, c]` and `δgate[i, c] = Σₙ δoutput[i, n, c] · input[i, n, c]`. Replaces what the two gradients hold; `inputGradient` may
 * be `outputGradient`'s memory.
 */
export interface GateGradientCall extends Omit<GateCall, 'output'> {
  /** Real, `[images, tokens, channels]`. */
  readonly outputGradient: Tensor;
  /** Real, `[images, tokens, channels]`. */
  readonly inputGradient: Tensor;
  /** Real, `[images, channels]`. */
  readonly gateGradient: Tensor;
}

export const gateGradient = declareCall<GateGradientCall>('gateGradient', {
  sizes: ['images', 'tokens', 'channels'],
  tensors: {
    input: read('spikes', tokenShape),
    gate: read('spikes', channelShape),
    outputGradient: read('real', tokenShape),
    inputGradient: write('real', tokenShape, ['outputGradient']),
    gateGradient: write('real', channelShape),
  },
});
