/** A small network with odd maps, strides, borders and heads, and images for it. */

import type { FieldTensor, SpikeRecord } from '../../src/api/model.js';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import type { Parameters } from '../../src/graph/graph.js';
import {
  type EngineOptions,
  type MetaSpikeformerConfiguration,
  Model,
  metaSpikeformer,
  resolveConfiguration,
} from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine } from '../../src/runtime/engines.js';

export const [batch, height, width, timeSteps] = [2, 19, 22, 2];

export const configuration = resolveConfiguration({
  embedDim: [6, 20, 36, 40],
  heads: 4,
  depths: [1, 1, 1, 1, 1],
  strides: [1, 2, 2, 1, 1],
  stemKernel: 5,
  classes: 4,
  timeSteps,
});

export async function modelOf(
  own: MetaSpikeformerConfiguration,
  parameters: Parameters,
  engine: EngineOptions,
): Promise<Model> {
  return new Model({
    configuration: own,
    parameters,
    engine: await createEngine(engine),
    provenance: { name: 'counted', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(16),
  });
}

/** @param axes `[B]` or `[T, B]`. */
export function imagesOf(
  axes: readonly number[],
  [rows, columns]: readonly [number, number],
  seed: number,
): FieldTensor {
  const random = seededRandom(seed);
  const shape = [...axes, 3, rows, columns];
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()) };
}

export async function smallModel(
  parameters: Parameters = demonstrationParameters(metaSpikeformer(configuration), 3),
  own = configuration,
): Promise<{ readonly model: Model; readonly input: FieldTensor }> {
  const model = await modelOf(own, parameters, { threads: 1 });
  return { model, input: imagesOf([batch], [height, width], 4) };
}

/** One number per neuron, `[T, B, C, …]`. */
export function unpacked({ shape, bits }: SpikeRecord): Uint8Array {
  const count = shape.reduce((a, b) => a * b);
  return Uint8Array.from({ length: count }, (_, i) => (bits[i >> 3]! >> (7 - (i & 7))) & 1);
}
