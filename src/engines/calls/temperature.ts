/** A factor that is learned, as the temperature of a contrastive loss: both descriptors of a product carry its root. */
import type { Tensor } from '../tensor.js';
import { declareCall, float32, read, update, word, write } from './call.js';

/**
 * `output[i] = input[i] · √(min(exp(logarithm), limit))`: the product of two such numbers is scaled by the factor that CLIP (Radford et al. 2021) calls the logit scale. The root is
 * computed in float64 and rounded to float32.
 */
export interface TemperatureCall {
  readonly name: string;
  readonly elements: number;
  /** Real, `[elements]`. */
  readonly input: Tensor;
  /** Real, `[1]`. */
  readonly logarithm: Tensor;
  /** Real, `[elements]`; may be the input's memory. */
  readonly output: Tensor;
  /** The largest factor. */
  readonly limit: number;
}

const elementsShape = ({ elements }: Pick<TemperatureCall, 'elements'>) => [elements];
const one = () => [1];
const limit = float32(({ limit }: Pick<TemperatureCall, 'limit'>) => limit);

export const temperature = declareCall<TemperatureCall>('temperature', {
  sizes: ['elements'],
  tensors: {
    input: read('real', elementsShape),
    logarithm: read('real', one),
    output: write('real', elementsShape, ['input']),
  },
  settings: { limit },
});

/**
 * `δinput[i] = δoutput[i] · root`, and to the logarithm's gradient `½ · root · Σᵢ δoutput[i] · input[i]` is added, a sum in float64 in the order of the elements; nothing where
 * the factor is above its limit. At the limit itself it passes, as through PyTorch's `clamp`.
 */
export interface TemperatureGradientCall extends Omit<TemperatureCall, 'output'> {
  /** Real, `[elements]`. */
  readonly outputGradient: Tensor;
  /** Real, `[elements]`. */
  readonly inputGradient: Tensor;
  /** Real, `[1]`. */
  readonly logarithmGradient: Tensor;
  /** Add to what the input's gradient holds. */
  readonly accumulate: boolean;
}

export const temperatureGradient = declareCall<TemperatureGradientCall>('temperatureGradient', {
  sizes: ['elements'],
  tensors: {
    input: read('real', elementsShape),
    logarithm: read('real', one),
    outputGradient: read('real', elementsShape),
    inputGradient: write('real', elementsShape),
    logarithmGradient: update('real', one),
  },
  settings: { limit, accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
});
