/** The weights that `train` starts from when a recipe names a checkpoint: what fits the recipe's network, and what a person should know of the rest. */
import { UsageError } from '../errors.js';
import type { Parameters } from '../graph/graph.js';
import { formatShape, type Shape, sameShape } from '../graph/shape.js';
import { openCheckpointFile } from '../interop/checkpointFiles.js';
import { type LoadedParameters, loadParameters } from '../interop/loadParameters.js';
import { architectureOf } from '../models/registry.js';
import { parametersOf } from '../operators/registry.js';
import { type AskedNetwork, askedGraph, knownTasks } from '../tasks/registry.js';
import { type Recipe, recipeNetwork } from '../training/recipe.js';

export interface StartingWeights {
  readonly parameters: Parameters;
  /** A line each. */
  readonly notes: readonly string[];
}

const NAMED = 4;

/** @throws UsageError when parameters other than the head's have other shapes than the recipe's network. */
export async function startingWeights(path: string, recipe: Recipe): Promise<StartingWeights> {
  const checkpoint = await openCheckpointFile(path);
  try {
    const network = recipeNetwork(recipe);
    const { architecture, configuration } = network;
    const unseen = architectureOf(network).unseen.map((name) => [name, configuration[name]]);
    return fitted(
      path,
      await loadParameters(checkpoint, { architecture, ...Object.fromEntries(unseen) }, knownTasks),
      network,
    );
  } finally {
    await checkpoint.close();
  }
}

function fitted(path: string, loaded: LoadedParameters, network: AskedNetwork): StartingWeights {
  const found = shapesOf(loaded);
  const wanted = shapesOf(network);
  const { head } = architectureOf(network).parameterNames;
  const missing = [...wanted.keys()].filter((name) => !found.has(name));
  const extra = [...found.keys()].filter((name) => !wanted.has(name));
  const others = [...wanted].filter(([name, shape]) => found.has(name) && !sameShape(found.get(name)!, shape));
  const [wrong] = others.filter(([name]) => !head.test(name));
  if (wrong) {
    const [name, shape] = wrong;
    throw new UsageError(
      `${path}: does not fit the recipe's model: ${name} is ${formatShape(found.get(name)!)} instead of ${formatShape(shape)}; change the recipe's model or finetune`,
    );
  }
  const left = new Set([...extra, ...others.map(([name]) => name)]);
  const { name, others: sets } = loaded.weights;
  const notes = [
    ...(sets.length > 0 ? [`the weights ${name} were taken, not ${sets.slice(0, NAMED).join(', ')}`] : []),
    ...note(missing, 'the file lacks', 'of the network; they begin anew'),
    ...note(
      others.map(([each]) => each),
      'the file has for another number of classes',
      'of the network; they begin anew',
    ),
    ...note(extra, "the recipe's network has no place for", 'of the file; they are left out'),
  ].map((text) => `${path}: ${text}`);
  return { parameters: new Map([...loaded.parameters].filter(([each]) => !left.has(each))), notes };
}

function shapesOf(network: AskedNetwork): ReadonlyMap<string, Shape> {
  const specs = parametersOf(askedGraph(network)).filter(({ role }) => role !== 'batchCount');
  return new Map(specs.map(({ name, shape }) => [name, shape]));
}

function note(names: readonly string[], before: string, after: string): string[] {
  if (names.length === 0) return [];
  const more = names.length > NAMED ? ', …' : '';
  return [`${before} ${names.length} parameters ${after} (${names.slice(0, NAMED).join(', ')}${more})`];
}
