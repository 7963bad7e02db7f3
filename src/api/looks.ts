/** A model asked about several looks at the same input, which the task turns into one answer. */

import { furtherLooks, throughLook } from '../modalities/image/looks.js';
import { batchShape, sampleLength } from '../modalities/input.js';
import type { Model, Outputs } from './model.js';

/**
 * What a model says of an input's further looks, one after the other.
 *
 * @param input Preprocessed images, `[B, 3, H, W]`.
 * @param count Of looks, the input itself included.
 */
export async function answersToLooks(model: Model, input: Float32Array, count: number): Promise<readonly Outputs[]> {
  const shape = { ...model.input, channels: model.configuration.inputChannels };
  const answers: Outputs[] = [];
  for (const look of furtherLooks(count)) {
    const data = throughLook(input, model.input.size, look);
    const { outputs } = await model.run({ shape: batchShape(shape, data.length / sampleLength(shape)), data });
    answers.push(
      new Map([...outputs].map(([name, { shape: of, data: said }]) => [name, { shape: of, data: said.slice() }])),
    );
  }
  return answers;
}
