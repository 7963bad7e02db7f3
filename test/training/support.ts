/** Layouts, fixtures and the golden training step that the tests of optimizers and losses share. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import type { OptimizedParameter } from '../../src/training/optimizers/index.js';

/** A file of test/fixtures/optimizers. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/optimizers/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** Lays parameters one after the other with `gap` elements between them; those with more than one axis decay. */
export function layOut(shapes: Readonly<Record<string, readonly number[]>>, gap: number): OptimizedParameter[] {
  let offset = gap;
  return Object.entries(shapes).map(([name, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const parameter = { name, shape, offset, length, decay: shape.length > 1 };
    offset += length + gap;
    return parameter;
  });
}

/** What stands in the gaps of `vectorOf`: anything that reads it shows. */
export const gapValue = Number.NaN;

/** A vector with these values in their places and `gapValue` in the gaps. */
export function vectorOf(
  layout: readonly OptimizedParameter[],
  values: Readonly<Record<string, ArrayLike<number>>>,
  gap: number,
): Float32Array {
  const last = layout[layout.length - 1]!;
  const vector = new Float32Array(last.offset + last.length + gap).fill(gapValue);
  for (const { name, offset } of layout) vector.set(values[name]!, offset);
  return vector;
}

/** The largest absolute difference; NaN if anything compared is NaN. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(difference)) return Number.NaN;
  }
  return largest;
}

export interface GoldenTensors {
  readonly parameters: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** The weights before, and all float tensors of, a golden training step. */
export async function readTrainingStep(checkpointPath: string, tensorsPath: string): Promise<GoldenTensors> {
  const checkpoint = await openCheckpointFile(checkpointPath);
  const tensors = await openSafetensors(fileFromBytes(readFileSync(tensorsPath), tensorsPath));
  const parameters = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors.tensors) values.set(name, await tensor.readFloat32());
  for (const [name, tensor] of checkpoint.tensors)
    if (values.has(`grad.${name}`)) parameters.set(name, { shape: tensor.shape, values: await tensor.readFloat32() });
  await checkpoint.close();
  return { parameters, values };
}
