/** What the learning rate of each parameter is multiplied by: what stands behind the backbone may learn faster than what was trained before. */
import { behindNothing } from '../models/head.js';
import { graphOf } from '../models/registry.js';
import { parametersOf } from '../operators/registry.js';
import { type Recipe, recipeNetwork } from './recipe.js';

/** By the name of a parameter: `optimizer.headRate` for those of neck and head, 1 for the backbone's. */
export function ratesOf(recipe: Recipe): (name: string) => number {
  const { headRate = 1 } = recipe.optimizer;
  if (headRate === 1) return () => 1;
  const { task: _asked, ...network } = recipeNetwork(recipe);
  const backbone = new Set(parametersOf(graphOf(network, behindNothing)).map(({ name }) => name));
  return (name) => (backbone.has(name) ? 1 : headRate);
}
