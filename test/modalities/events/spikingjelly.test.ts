/** Every case of the golden file of spikingjelly (afb13226, and 0.0.0.0.12). */
import { describe, expect, it } from 'vitest';
import type { Events } from '../../../src/modalities/events/columns.js';
import { addPolarities, placesOf } from '../../../src/modalities/events/representations.js';
import { parseWindow, type WindowInput } from '../../../src/modalities/events/settings.js';
import { slicesOf } from '../../../src/modalities/events/slicing.js';
import { casesOf, eventGolden, expectClose, sensors } from './support.js';

interface JellyCase {
  readonly id: string;
  readonly raises?: string;
  readonly j_l?: readonly number[];
  readonly j_r?: readonly number[];
}

const golden = eventGolden<JellyCase>('spikingjelly');

function windowOf(kind: string, amount: number): WindowInput {
  const convention = 'spikingjelly';
  if (kind === 'duration') return { by: 'time', microseconds: amount, convention };
  return { by: 'bins', bins: amount, of: kind === 'time' ? 'time' : 'events', convention };
}

function frames(events: Events, window: WindowInput, { width, height }: { width: number; height: number }) {
  const slices = slicesOf(events, parseWindow(window));
  const target = new Float32Array(slices.length * 2 * height * width);
  for (const [k, { start, end }] of slices.entries()) {
    addPolarities(events, start, end, placesOf(height, width), { target, offset: k * 2 * height * width });
  }
  return { slices, target };
}

describe.skipIf(golden === undefined)('events as spikingjelly has them', () => {
  it.each(casesOf(golden))('%s', (id, c) => {
    const [record, kind, amount] = id.split('.') as [string, string, string];
    const input = golden!.events(`${record}.in`);
    const window = windowOf(kind, Number(amount));
    if (c.raises !== undefined) {
      expect(() => slicesOf(input, parseWindow(window))).toThrow('where spikingjelly fails');
      return;
    }
    const { slices, target } = frames(input, window, sensors[record]!);
    expectClose(target, golden!.tensor(id).values, 0);
    if (c.j_l !== undefined) expect(slices.map(({ start }) => start)).toEqual(c.j_l);
    if (c.j_r !== undefined) expect(slices.map(({ end }) => end)).toEqual(c.j_r);
    const old = frames(input, { ...window, convention: 'spikingjelly-0.0.0.0.12' }, sensors[record]!);
    const oldId = kind === 'duration' ? `${record}.duration_sj12.${amount}` : id;
    expectClose(old.target, golden!.tensor(oldId).values, 0);
  });
});
