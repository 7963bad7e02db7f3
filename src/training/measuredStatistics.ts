/**
 * Statistics of batch norm, measured anew for weights as they are. Averaged weights (`movingAverage`, `scripts/average-models.mjs`) give their
 * layers other means and variances than the weights that they are averages of, and the average of those statistics is not theirs. Their
 * own come from a pass over training images, as in Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (UAI 2018),
 * and Wu and Johnson, "Rethinking 'Batch' in BatchNorm" (2021).
 */
import type { AnyDataset } from '../data/datasets/dataset.js';
import { createLoader } from '../loader/loader.js';
import { batchNormMomentum } from '../operators/batchNorm.js';
import { TrainingError } from './errors.js';
import type { Phase, Recipe } from './recipe.js';
import type { RunParts } from './runState.js';
import type { ParameterSlot } from './trainingPlan.js';
import type { TrainedNetwork } from './trainingStep.js';

/**
 * Measures the statistics of a network's present weights and leaves them in it: the means over all values of the batches, and their
 * variances. Batch norms that a forward pass does not reach, as those of graphs that are asked afterwards, keep what they have.
 *
 * @param dataset The images that the weights were trained on; they are taken in an order that the recipe's seed decides, without augmentation.
 * @param batches Batches of the recipe's size, at most one pass over the images.
 * @returns the number of batches.
 * @throws TrainingError when there are too few images for a batch; DataError or ImageError naming a file that cannot be read.
 */
export async function measureStatistics(
  network: TrainedNetwork,
  recipe: Recipe,
  dataset: AnyDataset,
  { batches, preprocessing = recipe.data.preprocessing }: { batches: number; preprocessing?: Phase['preprocessing'] },
): Promise<number> {
  const { batchSize, seed } = recipe;
  if (dataset.size < batchSize)
    throw new TrainingError(
      `statistics: ${dataset.name} has ${dataset.size} ${dataset.noun}s, too few for a batch of ${batchSize}`,
    );
  const before = network.statistics.slice();
  const { length } = before;
  const [sums, squares] = [new Float64Array(length), new Float64Array(length)];
  const loader = createLoader(dataset, { batchSize, seed, preprocessing, shuffle: true, workers: 0 });
  let count = 0;
  try {
    for await (const { input } of loader.epoch(0)) {
      // From zero, what a pass leaves is the batch's own statistics times the momentum.
      network.statistics.fill(0);
      await network.forward(input);
      const { statistics } = network;
      for (let i = 0; i < length; i++) {
        const value = statistics[i]! / batchNormMomentum;
        sums[i]! += value;
        squares[i]! += value * value;
      }
      if (++count >= batches || (count + 1) * batchSize > dataset.size) break;
    }
  } finally {
    await loader.close();
  }
  const { statistics } = network;
  for (const [mean, variance] of pairsOf(network.plan.buffers.slots))
    for (let i = 0; i < mean.length; i++) {
      if (sums[mean.offset + i] === 0 && sums[variance.offset + i] === 0) {
        statistics[mean.offset + i] = before[mean.offset + i]!;
        statistics[variance.offset + i] = before[variance.offset + i]!;
        continue;
      }
      const centre = sums[mean.offset + i]! / count;
      // The law of total variance: that within batches, and that of their means.
      const between = Math.max(0, squares[mean.offset + i]! / count - centre * centre);
      statistics[mean.offset + i] = centre;
      statistics[variance.offset + i] = sums[variance.offset + i]! / count + between;
    }
  return count;
}

/**
 * What is evaluated and kept after an epoch: the averaged weights if the recipe averages, else the weights; rounded if it says so; their statistics measured if
 * it says so, else averaged like them. The network goes on as it was.
 *
 * @param dataset What is trained on.
 */
export async function evaluatedParameters(
  { network, averages }: RunParts,
  recipe: Recipe,
  dataset: AnyDataset,
  preprocessing: Phase['preprocessing'],
): Promise<Map<string, Float32Array>> {
  const batches = recipe.measuredStatistics;
  const seen = network.asSeen(averages?.weights.average ?? network.weights);
  if (batches === undefined) return network.parameters(seen, averages?.statistics.average);
  const [weights, statistics] = [network.weights.slice(), network.statistics.slice()];
  try {
    network.weights.set(seen);
    if (averages) network.statistics.set(averages.statistics.average);
    await measureStatistics(network, recipe, dataset, { batches, preprocessing });
    return network.parameters();
  } finally {
    network.weights.set(weights);
    network.statistics.set(statistics);
  }
}

/** The mean and the variance of each batch norm. */
function pairsOf(slots: readonly ParameterSlot[]): readonly (readonly [ParameterSlot, ParameterSlot])[] {
  const named = new Map(slots.map((slot) => [slot.spec.name, slot]));
  return slots.flatMap((slot) => {
    const variance = named.get(slot.spec.name.replace(/running_mean$/, 'running_var'));
    return slot.spec.role === 'runningMean' && variance ? [[slot, variance] as const] : [];
  });
}
