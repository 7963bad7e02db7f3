/**
 * What training a classifier minimises: from the network's scores and the labels to a loss and the scores' gradients. The losses themselves
 * are in `training/losses`; here they meet the outputs of the network.
 */
import type { Graph } from '../../graph/graph.js';
import { logitsOutput, outputOf, pruned, withOutputs } from '../../graph/outputs.js';
import { countCorrect } from '../../metrics/accuracy.js';
import { operatorOf } from '../../operators/registry.js';
import { TrainingError } from '../../training/errors.js';
import {
  crossEntropy,
  hardDistillation,
  likeliestClasses,
  softDistillation,
  softTargetCrossEntropy,
  temporalEfficientLoss,
} from '../../training/losses/index.js';
import type { AnsweringNetwork, Objective } from '../task.js';
import type { ClassificationSettings } from './settings.js';

/** What the scores are compared with. */
export interface ClassBatch {
  /** Class numbers `[B]`. */
  readonly labels: Int32Array;
  /** Soft targets of mixed images, `[B, classes]`. */
  readonly targets?: Float32Array;
  /** The teacher's scores, `[B, classes]`; needed when the recipe distils. */
  readonly teacher?: Float32Array;
}

export function objectiveOf(settings: ClassificationSettings, network: AnsweringNetwork): Objective<ClassBatch> {
  const { temporalEfficient, distillation } = settings;
  if (temporalEfficient) return temporallyEfficient(settings, network, temporalEfficient);
  return distillation ? distilled(settings, network, distillation) : plain(settings, network);
}

function plain({ labelSmoothing }: ClassificationSettings, { classes }: AnsweringNetwork): Objective<ClassBatch> {
  return {
    prepare: (graph) => withOutputs(graph, [logitsOutput]),
    observed: [],
    onEngine: {
      output: logitsOutput,
      classes,
      labelSmoothing,
      compared: (batch) => batch,
      sums: (likeliest, { labels }) => ({
        correct: labels.reduce((sum, label, row) => sum + (likeliest[row] === label ? 1 : 0), 0),
      }),
    },
    judge: (outputs, { labels, targets }, share) => {
      const logits = outputs.get(logitsOutput)!;
      const gradient = new Float32Array(logits.length);
      const shape = { batch: labels.length, classes };
      const value = targets
        ? softTargetCrossEntropy(logits, targets, shape, gradient, share)
        : crossEntropy(logits, labels, shape, gradient, { labelSmoothing, weight: share });
      const correct = countCorrect(logits, labels, classes);
      return { loss: value, sums: { correct }, gradients: new Map([[logitsOutput, gradient]]) };
    },
  };
}

function temporallyEfficient(
  { labelSmoothing }: ClassificationSettings,
  { classes, timeSteps }: AnsweringNetwork,
  settings: NonNullable<ClassificationSettings['temporalEfficient']>,
): Objective<ClassBatch> {
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
      return { loss: value, sums: { correct }, gradients: new Map([[logitsOutput, gradient]]) };
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
  { labelSmoothing }: ClassificationSettings,
  { classes }: AnsweringNetwork,
  { kind, teacherShare, temperature }: NonNullable<ClassificationSettings['distillation']>,
): Objective<ClassBatch> {
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
      const shape = { batch: labels.length, classes };
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
      const correct = countCorrect(outputs.get(logitsOutput)!, labels, classes);
      return { loss: value, sums: { correct }, gradients };
    },
  };
}
