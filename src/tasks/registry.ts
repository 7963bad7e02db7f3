/** The tasks by name, which is what recipes and checkpoints say. */
import type { ZodRawShape } from 'zod';
import type { TargetStore } from '../data/targets/stores.js';
import { UsageError, withoutControls } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { ParameterShapes } from '../models/architecture.js';
import type { Head } from '../models/head.js';
import { graphOf, type NetworkDescription } from '../models/registry.js';
import type { ClassAnswer } from './classification/answer.js';
import { classification } from './classification/classification.js';
import type { FoundObject } from './detection/answer.js';
import { detection } from './detection/detection.js';
import type { NamedValue } from './regression/answer.js';
import { regression } from './regression/regression.js';
import type { Description } from './retrieval/answer.js';
import { retrieval } from './retrieval/retrieval.js';
import type { Segmentation } from './segmentation/answer.js';
import { segmentation } from './segmentation/segmentation.js';
import type { AnsweringNetwork, Evaluation, Metric, Objective, Original, Outputs, Reading, Task } from './task.js';

/** A task of which nothing is known but that its own settings, batches and counts fit it. */
// biome-ignore lint/suspicious/noExplicitAny: what its own functions give and take is between them.
export type AnyTask = Task<ZodRawShape, any, any, any, any, any>;

// biome-ignore lint/suspicious/noExplicitAny: see above.
export type AnyObjective = Objective<any>;
// biome-ignore lint/suspicious/noExplicitAny: see above.
export type AnyMetric = Metric<any, any>;
// biome-ignore lint/suspicious/noExplicitAny: see above.
export type AnyEvaluation = Evaluation<any, object>;

const tasks = new Map<string, AnyTask>();

/** Each task only ever sees settings, batches and counts of its own. */
function register<Shape extends ZodRawShape, Store extends TargetStore, Batch, Counts, Answer, Fields extends object>(
  task: Task<Shape, Store, Batch, Counts, Answer, Fields>,
): void {
  tasks.set(task.name, task as unknown as AnyTask);
}

register(classification);
register(regression);
register(segmentation);
register(detection);
register(retrieval);

export type { ClassAnswer, NamedClass } from './classification/answer.js';
export type { FoundObject } from './detection/answer.js';
export type { NamedValue } from './regression/answer.js';
export type { Description } from './retrieval/answer.js';
export type { Segment, Segmentation } from './segmentation/answer.js';

/** What the tasks say about a sample, by their names. */
export interface TaskAnswers {
  readonly classification: ClassAnswer;
  readonly regression: readonly NamedValue[];
  readonly segmentation: Segmentation;
  readonly detection: readonly FoundObject[];
  readonly retrieval: Description;
}

/** What a model says about a sample: its task, and an answer of that task. */
export type Answer = {
  readonly [Name in keyof TaskAnswers]: { readonly task: Name; readonly answer: TaskAnswers[Name] };
}[keyof TaskAnswers];

/** What a recipe or a checkpoint that names no task is for. */
export const defaultTask = classification.name;

export function taskNames(): readonly string[] {
  return [...tasks.keys()];
}

/**
 * The task that a checkpoint names, or the default where it names none.
 *
 * @param file What messages call the checkpoint.
 * @throws UsageError for a task that this version does not know.
 */
export function taskOfCheckpoint(file: string, name = defaultTask): string {
  if (tasks.has(name)) return name;
  throw new UsageError(`${file}: ${unknownTask(name)}`);
}

/** A described network and what it is asked; without a task the default one. */
export interface AskedNetwork extends NetworkDescription {
  readonly task?: string | undefined;
}

/**
 * What stands behind the backbone for a task, the default one where none is named; undefined: the architecture's own.
 *
 * @throws UsageError for a task that is not known.
 */
export function headOf(task: string | undefined, network: AnsweringNetwork): Head | undefined {
  return taskNamed(task ?? defaultTask).head(network);
}

/** What readers of checkpoints ask. */
export const knownTasks = {
  headOf,
  taskOf: (shapes: ParameterShapes) => [...tasks.values()].find((task) => task.recognises?.(shapes))?.name,
};

/** The graph of a network with the head of its task. @throws UsageError for an architecture or a task that is not known. */
export function askedGraph({ task, ...network }: AskedNetwork): Graph {
  return graphOf(network, headOf(task, network.configuration));
}

/** What a task's network says about the samples of a batch, one answer for each. @throws UsageError for a task that is not known. */
export function answersOf(
  task: string,
  outputs: Outputs,
  originals: readonly Original[],
  reading: Reading,
): readonly Answer[] {
  const { name, telling } = taskNamed(task);
  return telling.decode(outputs, originals, reading).map((answer) => ({ task: name, answer }) as Answer);
}

/** @throws UsageError listing what there is. */
export function taskNamed(name: string): AnyTask {
  const task = tasks.get(name);
  if (task) return task;
  throw new UsageError(unknownTask(name));
}

function unknownTask(name: string): string {
  return `names the task ${withoutControls(name).slice(0, 100)}; this version knows ${taskNames().join(', ')}`;
}
