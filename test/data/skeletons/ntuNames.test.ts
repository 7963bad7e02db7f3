/** What names of NTU RGB+D's recordings say, how protocols divide them, which recordings are left out. */
import { describe, expect, it } from 'vitest';
import { ntuActions } from '../../../src/data/skeletons/ntuActions.js';
import { ntuMissing } from '../../../src/data/skeletons/ntuMissing.js';
import {
  isNtuTraining,
  type NtuProtocol,
  ntuClassCount,
  ntuName,
  ntuProtocolOfArchive,
  ntuProtocols,
} from '../../../src/data/skeletons/ntuNames.js';
import { skeletonGolden, withoutGoldens } from '../../support/skeletons.js';

const named = (fields: Partial<Record<'S' | 'C' | 'P' | 'R' | 'A', number>>) =>
  ntuName(
    ['S', 'C', 'P', 'R', 'A'].map((field) => field + String(fields[field as 'S'] ?? 1).padStart(3, '0')).join(''),
  )!;
const performersOf = (protocol: NtuProtocol, most: number) =>
  Array.from({ length: most }, (_, i) => i + 1).filter((P) => isNtuTraining(named({ P }), protocol));

describe('names of NTU RGB+D', () => {
  it('say setup, camera, performer, replication and action, in whatever folder', () => {
    expect(ntuName('nturgb+d_skeletons/S017C003P040R002A060.skeleton')).toEqual({
      stem: 'S017C003P040R002A060',
      setup: 17,
      camera: 3,
      performer: 40,
      replication: 2,
      action: 60,
    });
    for (const other of ['S1C1P1R1A1.skeleton', 'xS001C001P001R001A001', 'S001C001P001R001A001_rgb.avi', ''])
      expect(ntuName(other)).toBeUndefined();
  });

  it('divide performers as published: 20 of 40 and 53 of 106 train', () => {
    expect(performersOf('xsub', 106)).toEqual([
      1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    ]);
    const all = performersOf('xsub120', 106);
    expect(all).toHaveLength(53);
    expect(all.filter((performer) => performer <= 40)).toEqual(performersOf('xsub', 40));
    expect(all.slice(20)).toEqual([
      45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94,
      95, 97, 98, 100, 103,
    ]);
  });

  it('divide by camera and by setup', () => {
    expect([1, 2, 3].map((C) => isNtuTraining(named({ C }), 'xview'))).toEqual([false, true, true]);
    expect([1, 2, 26, 31, 32].map((S) => isNtuTraining(named({ S }), 'xset'))).toEqual([
      false,
      true,
      true,
      false,
      true,
    ]);
    expect(ntuProtocols.map(ntuClassCount)).toEqual([60, 60, 120, 120]);
  });

  const golden = skeletonGolden<{ readonly order: string[]; readonly split: Record<string, readonly number[]> }>(
    'ntu_ctrgcn',
  );
  it.skipIf(!golden)(`divide as CTR-GCN does, whose order is another${golden ? '' : withoutGoldens}`, () => {
    const { order, split } = golden!.json;
    for (const [protocol, key] of [
      ['xsub', 'CS'],
      ['xview', 'CV'],
    ] as const) {
      const training = order.flatMap((name, i) => (isNtuTraining(ntuName(name)!, protocol) ? [i] : []));
      expect(training).toEqual([...split[`${key}_train`]!].sort((a, b) => a - b));
      expect(order.length - training.length).toBe(split[`${key}_test`]!.length);
    }
  });
});

describe('lists of NTU RGB+D', () => {
  it('has 535 recordings with missing skeletons, of which 302 belong to the first 60 actions', () => {
    const names = [...ntuMissing].map((name) => ntuName(name)!);
    expect(names).toHaveLength(535);
    expect(names.every(Boolean)).toBe(true);
    const first = names.filter(({ setup }) => setup <= 17);
    expect(first).toHaveLength(302);
    expect(first.every(({ action, performer }) => action <= 60 && performer <= 40)).toBe(true);
    expect(names.filter(({ setup }) => setup > 17).every(({ action }) => action > 60)).toBe(true);
    for (const name of ['S001C002P005R002A008', 'S007C003P027R002A013', 'S029C003P051R002A110', 'S032C003P067R002A077'])
      expect(ntuMissing.has(name), name).toBe(true);
  });

  // Before: Shahroudy et al. 2016, Table 2's protocols; after: what users of the arrays report (CTR-GCN and others).
  it.each([
    ['xsub', 40320, 40091, 16560, 16487],
    ['xview', 37920, 37646, 18960, 18932],
  ] as const)(
    'leaves as many recordings of %s as the field reports',
    (protocol, training, trained, testing, tested) => {
      const names = [...ntuMissing].map((name) => ntuName(name)!).filter(({ setup }) => setup <= 17);
      const missing = names.filter((name) => isNtuTraining(name, protocol)).length;
      expect(training - missing).toBe(trained);
      expect(testing - (names.length - missing)).toBe(tested);
    },
  );

  it('leaves as many recordings of NTU RGB+D 120 as the field reports', () => {
    expect(114480 - ntuMissing.size).toBe(63026 + 50919);
    expect(114480 - ntuMissing.size).toBe(54468 + 59477);
  });

  it('has 120 actions of different names', () => {
    expect(new Set(ntuActions).size).toBe(120);
    expect([ntuActions[0], ntuActions[8], ntuActions[59], ntuActions[60], ntuActions[119]]).toEqual([
      'drink water',
      'stand up',
      'walk apart from each other',
      'put on headphones',
      'rock-paper-scissors',
    ]);
  });

  it('knows the protocols of arrays by their file names', () => {
    const files = ['data/NTU60_CS.npz', 'NTU60_CV.npz', 'NTU120_CSub.npz', 'NTU120_CSet.npz', 'mine.npz'];
    expect(files.map(ntuProtocolOfArchive)).toEqual(['xsub', 'xview', 'xsub120', 'xset', undefined]);
  });
});
