/**
 * What a recipe minimises: from the network's scores and the labels to a loss and the scores' gradients. The losses themselves are in
 * `losses/`; here they meet the heads of the network.
 */
import type { Graph } from '../graph/graph.js';
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
  /** The loss's gradient for each output. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export interface Objective {
  /** The network with the outputs that `judge` wants, by the names of the heads. */
  prepare(graph: Graph): Graph;
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
    prepare: (graph) => graph,
    judge: (outputs, { labels, soft }, share) => {
      const logits = outputs.get('head')!;
      const gradient = new Float32Array(logits.length);
      const shape = { batch: labels.length, classes: model.classes };
      const value = soft
        ? softTargetCrossEntropy(logits, soft, shape, gradient, share)
        : crossEntropy(logits, labels, shape, gradient, { labelSmoothing, weight: share });
      const correct = countCorrect(logits, labels, model.classes);
      return { loss: value, correct, gradients: new Map([['head', gradient]]) };
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
    prepare: withoutTimeMeans,
    judge: (outputs, { labels }, share) => {
      const logits = outputs.get('head')!;
      const gradient = new Float32Array(logits.length);
      const shape = { batch: labels.length, classes, timeSteps };
      const options = { ...settings, labelSmoothing, weight: share };
      const value = temporalEfficientLoss(logits, labels, shape, gradient, options);
      const correct = countCorrect(meanOverTime(logits, timeSteps), labels, classes);
      return { loss: value, correct, gradients: new Map([['head', gradient]]) };
    },
  };
}

/** The outputs one node earlier: `[T, B, classes]`. */
function withoutTimeMeans(graph: Graph): Graph {
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  const outputs = [...graph.outputs].map(([name, value]) => {
    const node = producers.get(value);
    return [name, node?.operator === 'timeMean' ? node.inputs[0]! : value] as const;
  });
  const dropped = new Set(graph.outputs.values());
  const nodes = graph.nodes.filter((node) => !(node.operator === 'timeMean' && dropped.has(node.name)));
  return { ...graph, nodes, outputs: new Map(outputs) };
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
    prepare: (graph) => graph,
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
      const mean = head.map((logit, i) => (logit + second[i]!) / 2);
      const gradients = new Map([
        ['head', heads.headGradient],
        ['head_kd', heads.distilledGradient],
      ]);
      return { loss: value, correct: countCorrect(mean, labels, model.classes), gradients };
    },
  };
}
