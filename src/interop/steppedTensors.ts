/**
 * Weights as whole steps in safetensors, a byte each: a tensor of 8-bit integers `NAME` and, beside it, the length of a step for each of its first axis's parts, `NAME.steps`. Read, it
 * is the float32 product. Weights that were rounded to a grid (`roundToGrid`) lose nothing, and take half of what float16 takes. Other programs see two tensors.
 */
import type { Shape } from '../graph/shape.js';
import type { CheckpointTensor, TensorSet } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';
import type { TensorData } from './tensorData.js';

/** Key of a file's metadata that says that there are such tensors; a file without it has none, whatever its tensors are called. */
export const stepsKey = 'meta-spikeformer-steps';
const stepsVersion = '1';

const companion = '.steps';

/**
 * The set with each pair as one tensor of float32.
 *
 * @throws CheckpointError for a version that is not known, and a tensor of steps without its integers or of another length.
 */
export function withSteps(file: string, metadata: Readonly<Record<string, string>>, set: TensorSet): TensorSet {
  const version = metadata[stepsKey];
  if (version === undefined) return set;
  if (version !== stepsVersion)
    throw new CheckpointError(
      `${file}: its weights are steps of the version ${printable(version)}; this version knows ${stepsVersion}`,
    );
  const shapes = new Map<string, Shape>();
  const stepped = new Set<string>();
  for (const [name, shape] of set.shapes) {
    const base = name.endsWith(companion) ? name.slice(0, -companion.length) : undefined;
    if (base === undefined) {
      shapes.set(name, shape);
      continue;
    }
    const integers = set.shapes.get(base);
    if (integers === undefined || shape.length !== 1 || shape[0] !== integers[0] || set.tensor(base).dtype !== 'int8')
      throw new CheckpointError(
        `${file}: ${printable(name)} has no 8-bit integers of as many parts beside it; the file is damaged, fetch it again`,
      );
    stepped.add(base);
  }
  return {
    ...set,
    shapes,
    tensor: (name, as) => (stepped.has(name) ? multiplied(file, set, name, as ?? name) : set.tensor(name, as)),
  };
}

function multiplied(file: string, set: TensorSet, name: string, as: string): CheckpointTensor {
  const [integers, steps] = [set.tensor(name), set.tensor(`${name}${companion}`)];
  const readFloat32 = async () => {
    const [values, lengths] = [await integers.readFloat32(), await steps.readFloat32()];
    if (lengths.some((length) => !Number.isFinite(length)))
      throw new CheckpointError(
        `${file}: ${printable(name)} has a step that is no finite number; fetch the file again`,
      );
    const part = values.length / Math.max(1, lengths.length);
    return values.map((value, index) => value * lengths[Math.floor(index / part)]!);
  };
  const readBytes = async () => {
    const { buffer, byteOffset, byteLength } = await readFloat32();
    return new Uint8Array(buffer, byteOffset, byteLength);
  };
  return { name: as, dtype: 'float32', shape: integers.shape, readFloat32, readBytes };
}

/** Steps either way in the largest weight of a part, at most: as many as the byte of a row of `--precision i16` holds. */
const mostSteps = 127;

/** Steps have four significant bits: with seven of the weight they are the eleven of a float16. */
const significands = Array.from({ length: 9 }, (_, eighths) => 1 + eighths / 8);

/** Added and taken away again it leaves the nearest whole number of a float64, faster than `Math.round`: training rounds before every step. */
const toWhole = 1.5 * 2 ** 52;

/**
 * Weights rounded so that neither `--precision i16` nor float16 has anything left to round: whole multiples of one step per output channel, at least 112 of
 * them in the largest. A model that ships so answers in 16 bits what it answers in float32, to the rounding of sums.
 *
 * @param weight `[outputChannels, …]`; finite.
 * @param rounded Where they go, by default new memory; `weight` itself may be given.
 */
export function roundToGrid(
  weight: Float32Array,
  outputChannels: number,
  rounded: Float32Array = new Float32Array(weight.length),
): Float32Array {
  const perChannel = weight.length / outputChannels;
  for (let start = 0; start < weight.length; start += perChannel) {
    const end = start + perChannel;
    let [least, most] = [0, 0];
    for (let i = start; i < end; i++) {
      const value = weight[i]!;
      if (value > most) most = value;
      else if (value < least) least = value;
    }
    const largest = Math.max(most, -least);
    const step = largest === 0 ? 1 : stepFor(largest);
    const perStep = 1 / step;
    for (let i = start; i < end; i++) rounded[i] = (weight[i]! * perStep + toWhole - toWhole) * step;
  }
  return rounded;
}

/** The smallest step of four significant bits of which the largest weight has at most `mostSteps`. */
function stepFor(largest: number): number {
  const least = largest / mostSteps;
  const power = 2 ** Math.floor(Math.log2(least));
  return power * significands.find((significand) => power * significand >= least)!;
}

/**
 * Weights on a grid of at most 127 steps either way as two tensors, by their names in a file whose metadata has `stepsKey`.
 *
 * @param values `[parts, …]`, all of a part being multiples of one length.
 * @returns undefined where they are not: then they have to be stored as numbers.
 */
export function asSteps(
  name: string,
  values: Float32Array,
  shape: readonly number[],
): readonly (readonly [string, TensorData])[] | undefined {
  const parts = shape[0] ?? 1;
  const length = values.length / parts;
  const integers = new Int8Array(values.length);
  const steps = new Float32Array(parts);
  for (let part = 0; part < parts; part++) {
    const own = values.subarray(part * length, (part + 1) * length);
    const step = stepOf(own);
    if (step === undefined) return undefined;
    steps[part] = step;
    for (const [index, value] of own.entries()) {
      const count = step === 0 ? 0 : Math.round(value / step);
      if (Math.abs(count) > mostSteps || Math.fround(count * step) !== value) return undefined;
      integers[part * length + index] = count;
    }
  }
  return [
    [name, { dtype: 'int8', shape, data: integers }],
    [`${name}${companion}`, { dtype: 'float32', shape: [parts], data: steps }],
  ];
}

/** The length of which all are multiples: the largest of those that make the largest value at most 127 of them. 0 where all are 0. */
function stepOf(values: Float32Array): number | undefined {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return 0;
  for (let count = 1; count <= mostSteps; count++) {
    const step = Math.fround(largest / count);
    if (values.every((value) => Math.fround(Math.round(value / step) * step) === value)) return step;
  }
  return undefined;
}

export const stepsMetadata: Readonly<Record<string, string>> = { [stepsKey]: stepsVersion };
