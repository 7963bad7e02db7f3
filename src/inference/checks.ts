/** What is refused before a network runs: inputs and names that cannot be. Every message says what was expected instead. */
import { UsageError } from '../errors.js';
import { type Graph, type Node, spaceAxes } from '../graph/graph.js';
import { formatShape, type Shape } from '../graph/shape.js';
import { spikingNeurons } from '../operators/registry.js';
import { described } from '../optionNames.js';
import { firstNonFinite } from '../runtime/layout.js';
import type { FieldTensor } from './types.js';

/** What an input is compared with. */
export interface InputSettings {
  readonly inputChannels: number;
  /** T that a sequence of frames must have. */
  readonly timeSteps: number;
  /** Of an input that is a row of places, as the graph has it. */
  readonly rowLength?: number;
}

/**
 * The shape `[T, B, H, W, C]` of an input in the field's layout, T being 1 for images, and H for rows of places.
 *
 * @throws UsageError when it is no tensor, of another rank or size, not filled by its numbers, or not finite.
 */
export function inputShape(input: FieldTensor, settings: InputSettings): Shape {
  const { inputChannels, timeSteps } = settings;
  const axes = spaceAxes(settings);
  const one = `B, ${inputChannels}, ${axes === 1 ? 'V' : 'H, W'}`;
  const expected = `[${one}] or ${timeSteps} frames [${timeSteps}, ${one}]`;
  const given: unknown = input;
  if (!isTensor(given))
    throw new UsageError(`input: found ${described(given)}, expected {shape, data} with the shape ${expected}`);
  const { shape, data } = input;
  const frames = shape.length === axes + 3;
  const [steps, batch, channels, ...places] = (frames ? shape : [1, ...shape]) as [number, number, number, ...number[]];
  const [height, width] = (axes === 1 ? [1, ...places] : places) as [number, number];
  if ((!frames && shape.length !== axes + 2) || channels !== inputChannels || (frames && steps !== timeSteps)) {
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

/** @throws UsageError when no neuron layer is called so. */
export function neuronNode(graph: Graph, layer: string): Node {
  const node = spikingNeurons(graph).find(({ name }) => name === layer);
  if (!node) throw new UsageError(`record: ${layer}: this network has no neuron layer of that name`);
  return node;
}
