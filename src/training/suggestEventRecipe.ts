/**
 * A small complete recipe for a person's own recordings of events, as text with comments on what to change, and the look at them that it follows
 * from. The network and its rates are those of the recipe `nmnist-t1`, for several time steps; a beginning, not the result of a search. For Node.
 */

import { MissingSplitError } from '../data/errors.js';
import { openRecordings } from '../data/events/datasets/openRecordings.js';
import type { NeuronName } from '../models/neurons.js';

export interface RecordingSurvey {
  /** Training recordings by class. */
  readonly classes: readonly { readonly name: string; readonly recordings: number }[];
  readonly trainingRecordings: number;
  /** Of the test split; null without one. */
  readonly testRecordings: number | null;
  /** Height and width that hold all events of those that were read. */
  readonly sensor: readonly [height: number, width: number];
  /** Medians. */
  readonly seconds: number;
  readonly events: number;
  readonly readRecordings: number;
  readonly notes: readonly string[];
}

export interface SuggestedEventRecipe {
  readonly text: string;
  /** Height and width of the frames. */
  readonly size: readonly [number, number];
  readonly timeSteps: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly heldOut: number;
  readonly steps: number;
}

const mostRead = 64;
const largestSide = 64;
const timeSteps = 8;

/** Throws DataError naming the file when the data cannot be opened or a recording not read. */
export async function surveyRecordings(path: string): Promise<RecordingSurvey> {
  const training = await openRecordings(path, { split: 'train' });
  const counts = training.targets.classes.map(() => 0);
  for (let i = 0; i < training.size; i++) counts[training.target(i)]! += 1;
  const count = Math.min(training.size, mostRead);
  let [height, width] = [1, 1];
  const [seconds, events]: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    const recording = await training.sample(Math.floor((i * training.size) / count));
    const { sensor, length, t, x, y } = recording;
    height = Math.max(height, sensor?.height ?? largest(y, length) + 1);
    width = Math.max(width, sensor?.width ?? largest(x, length) + 1);
    seconds.push(length === 0 ? 0 : (t[length - 1]! - t[0]!) / 1e6);
    events.push(length);
  }
  return {
    classes: training.targets.classes.map((name, label) => ({ name, recordings: counts[label]! })),
    trainingRecordings: training.size,
    testRecordings: await testRecordings(path),
    sensor: [height, width],
    seconds: median(seconds),
    events: median(events),
    readRecordings: count,
    notes: training.notes ?? [],
  };
}

async function testRecordings(path: string): Promise<number | null> {
  try {
    return (await openRecordings(path, { split: 'test' })).size;
  } catch (error) {
    if (error instanceof MissingSplitError) return null;
    throw error;
  }
}

function largest(values: Uint16Array, length: number): number {
  let most = 0;
  for (let i = 0; i < length; i++) most = Math.max(most, values[i]!);
  return most;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** @param name The recipe's name. */
export function suggestEventRecipe(survey: RecordingSurvey, name: string, neuron: NeuronName): SuggestedEventRecipe {
  const { sensor, trainingRecordings, testRecordings, classes } = survey;
  const side = Math.min(largestSide, ...sensor);
  const size = [side, side] as const;
  const heldOut =
    testRecordings !== null || trainingRecordings < 4
      ? 0
      : Math.min(Math.max(Math.round(trainingRecordings / 5), classes.length), Math.floor(trainingRecordings / 2));
  const recordings = trainingRecordings - heldOut;
  const batchSize = Math.min(16, Math.max(1, 2 ** Math.floor(Math.log2(recordings / 4))));
  const epochs = Math.min(200, Math.max(5, Math.round(40_000 / recordings)));
  const numbers = { size, timeSteps, batchSize, epochs, heldOut };
  const steps = epochs * Math.floor(recordings / batchSize);
  return { ...numbers, steps, text: textOf(survey, name, neuron, { ...numbers, steps }) };
}

type Numbers = Omit<SuggestedEventRecipe, 'text'>;

function textOf(survey: RecordingSurvey, name: string, neuron: NeuronName, numbers: Numbers): string {
  const { sensor, classes, seconds } = survey;
  const { size, batchSize, epochs, heldOut, steps } = numbers;
  const strides = size[0] > 40 ? '2, 2, 2, 1, 1' : '2, 1, 2, 1, 1';
  const fit = sensor[0] === sensor[1] ? 'scale' : 'cover';
  const lines: readonly (readonly [string, string?])[] = [
    ['{'],
    [`  "name": ${JSON.stringify(name.slice(0, 100))},`],
    ['  "model": {'],
    ['    "embedDim": [16, 32, 64, 96],', 'channels of the stages; twice as many cost four times as much'],
    ['    "depths": [1, 1, 1, 1, 1],', 'blocks in each stage'],
    [`    "strides": [${strides}],`, `how the ${size[0]} pixels shrink from stage to stage`],
    ['    "stemKernel": 3,'],
    ...(neuron === 'lif' ? [] : [[`    "neuron": "${neuron}",`] as const]),
    [`    "classes": ${classes.length}`, 'as many as there are classes'],
    ['  },'],
    ['  "batchNormBias": { "neurons": 0.5, "branches": 0, "last": 1 },', 'keeps neurons firing at the start'],
    ['  "branchScale": 0.5,'],
    ['  "data": {'],
    ['    "modality": "events",'],
    ['    "preprocessing": {'],
    [`      "sensor": [${sensor.join(', ')}],`, 'height and width of what recorded'],
    [
      `      "window": { "by": "bins", "bins": ${numbers.timeSteps} },`,
      `equal spans of the ${seconds.toPrecision(2)} s of a recording; windows of time or of so many events: docs/events.md`,
    ],
    [`      "timeSteps": ${numbers.timeSteps},`, 'learn at 1 with one bin first, then fine-tune: many times as fast'],
    ['      "representation": "polarities",'],
    [`      "size": [${size.join(', ')}],`, 'of the frames'],
    [`      "fit": "${fit}",`],
    ['      "scale": { "logarithm": true }'],
    ['    },'],
    [
      `    "holdOut": ${heldOut},`,
      heldOut > 0
        ? 'recordings that choose the best weights; with clips of long ones add "clip": 0.5, "holdOutFrom": "end"'
        : 'the last weights are kept; measure them with eval, or hold some out',
    ],
    ['    "workers": 1'],
    ['  },'],
    [`  "epochs": ${epochs},`, `${steps} steps; the first number to change when it takes too long`],
    [`  "batchSize": ${batchSize},`],
    ['  "optimizer": { "name": "adamw", "weightDecay": 0.05 },'],
    ['  "schedule": { "kind": "cosine", "learningRate": 0.004, "minimum": 1e-5, "warmUpEpochs": 1 },'],
    ['  "clipNorm": 5,'],
    ['  "loss": { "labelSmoothing": 0.05 },'],
    ['  "augmentation": {'],
    ['    "affine": { "shift": 0.07, "rotation": 10, "zoom": [0.9, 1.1] },'],
    ['    "drop": { "probability": 0.5, "events": 0.3 },'],
    ['    "horizontalFlip": 0', '0.5 where left and right mean the same'],
    ['  },'],
    [`  "movingAverage": ${steps > 1000 ? 0.98 : 'null'},`],
    ['  "seed": 1'],
    ['}'],
  ];
  const written = lines.map(([line, comment]) => (comment === undefined ? line : `${line} // ${comment}`));
  return `// What every field means: docs/training.md and docs/events.md\n${written.join('\n')}\n`;
}
