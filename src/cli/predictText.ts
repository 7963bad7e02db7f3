/** What `predict` prints: the answer about each sample, and what the network did on the first. */
import type { Model } from '../api/model.js';
import { formatShape, type Shape } from '../graph/shape.js';
import type { StageActivity } from '../insight/stageActivity.js';
import type { TextStyle } from '../tasks/task.js';
import type { Io } from './io.js';
import { bar, milliseconds, oneLine, percent, table } from './text.js';

/** Under the modality's noun, `image` or `recording`, it has the name; and what the task says of the sample: for classification `predictions`. */
export interface SampleResult {
  readonly milliseconds: { readonly decode: number; readonly preprocess: number; readonly network: number };
}

/** The network's doings on the first sample, whose name is under the modality's noun. */
export interface Details {
  /** `[B, C, H, W]`, or `[T, B, C, H, W]` for frames, `[T, B, C, V]` for rows. */
  readonly input: Shape;
  readonly stages: readonly StageActivity[];
  readonly milliseconds: { readonly load: number; readonly compile: number };
}

export interface Answered {
  readonly path: string;
  readonly facts: string;
  readonly result: SampleResult;
  /** What the task prints of it. */
  readonly lines: readonly string[];
  readonly details: Details | null;
}

interface Asked {
  readonly model: Model;
  /** What a sample is called. */
  readonly noun: string;
}

const barWidth = 24;

export function textStyle({ colours: { bold, dim, cyan } }: Io): TextStyle {
  return { bold, dim, cyan, bar: (share) => bar(share, barWidth) };
}

export function printResult(io: Io, { path, facts, result, lines }: Answered): void {
  const { bold, dim } = io.colours;
  const { decode, preprocess, network } = result.milliseconds;
  const time = `${milliseconds(decode + preprocess + network)} (network ${milliseconds(network)})`;
  io.stdout.write(`\n${bold(oneLine(path))} ${dim(`${facts}, ${time}`)}\n`);
  for (const line of lines) io.stdout.write(`  ${line}\n`);
}

export function printDetails(io: Io, details: Details, result: SampleResult, { model, noun }: Asked): void {
  const { bold, dim } = io.colours;
  const { stages, milliseconds: times } = details;
  const timed = stages.some((stage) => stage.milliseconds !== undefined);
  const rows = stages.map(({ name, shape, firingRate, milliseconds: time }) => [
    name,
    formatShape(shape),
    firingRate === undefined ? 'no neurons' : percent(firingRate),
    ...(timed ? [milliseconds(time ?? 0)] : []),
  ]);
  const { frames, places } = model.input;
  const [samples, space] = [details.input.slice(0, -places.length), details.input.slice(-places.length)];
  // Images are shown at every time step; rows are maps of height 1.
  const shown = [...(frames === undefined ? [1] : []), ...samples, ...(places.length === 1 ? [1] : []), ...space];
  const [head, ...body] = table([
    ['stage', 'output [T, B, C, H, W]', 'firing rate (%)', ...(timed ? ['time (ms)'] : [])],
    ['input', formatShape(shown), frames === undefined ? 'pixels' : 'frames', ...(timed ? [''] : [])],
    ...rows,
  ]);
  io.stdout.write(`\nwhat the network did on ${oneLine(String(Reflect.get(details, noun)))}\n`);
  io.stdout.write(`${[bold(head!), ...body].join('\n')}\n`);
  io.stdout.write(`mean firing rate ${percent(meanRate(stages))} of ${neuronsOf(stages)} neurons per time step\n`);
  const { decode, preprocess, network } = result.milliseconds;
  const parts = [
    `load the weights ${milliseconds(times.load)}`,
    `lay out the network ${milliseconds(times.compile)}`,
    `decode ${milliseconds(decode)}`,
    `resize and normalise ${milliseconds(preprocess)}`,
    `run the network ${milliseconds(network)}`,
  ];
  io.stdout.write(`${dim(`where the time went: ${parts.join(', ')}`)}\n`);
}

function neuronsOf(stages: readonly StageActivity[]): string {
  return stages.reduce((sum, stage) => sum + stage.neurons, 0).toLocaleString('en-US');
}

function meanRate(stages: readonly StageActivity[]): number {
  const neurons = stages.reduce((sum, stage) => sum + stage.neurons, 0);
  return stages.reduce((sum, stage) => sum + stage.neurons * (stage.firingRate ?? 0), 0) / neurons;
}
