/** What `energy` counts: spikes of a model that flow while labelled images, or those that come with the program, run through it. */
import { openTaskEvaluationData, type TaskEvaluationData } from '../api/evaluationData.js';
import type { Model } from '../api/model.js';
import { modelForClasses } from '../api/shippedModels.js';
import type { EnergyConstants } from '../energy/constants.js';
import { type EnergyMeasurement, EnergyMeter } from '../energy/meter.js';
import { countCorrect } from '../metrics/accuracy.js';
import { firstOf, sampleLength } from '../modalities/input.js';
import { defaultTask, taskNamed } from '../tasks/registry.js';
import type { Io } from './io.js';
import { bundledPhotographs } from './photographs.js';
import { startProgress } from './progress.js';

interface Counted {
  /** Labelled images; undefined: the bundled photographs. */
  readonly data?: string | undefined;
  /** The largest number of them. */
  readonly images?: number | undefined;
  readonly batch: number;
}

interface Source extends Pick<Counted, 'data'> {
  readonly model?: string | undefined;
  readonly checkpoint?: string | undefined;
}

export interface Measured {
  readonly measured: EnergyMeasurement;
  readonly data: string;
  readonly noun: string;
  /** Undefined without labels. */
  readonly correct: number | undefined;
}

/** Labelled images for which nobody named a model, and the model for them; undefined without such. */
export async function dataOfUnnamed({ model, checkpoint, data: path }: Source) {
  if (path === undefined || model !== undefined || checkpoint !== undefined) return undefined;
  const data = await openTaskEvaluationData(taskNamed(defaultTask), path);
  return { data, model: modelForClasses(data.names) };
}

/** @param opened The labelled images, where they are open already. */
export async function measure(
  io: Io,
  model: Model,
  options: Counted,
  constants: EnergyConstants,
  opened?: TaskEvaluationData,
): Promise<Measured> {
  const meter = new EnergyMeter(model, constants);
  if (options.data === undefined) {
    const paths = await bundledPhotographs(model);
    const chosen = paths.slice(0, options.images);
    for (let first = 0; first < chosen.length; first += options.batch)
      await meter.run(await model.inputOf(chosen.slice(first, first + options.batch)));
    return { measured: meter.result(), data: 'the bundled photographs', noun: 'image', correct: undefined };
  }
  const { modality, input: shape } = model;
  const asked = { modality, reading: shape.reading };
  const data = opened ?? (await openTaskEvaluationData(taskNamed(model.task), options.data, asked));
  const total = Math.min(data.size, options.images ?? data.size);
  const progress = startProgress(io, 'energy', total, `${data.noun}s`);
  const classOf = data.names.map((name) => model.labels.indexOf(name));
  let named = taskNamed(model.task).targets.reading.from === 'classFolders' && model.hasLabels && !classOf.includes(-1);
  let [done, correct] = [0, 0];
  try {
    for await (const drawn of data.batches({ batch: options.batch, preprocess: shape.preprocessing })) {
      const { input }: { readonly input: Float32Array } = drawn;
      const batch = Math.min(input.length / sampleLength(shape), total - done);
      const logits = await meter.run(firstOf(input, shape, batch));
      const labels = classNumbers(drawn);
      // Of tasks that ask about every pixel there is not one a sample.
      named &&= labels?.length === input.length / sampleLength(shape);
      const targets = labels?.slice(0, batch);
      if (named)
        correct += countCorrect(
          logits.data,
          targets!.map((label) => classOf[label]!),
          logits.data.length / batch,
        );
      done += batch;
      progress.update(done);
      if (done >= total) break;
    }
  } finally {
    progress.stop();
  }
  return { measured: meter.result(), data: options.data, noun: data.noun, correct: named ? correct : undefined };
}

/** Undefined for targets that are no classes. */
function classNumbers(batch: object): readonly number[] | undefined {
  return 'labels' in batch ? Array.from(batch.labels as ArrayLike<number>) : undefined;
}
