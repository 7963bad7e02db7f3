/** What a model refuses before it begins: options, inputs and names that cannot be. Every message says what was expected instead. */
import type { Program } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import type { Graph, Node } from '../graph/graph.js';
import { formatShape, type Shape } from '../graph/shape.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { spikingNeurons } from '../operators/registry.js';
import { checkOptionNames, described } from '../optionNames.js';
import { firstNonFinite } from '../runtime/layout.js';
import type { FieldTensor, ImageSource, RunOptions } from './modelTypes.js';

/** @throws UsageError for an option that there is not, and for layers that are no list. */
export function checkRunOptions(where: string, options: RunOptions): void {
  checkOptionNames<RunOptions>(where, options, { record: true });
  checkOptionNames<NonNullable<RunOptions['record']>>(`${where}: record`, options.record, {
    spikes: true,
    activations: true,
    firingRates: true,
    spikeWords: true,
    counts: true,
    inputCurrents: true,
    timings: true,
  });
  const layers: unknown = options.record?.inputCurrents;
  if (layers !== undefined && !Array.isArray(layers))
    throw new UsageError(`record: inputCurrents: found ${described(layers)}, expected a list of neuron layers`);
}

/**
 * The shape `[T, B, H, W, C]` of an input in the field's layout, T being 1 for images.
 *
 * @throws UsageError when it is no tensor, of another rank or size, not filled by its numbers, or not finite.
 */
export function inputShape(
  input: FieldTensor,
  { inputChannels, timeSteps }: Pick<MetaSpikeformerConfiguration, 'inputChannels' | 'timeSteps'>,
): Shape {
  const expected = `[B, ${inputChannels}, H, W] or ${timeSteps} frames [${timeSteps}, B, ${inputChannels}, H, W]`;
  const given: unknown = input;
  if (!isTensor(given))
    throw new UsageError(`input: found ${described(given)}, expected {shape, data} with the shape ${expected}`);
  const { shape, data } = input;
  const frames = shape.length === 5;
  const [steps, batch, channels, height, width] = (frames ? shape : [1, ...shape]) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if ((!frames && shape.length !== 4) || channels !== inputChannels || (frames && steps !== timeSteps)) {
    throw new UsageError(`input: shape ${formatShape(shape)}, expected ${expected}`);
  }
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new UsageError(`input: shape ${formatShape(shape)} has an empty axis, expected ${expected}`);
  }
  if (data.length !== steps * batch * channels * height * width) {
    throw new UsageError(`input: ${data.length} numbers do not fill the shape ${formatShape(shape)}`);
  }
  const bad = firstNonFinite(data);
  if (bad >= 0) throw new UsageError(`input: element ${bad} is ${data[bad]}; only finite numbers can be classified`);
  return [steps, batch, height, width, channels];
}

function isTensor(value: unknown): value is FieldTensor {
  if (typeof value !== 'object' || value === null) return false;
  const { shape, data } = value as { readonly shape?: unknown; readonly data?: unknown };
  return Array.isArray(shape) && Object.prototype.toString.call(data) === '[object Float32Array]';
}

/** How many classes to name. @throws UsageError unless it is a whole number from 1. */
export function checkTop(top: number): void {
  if (!Number.isSafeInteger(top) || top < 1)
    throw new UsageError(`top: found ${described(top)}, expected a whole number from 1: how many classes to name`);
}

/** @throws UsageError when this is nothing an image can be read from. */
export function checkImage(image: ImageSource): void {
  const given: unknown = image;
  if (typeof given === 'string' || (typeof given === 'object' && given !== null && isImageObject(given))) return;
  throw new UsageError(
    `image: found ${described(given)}, expected a path or an address, a File or Blob, the bytes of an image file, or pixels {width, height, data}`,
  );
}

function isImageObject(value: object): boolean {
  if (value instanceof Blob || value instanceof URL || value instanceof ArrayBuffer) return true;
  return value instanceof Uint8Array || ('width' in value && 'height' in value && 'data' in value);
}

/** A program that can run its calls one at a time, as the wasm engine's can. */
interface MeasuringProgram extends Program {
  profile(): Promise<readonly { readonly name: string; readonly milliseconds: number }[]>;
}

export async function measuredLayers(program: Program): Promise<ReadonlyMap<string, number> | undefined> {
  if (!('profile' in program)) return undefined;
  const times = new Map<string, number>();
  for (const { name, milliseconds } of await (program as MeasuringProgram).profile()) {
    times.set(name, (times.get(name) ?? 0) + milliseconds);
  }
  return times;
}

/** @throws UsageError when no neuron layer is called so. */
export function neuronNode(graph: Graph, layer: string): Node {
  const node = spikingNeurons(graph).find(({ name }) => name === layer);
  if (!node) throw new UsageError(`record: ${layer}: this network has no neuron layer of that name`);
  return node;
}
