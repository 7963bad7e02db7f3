/**
 * A first convolution that is not learned: its kernels are the main directions of the training images' patches, each of length one over the
 * deviation along it, so that its outputs are uncorrelated and equally strong from the first step on. Pairs of kernels differ in sign alone,
 * since a neuron behind them fires on one side only (as the first layer in Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024,
 * for a network without spikes).
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { AnyDataset } from '../data/datasets/dataset.js';
import type { Parameters } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { createLoader } from '../loader/loader.js';
import { parametersOf } from '../operators/registry.js';
import { askedGraph } from '../tasks/registry.js';
import { TrainingError } from './errors.js';
import { type Phase, type Recipe, recipeInput, recipeNetwork } from './recipe.js';

/** Images that patches are taken from. */
const mostImages = 2048;
/** Patches lie so far apart: neighbours say nearly the same. */
const distance = 3;
/** Added to variances, so that directions in which nothing happens are not blown up. */
const leastVariance = 5e-4;

type Network = Pick<Recipe, 'task' | 'model'>;

/** The weight of the network's first layer, where that is a convolution `[outputs, channels, height, width]` of pixels; else undefined. */
export function stemOf({ task, model }: Network): { readonly name: string; readonly shape: Shape } | undefined {
  const [first] = parametersOf(askedGraph(recipeNetwork({ task, model })));
  return first?.shape.length === 4 && first.shape[1] === model.inputChannels ? first : undefined;
}

/**
 * The stem's weights by name. Kernel 2i is the i-th direction, the strongest first, kernel 2i + 1 its negative; where there are more kernels than
 * that, the directions begin again.
 *
 * @param dataset The images that are trained on; at most 2,048 of them, chosen by the recipe's seed, are looked at, without augmentation.
 * @throws TrainingError for a network without such a layer; DataError or ImageError naming a file that cannot be read.
 */
export async function whitenedStem(
  recipe: Recipe,
  dataset: AnyDataset,
  preprocessing: Phase['preprocessing'],
): Promise<Parameters> {
  const stem = stemOf(recipe);
  if (!stem)
    throw new TrainingError('whitenedStem: the first layer of this network is no convolution of pixels; leave it out');
  const { name, shape } = stem;
  const [outputs = 0, channels = 0, kernelHeight = 0, kernelWidth = 0] = shape;
  const [height = 0, width = 0] = recipeInput(recipe).shapeOf(preprocessing).places;
  const batchSize = Math.min(64, dataset.size);
  const loader = createLoader(dataset, { batchSize, seed: recipe.seed, preprocessing, workers: 0 });
  const moments = new PatchMoments([channels, kernelHeight, kernelWidth]);
  let images = 0;
  try {
    for await (const { input } of loader.epoch(0)) {
      moments.add(input, [channels, height, width]);
      images += batchSize;
      if (images >= mostImages) break;
    }
  } finally {
    await loader.close();
  }
  return new Map([[name, kernelsOf(moments.matrix(), outputs)]]);
}

/** E[p pᵀ] over patches p. */
class PatchMoments {
  readonly #patch: readonly [number, number, number];
  readonly #size: number;
  readonly #sums: Float64Array;
  #count = 0;

  constructor(patch: readonly [channels: number, height: number, width: number]) {
    this.#patch = patch;
    this.#size = elementCount(patch);
    this.#sums = new Float64Array(this.#size * this.#size);
  }

  /** @param images `[B, C, H, W]` */
  add(images: Float32Array, [channels, height, width]: readonly [number, number, number]): void {
    const [, kernelHeight, kernelWidth] = this.#patch;
    const image = channels * height * width;
    for (let start = 0; start < images.length; start += image)
      for (let y = 0; y + kernelHeight <= height; y += distance)
        for (let x = 0; x + kernelWidth <= width; x += distance)
          this.#addPatch(images, start + y * width + x, height * width, width);
  }

  #addPatch(images: Float32Array, start: number, plane: number, width: number): void {
    const [channels, kernelHeight, kernelWidth] = this.#patch;
    const patch = new Float64Array(this.#size);
    let at = 0;
    for (let c = 0; c < channels; c++)
      for (let dy = 0; dy < kernelHeight; dy++)
        for (let dx = 0; dx < kernelWidth; dx++) patch[at++] = images[start + c * plane + dy * width + dx]!;
    const size = this.#size;
    const sums = this.#sums;
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sums[i * size + j]! += patch[i]! * patch[j]!;
    this.#count++;
  }

  matrix(): Matrix {
    const count = Math.max(1, this.#count);
    return Matrix.from1DArray(
      this.#size,
      this.#size,
      [...this.#sums].map((sum) => sum / count),
    );
  }
}

/** ± eᵢ / √(λᵢ + ε), as many as the layer has outputs. */
function kernelsOf(moments: Matrix, outputs: number): Float32Array {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(moments, { assumeSymmetric: true });
  const strongest = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const size = strongest.length;
  const kernels = new Float32Array(outputs * size);
  for (let output = 0; output < outputs; output++) {
    const direction = strongest[(output >> 1) % size]!;
    const scale = (output & 1 ? -1 : 1) / Math.sqrt(Math.max(0, realEigenvalues[direction]!) + leastVariance);
    for (let k = 0; k < size; k++) kernels[output * size + k] = scale * eigenvectorMatrix.get(k, direction);
  }
  return kernels;
}
