/**
 * NTU RGB+D recordings and what is made of them, against the two published chains of preparation (2s-AGCN, CTR-GCN), run on made-up recordings with several bodies, bodies
 * that leave, frames without anybody. The files are read where the shared folder is.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseNtuText } from '../../src/data/skeletons/ntuText.js';
import { chooseAgcnBodies, prepareAgcn } from '../../src/data/skeletons/prepareAgcn.js';
import { chooseCtrgcnBodies, prepareCtrgcn } from '../../src/data/skeletons/prepareCtrgcn.js';
import { sharedPath } from '../shared.js';
import { bodiesFirst, largestDifference, skeletonGolden, withoutGoldens } from '../support/skeletons.js';

interface Described {
  readonly order: readonly string[];
  readonly cases: readonly {
    readonly id: string;
    readonly frames: number;
    readonly bodies_per_frame: readonly number[];
  }[];
}

const [agcn, ctrgcn] = [skeletonGolden<Described>('ntu_agcn'), skeletonGolden<Described>('ntu_ctrgcn')];
const names = agcn?.json.order ?? ['every recording'];
const skipped = agcn && ctrgcn ? '' : withoutGoldens;

function recordingOf(name: string) {
  const path = sharedPath('golden', 'skeleton', 'ntu-skeleton', `${name}.skeleton`)!;
  return parseNtuText(readFileSync(path), path);
}

describe.skipIf(!agcn)(`recordings of NTU RGB+D${skipped}`, () => {
  it.each(names)('%s has the bodies that the published reader sees', (name) => {
    const { frames, bodies_per_frame } = agcn!.json.cases.find(({ id }) => id === name)!;
    const recording = recordingOf(name);
    expect(recording.frames).toHaveLength(frames);
    expect(recording.frames.map((bodies) => bodies.length)).toEqual(bodies_per_frame);
  });
});

describe.skipIf(!agcn)(`the preparation of 2s-AGCN${skipped}`, () => {
  it.each(names)('%s: the two bodies of largest energy, number for number', (name) => {
    const expected = bodiesFirst(agcn!.tensor(`agcn.xyz.${name}`));
    const { positions, ...sequence } = chooseAgcnBodies(recordingOf(name));
    expect(sequence).toMatchObject({ frames: expected.frames, bodies: 2, joints: 25 });
    expect(largestDifference(positions, expected.values)).toBe(0);
  });

  it.each(names)('%s: centred, turned and filled to 300 frames, to 1e-5', (name) => {
    const { shape, values } = agcn!.tensor('agcn.prenorm');
    const size = values.length / shape[0]!;
    const at = agcn!.json.order.indexOf(name);
    const expected = bodiesFirst({ shape: shape.slice(1), values: values.subarray(at * size, (at + 1) * size) });
    const recording = recordingOf(name);
    const filled = prepareAgcn(recording, { fillTo: 300 });
    expect(filled.frames).toBe(300);
    expect(largestDifference(filled.positions.subarray(0, expected.values.length), expected.values)).toBeLessThan(1e-5);
    const { frames, positions } = prepareAgcn(recording);
    expect(frames).toBe(recording.frames.length);
    expect(largestDifference(positions, filled.positions.subarray(0, positions.length))).toBe(0);
  });
});

describe.skipIf(!ctrgcn)(`the preparation of CTR-GCN${skipped}`, () => {
  it.each(names)('%s: the same actors in the same frames, number for number', (name) => {
    expectRows(chooseCtrgcnBodies(recordingOf(name)), ctrgcn!.tensor(`denoised.${name}`));
  });

  it.each(names)('%s: the same origin, number for number', (name) => {
    expectRows(prepareCtrgcn(recordingOf(name)), ctrgcn!.tensor(`translated.${name}`));
  });

  it.each(names)('%s is the row of the published array, with an empty second body where there is one', (name) => {
    const { shape, values } = ctrgcn!.tensor('aligned');
    const [, frames, width] = shape as [number, number, number];
    const at = ctrgcn!.json.order.indexOf(name) * frames * width;
    const { positions } = prepareCtrgcn(recordingOf(name));
    const row = new Float64Array(frames * width);
    row.set(positions);
    expect(largestDifference(row, values.subarray(at, at + frames * width))).toBe(0);
  });
});

/** Golden rows have 75 numbers where there is one actor, else 150. */
function expectRows(
  { frames, positions }: { readonly frames: number; readonly positions: Float64Array },
  { shape, values }: { readonly shape: readonly number[]; readonly values: Float64Array },
) {
  const [rows, width] = shape as [number, number];
  expect(frames).toBe(rows);
  const found = Float64Array.from(
    { length: rows * width },
    (_, i) => positions[Math.floor(i / width) * 150 + (i % width)]!,
  );
  expect(largestDifference(found, values)).toBe(0);
  if (width === 75) expect(positions.some((value, i) => i % 150 >= 75 && value !== 0)).toBe(false);
}
