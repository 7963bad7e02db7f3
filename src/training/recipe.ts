/**
 * A recipe is everything that decides a training run, in one readable file: network, data, optimizer, schedule, loss, augmentation,
 * seed. The same recipe on the same data gives the same weights. Recipes come from outside and pass one schema.
 */
import { z } from 'zod';
import { type AugmentationSettings, augmentationSchema } from '../data/augment/settings.js';
import { type PreprocessSettings, preprocessSettingsSchema } from '../data/preprocess.js';
import { resolveConfiguration } from '../models/configurations.js';
import type { MetaSpikeformerConfiguration, MetaSpikeformerOptions } from '../models/metaSpikeformer.js';
import { TrainingError } from './errors.js';

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const moments = { firstMomentDecay: share.default(0.9), secondMomentDecay: share.default(0.999) };

const optimizerSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal('adamw'),
    ...moments,
    epsilon: positive.default(1e-8),
    weightDecay: z.number().min(0).default(0.05),
  }),
  z.strictObject({
    name: z.literal('lamb'),
    ...moments,
    epsilon: positive.default(1e-6),
    weightDecay: z.number().min(0).default(0.05),
    trustClip: z.boolean().default(true),
  }),
  z.strictObject({
    name: z.literal('sgd'),
    momentum: share.default(0.9),
    nesterov: z.boolean().default(true),
    weightDecay: z.number().min(0).default(5e-4),
  }),
]);

const scheduleSchema = z.strictObject({
  kind: z.enum(['cosine', 'oneCycle', 'constant']).default('cosine'),
  /** The highest rate, for the recipe's whole batch (batchSize · accumulate). */
  learningRate: positive,
  minimum: z.number().min(0).default(1e-6),
  warmUpEpochs: z.number().min(0).default(0),
});

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

const lossSchema = z
  .strictObject({
    labelSmoothing: share.default(0),
    /**
     * Draws the firing rate of every neuron layer to a target: adds weight · mean over layers of (rate − target)², the rate being the
     * share of a batch's neurons that fire. Fewer spikes are fewer operations. null: no such loss.
     */
    firingRate: z
      .strictObject({ target: share, weight: z.number().positive().max(1e6) })
      .nullable()
      .default(null),
    /** TET: every time step's scores answer for themselves; null: their mean over time does. */
    temporalEfficient: z
      .strictObject({ regulariserShare: share.default(0), regulariserTarget: z.number().default(1) })
      .nullable()
      .default(null),
    /** A teacher for the network's second head; null: none. */
    distillation: z
      .strictObject({
        /** A checkpoint of ours, or an ONNX file (needs the package onnxruntime-node). */
        teacher: z.string().min(1).nullable().default(null),
        /** `hard`: the teacher's likeliest class; `soft`: its probabilities at a temperature. */
        kind: z.enum(['hard', 'soft']).default('hard'),
        teacherShare: share.default(0.5),
        temperature: positive.default(1),
        /** What the teacher's images are normalised with; by default what its checkpoint says, else the student's. */
        normalisation: z.strictObject({ mean: perChannel, std: perChannel }).nullable().default(null),
      })
      .nullable()
      .default(null),
  })
  .refine(({ temporalEfficient, distillation }) => temporalEfficient === null || distillation === null, {
    path: ['temporalEfficient'],
    error: 'temporalEfficient and distillation exclude each other',
  });

const recipeSchema = z.strictObject({
  name: z.string().min(1).max(100),
  /** Where its settings come from; in a sentence. */
  provenance: z.string().max(2000).default(''),
  model: z.record(z.string(), z.unknown()),
  /**
   * What the biases of batch norms start with; 0 everywhere is PyTorch's. One number for all, or by place: `neurons` in front of
   * neurons, `branches` within and at the end of residual branches, `last` for the last downsampling, whose output all later branches are added to.
   */
  batchNormBias: z
    .union([
      z.number().transform((value) => ({ neurons: value, branches: value, last: value })),
      z.strictObject({ neurons: z.number(), branches: z.number().default(0), last: z.number() }),
    ])
    .prefault(0),
  /**
   * What the scales of the batch norms at the end of residual branches start with; 1 is PyTorch's. Smaller ones let the residual stream pass
   * nearly unchanged at first, so that a flipped spike does not flip others behind it.
   */
  branchScale: z.number().min(0).max(10).default(1),
  /** A checkpoint to start from, instead of fresh weights. */
  finetune: z.string().nullable().default(null),
  data: z.strictObject({
    preprocessing: preprocessSettingsSchema,
    /** Training images set aside to choose the best weights by; below 1 a share. 0: none, the last weights are the best. */
    holdOut: z.number().min(0).default(0),
    workers: z.number().int().min(0).max(64).default(1),
    /** How often in succession each image is drawn, augmented anew each time (repeated augmentation). */
    repeated: z.number().int().min(1).max(64).default(1),
  }),
  epochs: z.number().positive().max(10_000),
  /**
   * Of those epochs the first may be on smaller images, which cost less (progressive resizing; Howard 2018, Tan and Le 2021): the entries
   * follow each other, the rest has the preprocessing's size. An entry's augmentation replaces the recipe's.
   */
  smallerFirst: z
    .array(
      z.strictObject({
        epochs: z.number().int().min(1).max(10_000),
        imageSize: z.number().int().min(8).max(2048),
        augmentation: augmentationSchema.optional(),
      }),
    )
    .max(16)
    .default([]),
  batchSize: z.number().int().min(1).max(4096),
  /** Batches whose gradients are added before one update. */
  accumulate: z.number().int().min(1).max(1024).default(1),
  optimizer: optimizerSchema,
  schedule: scheduleSchema,
  /** Largest global norm of a gradient; null: none. LAMB clips at 1 by itself. */
  clipNorm: positive.nullable().default(null),
  loss: lossSchema.prefault({}),
  augmentation: augmentationSchema.prefault({}),
  surrogate: z
    .strictObject({
      kind: z.enum(['sigmoid', 'arctangent', 'rectangular']).default('sigmoid'),
      alpha: positive.default(4),
      detachReset: z.boolean().default(true),
    })
    .prefault({}),
  /** Decay of the moving average of weights that is evaluated and shipped; null: the weights themselves. */
  movingAverage: z.number().min(0).max(0.999999).nullable().default(null),
  seed: z.number().int().min(0).max(0xffffffff).default(1),
  /** Steps between two saved states within an epoch. */
  saveEvery: z.number().int().min(1).default(500),
  /** Steps between two lines of metrics. */
  logEvery: z.number().int().min(1).default(50),
});

type ParsedRecipe = z.output<typeof recipeSchema>;

export interface Recipe extends Omit<ParsedRecipe, 'model' | 'data' | 'augmentation'> {
  readonly model: MetaSpikeformerConfiguration;
  readonly data: Omit<ParsedRecipe['data'], 'preprocessing'> & { readonly preprocessing: PreprocessSettings };
  readonly augmentation: AugmentationSettings;
}

/** How images become input in a part of a run. */
export interface Phase {
  readonly preprocessing: PreprocessSettings;
  readonly augmentation: AugmentationSettings;
}

/** The phase of an epoch, counted from 0: one of `smallerFirst`, or the recipe's own. Equal phases are the same object. */
export function phasesOf(recipe: Recipe): (epoch: number) => Phase {
  const whole = { preprocessing: recipe.data.preprocessing, augmentation: recipe.augmentation };
  let end = 0;
  const smaller = recipe.smallerFirst.map(({ epochs, imageSize, augmentation = recipe.augmentation }) => {
    end += epochs;
    const crop: [number, number] = [imageSize, imageSize];
    return { end, phase: { preprocessing: { ...whole.preprocessing, resize: imageSize, crop }, augmentation } };
  });
  return (epoch) => smaller.find((part) => epoch < part.end)?.phase ?? whole;
}

/**
 * @param source What messages call it.
 * @throws TrainingError naming the field that is wrong; UsageError for a network that cannot be.
 */
export function parseRecipe(value: unknown, source: string): Recipe {
  const parsed = recipeSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new TrainingError(`${source}: recipe is wrong at ${issue.path.join('.') || 'the whole'}: ${issue.message}`);
  }
  // `resolveConfiguration` checks what the record holds.
  const model = resolveConfiguration(parsed.data.model as unknown as MetaSpikeformerOptions);
  const recipe = { ...parsed.data, model };
  refuseContradictions(recipe, source);
  return recipe;
}

function refuseContradictions({ model, loss, augmentation, smallerFirst }: Recipe, source: string): void {
  const { temporalEfficient, distillation } = loss;
  if (model.distillation !== (distillation !== null)) {
    throw new TrainingError(
      model.distillation
        ? `${source}: the network has a second head, but no teacher; set loss.distillation.teacher=FILE or distillation=false`
        : `${source}: loss.distillation needs a network with a second head; set distillation=true`,
    );
  }
  if (distillation !== null && distillation.teacher === null)
    throw new TrainingError(`${source}: the teacher is missing; set loss.distillation.teacher=FILE`);
  const mixes = [augmentation, ...smallerFirst.map((part) => part.augmentation)].some((part) => part?.mix);
  if (mixes && (temporalEfficient || distillation)) {
    throw new TrainingError(
      `${source}: augmentation.mix makes soft targets, which ${temporalEfficient ? 'loss.temporalEfficient' : 'loss.distillation'} cannot take; leave one of them out`,
    );
  }
}

/**
 * Changes a recipe as written, before it is parsed: `schedule.learningRate=0.002`, `timeSteps=4`. A name that is not in the recipe but in
 * its network goes there. Values are JSON, or else text.
 *
 * @throws TrainingError for an assignment that is none.
 */
export function withSettings(recipe: unknown, assignments: readonly string[]): unknown {
  const changed = structuredClone(recipe) as Record<string, unknown>;
  for (const assignment of assignments) {
    const match = /^([A-Za-z][\w.]*)=(.*)$/s.exec(assignment);
    if (!match) throw new TrainingError(`--set ${assignment}: expected key=value, such as schedule.learningRate=0.002`);
    const path = match[1]!.split('.');
    if (path.length === 1 && !(path[0]! in recipeSchema.shape)) path.unshift('model');
    assign(changed, path, jsonOrText(match[2]!));
  }
  return changed;
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let place = target;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(place, key) ? place[key] : undefined;
    if (typeof next !== 'object' || next === null)
      Object.defineProperty(place, key, { value: {}, writable: true, enumerable: true, configurable: true });
    place = place[key] as Record<string, unknown>;
  }
  Object.defineProperty(place, path.at(-1)!, { value, writable: true, enumerable: true, configurable: true });
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
