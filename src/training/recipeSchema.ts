/**
 * The schema of a recipe: every field with its range and default, and which of them cannot change the weights. What a task's loss says is the
 * task's, what samples become and what happens to them at random is the modality's; what fields mean together is checked in `recipe.ts`.
 */
import { z } from 'zod';
import { type AnyAugmentation, type AnyInput, type AnyPreprocessing, inputOf } from '../modalities/inputs.js';
import { defaultModality, type ModalityName, modalityNames } from '../modalities/names.js';
import { type AnyTask, defaultTask, taskNamed, taskNames } from '../tasks/registry.js';

/** Fields that decide how fast or how talkative a run is, never what its weights are: they may change on `--resume`. */
const withoutEffect = z.registry<{ readonly changesWeights: false }>();
const harmless = { changesWeights: false } as const;

const share = z.number().min(0).max(1);
const positive = z.number().positive();
/** What the learning rate of neck and head is multiplied by; 1, as the backbone's, where nothing is said. */
const headRate = positive.max(1000).optional();
const moments = {
  firstMomentDecay: share.default(0.9),
  secondMomentDecay: share.default(0.999),
  /** What moments are rounded to after each step; `bfloat16` makes states smaller. Left out: float32, they are not. */
  moments: z.enum(['float32', 'bfloat16']).optional(),
};

const optimizerSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal('adamw'),
    ...moments,
    epsilon: positive.default(1e-8),
    weightDecay: z.number().min(0).default(0.05),
    headRate,
  }),
  z.strictObject({
    name: z.literal('lamb'),
    ...moments,
    epsilon: positive.default(1e-6),
    weightDecay: z.number().min(0).default(0.05),
    trustClip: z.boolean().default(true),
    headRate,
  }),
  z.strictObject({
    name: z.literal('sgd'),
    momentum: share.default(0.9),
    nesterov: z.boolean().default(true),
    weightDecay: z.number().min(0).default(5e-4),
    headRate,
  }),
]);

const scheduleSchema = z.strictObject({
  kind: z.enum(['cosine', 'oneCycle', 'constant', 'polynomial', 'warmUpStableDecay']).default('cosine'),
  /** The highest rate, for the recipe's whole batch (batchSize · accumulate). */
  learningRate: positive,
  minimum: z.number().min(0).default(1e-6),
  warmUpEpochs: z.number().min(0).default(0),
  /** Of `polynomial`: 1, where nothing is said, is a straight line to the minimum. */
  power: positive.max(100).optional(),
  /** Of `warmUpStableDecay`: the last epochs, in which the rate falls to the minimum. Left out: none, the rate stays until one decides (`train --resume --decay`). */
  decayEpochs: z.number().min(0).max(10_000).optional(),
  /** Of `warmUpStableDecay`: a straight line where nothing is said. */
  decay: z.enum(['linear', 'cosine', 'squareRoot']).optional(),
});

/** What every task's `loss` has; the rest is the task's. */
const lossSchema = z.looseObject({
  /**
   * Draws the firing rate of every neuron layer to a target: adds weight · mean over layers of (rate − target)², the rate being the
   * share of a batch's neurons that fire. Fewer spikes are fewer operations. null: no such loss.
   */
  firingRate: z
    .strictObject({ target: share, weight: z.number().positive().max(1e6) })
    .nullable()
    .default(null),
});

/** Everything that `loss` may say for a task. */
export function lossSchemaOf(task: AnyTask) {
  return z.strictObject({ ...task.settings.shape, ...lossSchema.shape });
}

/** Everything that a recipe for samples of a modality may say. */
function schemaOf({ preprocessing, augmentation, reading }: AnyInput) {
  // Each modality's own schemas: the types say that it is one of theirs.
  const ownPreprocessing = preprocessing as z.ZodType<AnyPreprocessing>;
  const ownAugmentation = augmentation as z.ZodType<AnyAugmentation>;
  return z.strictObject({
    name: z.string().min(1).max(100).register(withoutEffect, harmless),
    /** Where its settings come from; in a sentence. */
    provenance: z.string().max(2000).default('').register(withoutEffect, harmless),
    /** What the network is asked. */
    task: z.enum(taskNames() as [string, ...string[]]).default(defaultTask),
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
    /** Whether the first layer is a frozen convolution that whitens patches of the training images; left out, it is learned as the others. */
    whitenedStem: z.boolean().optional(),
    /** A checkpoint to start from, instead of fresh weights. */
    finetune: z.string().nullable().default(null),
    data: z.strictObject({
      /** What goes into the network; left out, images. */
      modality: z.enum(modalityNames).optional(),
      preprocessing: ownPreprocessing,
      ...(reading as Record<never, never>),
      /** Training images set aside to choose the best weights by; below 1 a share. 0: none, the last weights are the best. */
      holdOut: z.number().min(0).default(0),
      /** Which these are: any, by chance, or the last of each class in the order of the data, where neighbours are alike. Left out, any. */
      holdOutFrom: z.enum(['anywhere', 'end']).optional(),
      workers: z.number().int().min(0).max(64).default(1).register(withoutEffect, harmless),
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
          augmentation: ownAugmentation.optional(),
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
    augmentation: ownAugmentation.prefault({} as never),
    surrogate: z
      .strictObject({
        kind: z.enum(['sigmoid', 'arctangent', 'rectangular']).default('sigmoid'),
        alpha: positive.default(4),
        detachReset: z.boolean().default(true),
      })
      .prefault({}),
    /** Decay of the moving average of weights that is evaluated and shipped; null: the weights themselves. */
    movingAverage: z.number().min(0).max(0.999999).nullable().default(null),
    /** Batches on which the evaluated weights' statistics of batch norm are measured after each epoch; left out: their moving average. */
    measuredStatistics: z.number().int().min(1).max(1_000_000).optional(),
    /** Whether weights are rounded as models ship, of layers that spikes feed to whole steps of a byte, else to float16, in every step and where they are evaluated and kept. */
    roundedWeights: z.boolean().optional(),
    seed: z.number().int().min(0).max(0xffffffff).default(1),
    /** Steps between two saved states within an epoch. */
    saveEvery: z.number().int().min(1).default(500).register(withoutEffect, harmless),
    /** Steps between two lines of metrics. */
    logEvery: z.number().int().min(1).default(50).register(withoutEffect, harmless),
  });
}

export type RecipeSchema = ReturnType<typeof schemaOf>;

const schemas = new Map<ModalityName, RecipeSchema>(modalityNames.map((name) => [name, schemaOf(inputOf(name))]));

/** The schema of recipes for this modality. */
export function recipeSchemaOf(modality: ModalityName = defaultModality): RecipeSchema {
  return schemas.get(modality)!;
}

/** Of recipes that name no modality; what its fields outside `data` and augmentation are holds for all. */
export const recipeSchema = recipeSchemaOf();

/** Where the schema says that a field cannot change the weights, as `data.workers`. */
export const settingsWithoutEffect: readonly string[] = pathsOf(recipeSchema)
  .filter(({ schema }) => withoutEffect.has(schema))
  .map(({ path }) => path);

/** Every field that a recipe can have, by its path; those of its network are the network's. */
export const settingPaths: readonly string[] = [
  ...[...schemas.values()].flatMap((schema) => pathsOf(schema)),
  ...taskNames().flatMap((name) => pathsOf(taskNamed(name).settings, 'loss')),
].map(({ path }) => path);

function pathsOf(schema: z.core.$ZodType, prefix = ''): { readonly path: string; readonly schema: z.core.$ZodType }[] {
  if (schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodUnion)
    return schema.options.flatMap((option) => pathsOf(option, prefix));
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, field]: [string, z.core.$ZodType]) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return [{ path, schema: field }, ...pathsOf(field, path)];
    });
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodNullable)
    return pathsOf(schema.def.innerType, prefix);
  return [];
}
