/** What a recipe's `loss` says for a classifier. */
import { z } from 'zod';
import type { RecipeAround, TaskProblem } from '../task.js';

const share = z.number().min(0).max(1);
const perChannel = z.tuple([z.number(), z.number(), z.number()]);

export const classificationSettings = z.strictObject({
  labelSmoothing: share.default(0),
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
      temperature: z.number().positive().default(1),
      /** What the teacher's images are normalised with; by default what its checkpoint says, else the student's. */
      normalisation: z.strictObject({ mean: perChannel, std: perChannel }).nullable().default(null),
    })
    .nullable()
    .default(null),
});

export type ClassificationSettings = z.output<typeof classificationSettings>;

/** What of a recipe a classifier's settings exclude or need. */
export function contradictions(
  { temporalEfficient, distillation }: ClassificationSettings,
  { model, mixes }: RecipeAround,
): TaskProblem[] {
  if (temporalEfficient !== null && distillation !== null) {
    const message = 'recipe is wrong at loss.temporalEfficient: temporalEfficient and distillation exclude each other';
    return [{ path: ['loss', 'temporalEfficient'], message }];
  }
  const problems: TaskProblem[] = [];
  if (model?.distillation !== undefined && model.distillation !== (distillation !== null)) {
    problems.push({
      path: model.distillation ? ['model', 'distillation'] : ['loss', 'distillation'],
      message: model.distillation
        ? 'the network has a second head, but no teacher; set loss.distillation.teacher=FILE or distillation=false'
        : 'loss.distillation needs a network with a second head; set distillation=true',
    });
  }
  if (distillation !== null && distillation.teacher === null) {
    const message = 'the teacher is missing; set loss.distillation.teacher=FILE';
    problems.push({ path: ['loss', 'distillation'], message });
  }
  if (mixes && (temporalEfficient || distillation)) {
    const loser = temporalEfficient ? 'loss.temporalEfficient' : 'loss.distillation';
    const message = `augmentation.mix makes soft targets, which ${loser} cannot take; leave one of them out`;
    problems.push({ path: ['augmentation', 'mix'], message });
  }
  return problems;
}
