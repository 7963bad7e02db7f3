/**
 * The samples that a network did worst on, as pictures: what is true on the left, what it says on the right, in the pixels in which it was judged. Only those that may still be drawn
 * are held, so that memory does not grow with the data.
 */
import { basename } from 'node:path';
import type { Model, Outputs } from '../api/model.js';
import type { RgbImage } from '../data/image.js';
import type { Size } from '../data/resize.js';
import { sampleLength } from '../modalities/input.js';
import { inputOf } from '../modalities/inputs.js';
import type { AnyTask } from '../tasks/registry.js';
import { type Drawings, sideBySide } from './drawing.js';
import { OptionError } from './options.js';

export const defaultWorst = 20;
export const mostWorst = 200;

interface Kept {
  readonly agreement: number;
  readonly name: string;
  readonly picture: RgbImage;
  readonly truth: unknown;
  readonly answer: unknown;
}

interface Drawn {
  readonly model: Model;
  readonly task: AnyTask;
  /** The names of the classes. */
  readonly labels: readonly string[];
}

/** Samples of a batch, the floats of one after those of another; or one picture, all of which was seen. */
type NamedSamples = { readonly indices: ArrayLike<number> } & (
  | { readonly input: Float32Array }
  | { readonly picture: RgbImage }
);

export class WorstSamples {
  readonly #limit: number;
  readonly #drawn: Drawn;
  /** From the worst on. */
  #kept: Kept[] = [];

  /** @throws OptionError for a task whose answers cannot be drawn beside what is true. */
  constructor(limit: number, drawn: Drawn) {
    const { task, model } = drawn;
    if (task.comparing === undefined || inputOf(model.modality).seen === undefined)
      throw new OptionError(`--draw: says nothing to an evaluation of ${task.name}; leave it out`);
    this.#limit = limit;
    this.#drawn = drawn;
  }

  /** @param nameOf What sample i of the batch's numbering is called. */
  add(outputs: Outputs, batch: NamedSamples, nameOf: (index: number) => string): void {
    const { task, labels } = this.#drawn;
    const { telling, comparing } = task;
    const frame = this.#frameOf(batch);
    const reading = { labels, top: telling.most ?? labels.length, threshold: 0 };
    const answers = telling.decode(
      outputs,
      Array.from(batch.indices, () => frame),
      reading,
    );
    for (const [i, truth] of comparing!.truths(batch, frame, labels).entries()) {
      const agreement = comparing!.agreement(answers[i], truth);
      if (this.#kept.length === this.#limit && agreement >= this.#kept.at(-1)!.agreement) continue;
      const picture = this.#pictureOf(batch, i);
      const kept = { agreement, name: nameOf(batch.indices[i]!), picture, truth, answer: answers[i] };
      // Of equal ones the first stay first.
      this.#kept = [...this.#kept, kept].sort((a, b) => a.agreement - b.agreement).slice(0, this.#limit);
    }
  }

  /** The size in whose pixels a batch was judged. */
  #frameOf(batch: NamedSamples): Size {
    if ('picture' in batch) return { width: batch.picture.width, height: batch.picture.height };
    const [height, width] = this.#drawn.model.input.size;
    return { width, height };
  }

  #pictureOf(batch: NamedSamples, i: number): RgbImage {
    if ('picture' in batch) return batch.picture;
    const { input, configuration, modality } = this.#drawn.model;
    const length = sampleLength({ ...input, channels: configuration.inputChannels });
    return inputOf(modality).seen!(batch.input.subarray(i * length, (i + 1) * length), input.preprocessing);
  }

  /** Files are called by their rank and the sample. @returns how many were written. */
  async write(drawings: Drawings): Promise<number> {
    const { telling, comparing } = this.#drawn.task;
    const digits = `${this.#kept.length}`.length;
    for (const [rank, { agreement, name, picture, truth, answer }] of this.#kept.entries()) {
      const sides = await sideBySide(picture, [
        { elements: telling.draw(truth, picture), caption: 'truth' },
        { elements: telling.draw(answer, picture), caption: `answer, ${comparing!.called} ${agreement.toFixed(3)}` },
      ]);
      await drawings.write(`${`${rank + 1}`.padStart(digits, '0')} ${basename(name)}`, sides);
    }
    return this.#kept.length;
  }
}
