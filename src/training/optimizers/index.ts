/** The optimizers by name, and the one function that makes them from settings. */
import { type AdamWSettings, createAdamW } from './adamW.js';
import { createLamb, type LambSettings } from './lamb.js';
import type { OptimizedParameter, Optimizer } from './optimizer.js';
import {
  createStochasticGradientDescent,
  type StochasticGradientDescentSettings,
} from './stochasticGradientDescent.js';

export { type AdamW, type AdamWSettings, adamWDefaults, createAdamW } from './adamW.js';
export {
  clipByGlobalNorm,
  clipByValue,
  clippingScale,
  firstNonFiniteGradient,
  globalNorm,
  scaleGradients,
} from './gradients.js';
export { createLamb, type LambSettings, lambDefaults } from './lamb.js';
export { type OptimizedParameter, type Optimizer, optimizedParameters } from './optimizer.js';
export {
  createStochasticGradientDescent,
  type StochasticGradientDescentSettings,
  stochasticGradientDescentDefaults,
} from './stochasticGradientDescent.js';

export type OptimizerSettings =
  | ({ readonly name: 'lamb' } & LambSettings)
  | ({ readonly name: 'adamw' } & AdamWSettings)
  | ({ readonly name: 'sgd' } & StochasticGradientDescentSettings);

/** @throws TrainingError when a setting is out of range or the layout is impossible. */
export function createOptimizer(parameters: readonly OptimizedParameter[], settings: OptimizerSettings): Optimizer {
  switch (settings.name) {
    case 'lamb':
      return createLamb(parameters, settings);
    case 'adamw':
      return createAdamW(parameters, settings);
    case 'sgd':
      return createStochasticGradientDescent(parameters, settings);
  }
}
