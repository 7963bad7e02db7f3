/**
 * A small complete recipe for a person's own images, as text with comments on what to change. Networks, rates and biases are those of the
 * recipes that ship, scaled to the size and the number of the images; a beginning, not the result of a search.
 */
import type { AttentionName } from '../models/attentions.js';
import type { NeuronName } from '../models/neurons.js';
import type { DataSurvey } from './surveyData.js';

export interface SuggestedRecipe {
  /** JSON with `//` comments. */
  readonly text: string;
  readonly imageSize: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly heldOut: number;
  /** Updates in all. */
  readonly steps: number;
}

interface NetworkChoice {
  readonly embedDim: readonly number[];
  readonly depths: readonly number[];
  readonly strides: readonly number[];
  readonly stemKernel: number;
}

const small = { embedDim: [32, 64, 96, 128], depths: [1, 1, 1, 1, 1], strides: [1, 2, 2, 1, 1], stemKernel: 3 };
const medium = { ...small, embedDim: [32, 64, 128, 160], depths: [1, 1, 2, 2, 1] };
const large = { ...medium, strides: [2, 2, 2, 1, 1] };
const photographs = { ...medium, strides: [2, 2, 2, 2, 1], stemKernel: 7 };

/** What a person may choose of a network beside its sizes. */
interface NetworkKinds {
  readonly attention: AttentionName;
  readonly neuron: NeuronName;
}

/** @param name The recipe's name. */
export function suggestRecipe(
  survey: DataSurvey,
  name: string,
  { attention = 'sdsa3', neuron = 'lif' }: Partial<NetworkKinds> = {},
): SuggestedRecipe {
  const side = Math.min(...survey.sizes.median);
  const imageSize = inputSide(side);
  const heldOut = survey.testImages === null ? heldOutOf(survey) : 0;
  const images = survey.trainingImages - heldOut;
  const batchSize = batchOf(images, imageSize);
  const epochs = clamp(Math.round((imageSize > 64 ? 150_000 : 400_000) / images), 5, 200);
  const steps = epochs * Math.floor(images / batchSize);
  const numbers = { imageSize, batchSize, epochs, heldOut, steps };
  return { text: textOf(survey, name, { ...networkFor(imageSize), attention, neuron }, numbers), ...numbers };
}

type Numbers = Omit<SuggestedRecipe, 'text'>;

function inputSide(side: number): number {
  if (side > 96) return 128;
  return clamp(side - (side % 4), 8, 64);
}

function networkFor(imageSize: number): NetworkChoice {
  if (imageSize <= 28) return small;
  if (imageSize <= 40) return medium;
  return imageSize <= 64 ? large : photographs;
}

/** A tenth, at least one for each class; none of fewer than four. */
function heldOutOf({ trainingImages, classes }: DataSurvey): number {
  if (trainingImages < 4) return 0;
  return Math.min(Math.max(Math.round(trainingImages / 10), classes.length), Math.floor(trainingImages / 2));
}

/** A power of two that leaves an epoch some steps. */
function batchOf(images: number, imageSize: number): number {
  const most = imageSize > 64 ? 32 : 64;
  return clamp(2 ** Math.floor(Math.log2(images / 8)), 1, most);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function textOf(survey: DataSurvey, name: string, network: NetworkChoice & NetworkKinds, numbers: Numbers): string {
  const { imageSize, batchSize, epochs, heldOut, steps } = numbers;
  const isPhotograph = imageSize > 64;
  const learningRate = Number(clamp((0.002 * batchSize) / 64, 3e-4, 2e-3).toPrecision(2));
  const crop = isPhotograph
    ? '{ "kind": "resized", "scale": [0.35, 1] }'
    : `{ "kind": "padded", "padding": ${Math.max(1, Math.round(imageSize / 8))}, "border": "reflect" }`;
  const channels = (values: readonly number[], least: number) =>
    `[${values.map((value) => Number(Math.max(value, least).toFixed(4))).join(', ')}]`;
  const lines: readonly (readonly [string, string?])[] = [
    ['{'],
    [`  "name": ${JSON.stringify(name.slice(0, 100))},`],
    ['  "model": {'],
    ['    "architecture": "meta-spikeformer",'],
    [
      `    "embedDim": [${network.embedDim.join(', ')}],`,
      'channels of the stages; twice as many cost four times as much',
    ],
    [`    "depths": [${network.depths.join(', ')}],`, 'blocks in each stage'],
    [`    "strides": [${network.strides.join(', ')}],`, `how the ${imageSize} pixels shrink from stage to stage`],
    [`    "stemKernel": ${network.stemKernel},`],
    [`    "classes": ${survey.classes.length},`, 'as many as there are class folders'],
    ...(network.attention === 'sdsa3'
      ? []
      : [[`    "attention": "${network.attention}",`, 'what attention is: sdsa3 or sdsa1'] as const]),
    ...(network.neuron === 'lif'
      ? []
      : [[`    "neuron": "${network.neuron}",`, 'what neurons are: lif, integrateAndFire or relu'] as const]),
    ['    "timeSteps": 1', 'more are slower and a little more accurate; fine-tune to them from 1'],
    ['  },'],
    ['  "batchNormBias": { "neurons": 1, "branches": 0, "last": 2 },', 'keeps neurons firing at the start'],
    ['  "branchScale": 0.2,'],
    ['  "data": {'],
    ['    "preprocessing": {'],
    [
      `      "resize": ${isPhotograph ? Math.round(imageSize * 1.125) : imageSize},`,
      'the shorter side in pixels, before the crop',
    ],
    [`      "crop": [${imageSize}, ${imageSize}],`, 'larger sees more and costs with the square'],
    ['      "interpolation": "bicubic",'],
    [`      "mean": ${channels(survey.mean, 0)},`, `of ${survey.decodedImages} of your images`],
    [`      "std": ${channels(survey.std, 0.02)}`],
    ['    },'],
    [
      `    "holdOut": ${heldOut},`,
      heldOut > 0
        ? 'training images that choose the best weights'
        : 'the last weights are kept; measure them with eval, or hold some out',
    ],
    ['    "workers": 1', 'threads that decode and augment'],
    ['  },'],
    [`  "epochs": ${epochs},`, `${steps} steps; the first number to change when it takes too long`],
    [`  "batchSize": ${batchSize},`, 'less needs less memory; change learningRate in proportion'],
    ['  "optimizer": { "name": "adamw", "weightDecay": 0.05 },'],
    [
      `  "schedule": { "kind": "cosine", "learningRate": ${learningRate}, "minimum": 1e-5, "warmUpEpochs": ${Math.min(epochs / 20, 1)} },`,
      'half of it when the loss jumps',
    ],
    ['  "clipNorm": 5,'],
    ['  "loss": { "labelSmoothing": 0.05 },'],
    ['  "augmentation": {'],
    [`    "crop": ${crop},`],
    [
      `    "horizontalFlip": ${survey.colour ? 0.5 : 0}`,
      survey.colour
        ? '0 where left and right mean something: text, digits, signs'
        : '0.5 where left and right mean the same',
    ],
    ['  },'],
    [
      `  "movingAverage": ${steps > 2000 ? 0.998 : 'null'},`,
      steps > 2000 ? 'weights that are kept are averages' : undefined,
    ],
    ['  "seed": 1,', 'another number, another run'],
    [`  "logEvery": ${clamp(Math.floor(steps / epochs), 1, 50)}`, 'steps between two lines of metrics'],
    ['}'],
  ].map(([line, comment]) => (comment === undefined ? [line!] : [line!, comment]));
  return `// What every field means: docs/training.md\n${lines.map(([line, comment]) => (comment === undefined ? line : `${line} // ${comment}`)).join('\n')}\n`;
}
