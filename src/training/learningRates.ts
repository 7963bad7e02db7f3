/** What the learning rate of each parameter is multiplied by: what stands behind the backbone may learn faster than what was trained before. */
import { behindNothing } from '../models/head.js';
import { graphOf } from '../models/registry.js';
import { parametersOf } from '../operators/registry.js';
import { type Recipe, recipeNetwork } from './recipe.js';
import { stemOf } from './whitenedStem.js';

/** By the name of a parameter: `optimizer.headRate` for those of neck and head, 0 for a frozen stem, 1 for the rest of the backbone. */
export function ratesOf(recipe: Recipe): (name: string) => number {
  const { headRate = 1 } = recipe.optimizer;
  const frozen = recipe.whitenedStem ? stemOf(recipe)?.name : undefined;
  if (headRate === 1) return (name) => (name === frozen ? 0 : 1);
  const { task: _asked, ...network } = recipeNetwork(recipe);
  const backbone = new Set(parametersOf(graphOf(network, behindNothing)).map(({ name }) => name));
  return (name) => (name === frozen ? 0 : backbone.has(name) ? 1 : headRate);
}
