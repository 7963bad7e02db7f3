/**
 * What a recipe minimises: from the network's scores and the labels to a loss and the scores' gradients. The losses themselves are in
 * `losses/`; here they meet the outputs of the network.
 */
import type { Graph } from '../graph/graph.js';
import { logitsOutput, outputOf, pruned, withOutputs } from '../graph/outputs.js';
import { operatorOf } from '../operators/registry.js';
import { TrainingError } from './errors.js';
import { countCorrect } from './evaluate.js';
import {
  crossEntropy,
  hardDistillation,
  likeliestClasses,
  softDistillation,
  softTargetCrossEntropy,
  temporalEfficientLoss,
} from './losses/index.js';
import type { Recipe } from './recipe.js';

/** What the scores are compared with. */
export interface Targets {
  /** `[B]` */
  readonly labels: Int32Array;
  /** Soft targets of mixed images, `[B, classes]`. */
  readonly soft?: Float32Array;
  /** The teacher's scores, `[B, classes]`; needed when the recipe distils. */
  readonly teacher?: Float32Array;
}

export interface Judgement {
  /** Mean over the batch, times the share. */
  readonly loss: number;
  /** Images whose likeliest class is the label; with mixed images only an indication. */
  readonly correct: number;
  /** The loss's gradient for each output that learns. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export interface Objective {
  /** The network with the outputs that `judge` reads, and without what only others need. */
  prepare(graph: Graph): Graph;
  /** Those outputs that `judge` only counts by; the others learn. */
  readonly observed: readonly string[];
  /** @param share Weight of this batch where several make one update. */
  judge(outputs: ReadonlyMap<string, Float32Array>, targets: Targets, share: number): Judgement;
}

export function objectiveOf(recipe: Pick<Recipe, 'model' | 'loss'>): Objective {
  const { temporalEfficient, distillation } = recipe.loss;
  if (temporalEfficient) return temporallyEfficient(recipe, temporalEfficient);
  return distillation ? distilled(recipe, distillation) : plain(recipe);
}

type Loss = Recipe['loss'];

function plain({ model, loss }: Pick<Recipe, 'model' | 'loss'>): Objective {
  const { labelSmoothing } = loss;
  return {
    prepare: (graph) => withOutputs(graph, [logitsOutput]),
    observed: [],
    judge: (outputs, { labels, soft }, share) => {
      const logits = outputs.get(logitsOutput)!;
      const gradient = new Float32Array(logits.length);
      const shape = { batch: labels.length, classes: model.classes };
      const value = soft
        ? softTargetCrossEntropy(logits, soft, shape, gradient, share)
        : crossEntropy(logits, labels, shape, gradient, { labelSmoothing, weight: share });
      const correct = countCorrect(logits, labels, model.classes);
      return { loss: value, correct, gradients: new Map([[logitsOutput, gradient]]) };
    },
  };
}

function temporallyEfficient(
  { model, loss }: Pick<Recipe, 'model' | 'loss'>,
  settings: NonNullable<Loss['temporalEfficient']>,
): Objective {
  const { classes, timeSteps } = model;
  const { labelSmoothing } = loss;
  return {
    prepare: logitsOverTime,
    observed: [],
    judge: (outputs, { labels }, share) => {
      const logits = outputs.get(logitsOutput)!;
      const gradient = new Float32Array(logits.length);
      const shape = { batch: labels.length, classes, timeSteps };
      const options = { ...settings, labelSmoothing, weight: share };
      const value = temporalEfficientLoss(logits, labels, shape, gradient, options);
      const correct = countCorrect(meanOverTime(logits, timeSteps), labels, classes);
      return { loss: value, correct, gradients: new Map([[logitsOutput, gradient]]) };
    },
  };
}

/** The logits one node earlier: `[T, B, classes]`. */
function logitsOverTime(graph: Graph): Graph {
  const output = outputOf(graph, logitsOutput);
  const node = graph.nodes.find(({ name }) => name === output.value);
  const value = node && operatorOf(node).meanOver === 'time' ? node.inputs[0]! : output.value;
  return pruned({ ...graph, outputs: new Map([[logitsOutput, { ...output, value }]]) });
}

function meanOverTime(logits: Float32Array, timeSteps: number): Float32Array {
  const mean = new Float32Array(logits.length / timeSteps);
  for (let i = 0; i < logits.length; i++) mean[i % mean.length]! += logits[i]! / timeSteps;
  return mean;
}

function distilled(
  { model, loss }: Pick<Recipe, 'model' | 'loss'>,
  { kind, teacherShare, temperature }: NonNullable<Loss['distillation']>,
): Objective {
  const { labelSmoothing } = loss;
  return {
    prepare: (graph) => withOutputs(graph, ['head', 'head_kd', logitsOutput]),
    observed: [logitsOutput],
    judge: (outputs, { labels, teacher }, share) => {
      if (!teacher) throw new TrainingError('distillation: the scores of the teacher are missing');
      const head = outputs.get('head')!;
      const second = outputs.get('head_kd')!;
      const heads = {
        head,
        headGradient: new Float32Array(head.length),
        distilled: second,
        distilledGradient: new Float32Array(second.length),
      };
      const shape = { batch: labels.length, classes: model.classes };
      const options = { teacherShare, labelSmoothing, weight: share };
      let value: number;
      if (kind === 'hard') {
        const teacherLabels = new Int32Array(labels.length);
        likeliestClasses(teacher, shape, teacherLabels);
        value = hardDistillation(heads, labels, teacherLabels, shape, options);
      } else value = softDistillation(heads, labels, teacher, shape, { ...options, temperature });
      const gradients = new Map([
        ['head', heads.headGradient],
        ['head_kd', heads.distilledGradient],
      ]);
      return { loss: value, correct: countCorrect(outputs.get(logitsOutput)!, labels, model.classes), gradients };
    },
  };
}
