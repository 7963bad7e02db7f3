/** How a model is spoken of wherever its answers are shown, in JSON and in words. */
import type { Model } from '../api/model.js';
import { inputOf } from '../modalities/inputs.js';
import { taskNamed } from '../tasks/registry.js';
import type { Io } from './io.js';
import { oneLine } from './text.js';

export interface ModelNote {
  readonly name: string;
  /** True when nobody trained the weights: the answers mean nothing. */
  readonly randomWeights: boolean;
  readonly description: string;
  readonly timeSteps: number;
  /** Null where nobody says what the weights were trained at. */
  readonly trainedTimeSteps: number | null;
  readonly classes: number;
  /** Height and width of the images, or frames, that it is shown. */
  readonly imageSize: readonly [number, number];
  readonly engine: string;
  /** What to know before believing the answers, a sentence each. */
  readonly warnings: readonly string[];
}

export function modelNote(model: Model): ModelNote {
  const { provenance, configuration, input, engine } = model;
  return {
    name: provenance.name,
    randomWeights: provenance.randomWeights,
    description: provenance.description,
    timeSteps: configuration.timeSteps,
    trainedTimeSteps: provenance.trainedTimeSteps ?? null,
    classes: configuration.classes,
    imageSize: input.size,
    engine: engine.name,
    warnings: model.warnings,
  };
}

/** Random weights are admitted before anything else is said. */
export function printModelNote(io: Io, model: Model): void {
  const note = modelNote(model);
  const { bold, dim, yellow } = io.colours;
  if (note.randomWeights) io.stdout.write(`${yellow('weights are random: the answers mean nothing')}\n`);
  const [height, width] = note.imageSize;
  const threads = `${model.engine.threads} ${model.engine.threads === 1 ? 'thread' : 'threads'}`;
  const facts = `T = ${note.timeSteps}, ${note.classes} ${taskNamed(model.task).targets.called}, ${inputOf(model.modality).noun}s ${height}×${width}, ${note.engine} engine on ${threads}`;
  io.stdout.write(`${bold(oneLine(note.name))} ${dim(facts)}\n`);
}

/** On standard error, whatever else is printed: a document in JSON does not hide them from whoever reads the terminal. */
export function printWarnings(io: Io, model: Model): void {
  for (const warning of model.warnings) io.stderr.write(`note: ${oneLine(warning)}\n`);
}
