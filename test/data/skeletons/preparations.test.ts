/** What the two published preparations do with bodies that leave, are noise, or are not there, on recordings that can be followed by hand. Numbers: test/golden/skeletonData.test.ts. */
import { describe, expect, it } from 'vitest';
import { parseNtuText } from '../../../src/data/skeletons/ntuText.js';
import { chooseAgcnBodies, prepareAgcn } from '../../../src/data/skeletons/prepareAgcn.js';
import { chooseCtrgcnBodies, prepareCtrgcn } from '../../../src/data/skeletons/prepareCtrgcn.js';
import type { SkeletonSequence } from '../../../src/data/skeletons/skeletonSequence.js';
import { type MadeBody, ntuText } from '../../support/ntuRecordings.js';

const recording = (frames: readonly (readonly MadeBody[])[]) =>
  parseNtuText(new TextEncoder().encode(ntuText(frames)), 'made.skeleton');

/** Frames of one body each, which walks along x by `step` in each. */
const walk = (frames: number, step: number, body: Partial<MadeBody> = {}): MadeBody[] =>
  Array.from({ length: frames }, (_, t) => ({ at: [step * t, 0, 3], ...body }));
const together = (...bodies: readonly (readonly MadeBody[])[]) =>
  bodies[0]!.map((_, t) => bodies.map((body) => body[t]!));

const jointAt = ({ positions, bodies, joints }: SkeletonSequence, frame: number, body: number, joint: number) =>
  Array.from(positions.subarray(3 * ((frame * bodies + body) * joints + joint)).subarray(0, 3));
const xOf = (sequence: SkeletonSequence, body: number) =>
  Array.from({ length: sequence.frames }, (_, frame) => jointAt(sequence, frame, body, 0)[0]!);
const rounded = (values: readonly number[]) => values.map((value) => Math.round(value * 1e4) / 1e4 + 0);

describe('as 2s-AGCN prepares', () => {
  it('puts the body that moves more first, and nobody second where there is one', () => {
    const two = chooseAgcnBodies(recording(together(walk(4, 0.1), walk(4, 1, { id: '2' }))));
    expect(rounded(xOf(two, 0))).toEqual([0, 1, 2, 3]);
    expect(rounded(xOf(two, 1))).toEqual([0, 0.1, 0.2, 0.3]);
    const one = chooseAgcnBodies(recording(together(walk(4, 1))));
    expect(xOf(one, 1)).toEqual([0, 0, 0, 0]);
  });

  it('makes the middle of the spine the origin of every frame, the spine z and the shoulders x, and changes no length', () => {
    const raw = recording(together(walk(5, 0.3)));
    const sequence = prepareAgcn(raw);
    for (let frame = 0; frame < 5; frame++) expect(rounded(jointAt(sequence, frame, 0, 1))).toEqual([0, 0, 0]);
    const shoulders = jointAt(sequence, 0, 0, 8).map((value, axis) => value - jointAt(sequence, 0, 0, 4)[axis]!);
    expect(Math.abs(shoulders[1]!) + Math.abs(shoulders[2]!)).toBeLessThan(1e-6);
    const before = raw.frames[0]![0]!.joints;
    const length = (values: ArrayLike<number>, from: number, to: number) =>
      Math.hypot(...[0, 1, 2].map((axis) => values[3 * to + axis]! - values[3 * from + axis]!));
    for (let joint = 2; joint < 25; joint++)
      expect(length(sequence.positions, 1, joint)).toBeCloseTo(length(before, 1, joint), 5);
  });

  it('repeats a body from its beginning where it has left, and moves it to the front where it came later', () => {
    const [first, second] = [walk(6, 0.1), walk(6, 0.01, { id: '2', at: [1, 0, 3] })];
    const left = prepareAgcn(recording(first.map((body, t) => (t < 2 ? [body, second[t]!] : [body]))));
    const spine = (sequence: SkeletonSequence, frame: number) => rounded(jointAt(sequence, frame, 1, 1));
    expect(spine(left, 0)).not.toEqual([0, 0, 0]);
    // Repeated before the first body becomes the origin: the places differ, the bodies do not.
    expect(left.positions.some(Number.isNaN)).toBe(false);
    const late = prepareAgcn(recording(first.map((body, t) => (t >= 4 ? [body, second[t]!] : [body]))), { fillTo: 8 });
    expect(late.frames).toBe(8);
    for (let frame = 0; frame < 8; frame++) expect(spine(late, frame)).not.toEqual([0, 0, 0]);
  });
});

describe('as CTR-GCN prepares', () => {
  it('has one origin: the middle of the first actor’s spine in its first frame', () => {
    const sequence = prepareCtrgcn(recording(together(walk(12, 1))));
    expect(rounded(jointAt(sequence, 0, 0, 1))).toEqual([0, 0, 0]);
    expect(rounded(jointAt(sequence, 11, 0, 1))).toEqual([11, 0, 0]);
    expect(sequence.positions.some((value, i) => i % 150 >= 75 && value !== 0)).toBe(false);
  });

  it('drops frames without anybody, and moves a body that comes back to the front', () => {
    const [steady, away] = [walk(30, 1), walk(30, 0.1, { id: '2' })];
    const frames = steady.map((body, t) => (t === 0 ? [] : t >= 5 && t < 15 ? [body] : [body, away[t]!]));
    const sequence = chooseCtrgcnBodies(recording(frames));
    expect(sequence.frames).toBe(29);
    const second = rounded(xOf(sequence, 1));
    expect(second.slice(0, 6)).toEqual([0.1, 0.2, 0.3, 0.4, 1.5, 1.6]);
    expect(second.slice(19)).toEqual(Array(10).fill(0));
  });

  it('drops bodies of 11 frames or fewer, but never a single one', () => {
    const short = walk(20, 5, { id: '2' });
    const frames = (length: number) => walk(20, 1).map((body, t) => (t < length ? [body, short[t]!] : [body]));
    const has = (length: number) => rounded(xOf(chooseCtrgcnBodies(recording(frames(length))), 0))[1] === 5;
    expect([has(11), has(12)]).toEqual([false, true]);
    expect(chooseCtrgcnBodies(recording(together(walk(3, 1)))).frames).toBe(3);
  });

  it('drops bodies that are too wide, but keeps the last one', () => {
    const wide = { id: '2', width: 1.5 };
    const both = chooseCtrgcnBodies(recording(together(walk(20, 1), walk(20, 5, wide))));
    expect(rounded(xOf(both, 0))[1]).toBe(1);
    expect(xOf(both, 1)).toEqual(Array(20).fill(0));
    const last = chooseCtrgcnBodies(recording(together(walk(20, 1, { width: 1.5 }), walk(20, 5, wide))));
    expect(rounded(xOf(last, 0))[1]).toBe(5);
  });

  it('gives a body that follows another the same column', () => {
    const [early, late] = [walk(15, 0.1), walk(15, 1, { id: '2' })];
    const sequence = chooseCtrgcnBodies(recording([...early.map((body) => [body]), ...late.map((body) => [body])]));
    expect(rounded(xOf(sequence, 0)).slice(13, 17)).toEqual([1.3, 1.4, 0, 1]);
    expect(xOf(sequence, 1)).toEqual(Array(30).fill(0));
  });
});

describe('recordings that cannot be prepared', () => {
  const nobody = recording([[], []]);
  it('says that nobody was tracked', () => {
    const message = /made\.skeleton: no body was tracked in any of its 2 frames; leave the file out/;
    expect(() => prepareAgcn(nobody)).toThrow(message);
    expect(() => prepareCtrgcn(nobody)).toThrow(message);
  });

  it('says that all bodies are short, and that ids are not told apart', () => {
    expect(() => prepareCtrgcn(recording(together(walk(5, 1), walk(5, 1, { id: '2' }))))).toThrow(
      /made\.skeleton: none of its 2 bodies is there for more than 11 frames; prepare it as agcn does/,
    );
    expect(() => prepareCtrgcn(recording(together(walk(5, 1), walk(5, 1))))).toThrow(
      /made\.skeleton: two bodies of one frame have the same id/,
    );
  });
});
