/** Golden files of other libraries' event processing: their records, cases and tensors. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Events, eventsOf } from '../../../src/modalities/events/columns.js';
import type { SensorSize } from '../../../src/modalities/events/filters.js';
import { sharedPath } from '../../shared.js';
import { type FixtureTensor, readTensors } from '../../support/safetensors.js';

export interface Golden<Case> {
  readonly cases: readonly Case[];
  tensor(name: string): FixtureTensor;
  /** The four columns called `name.t`, `name.x`, … */
  events(name: string): Events;
}

/** The golden `shared/golden/events/NAME`, or undefined without the shared folder. */
export function eventGolden<Case>(name: string): Golden<Case> | undefined {
  const [json, data] = [
    sharedPath('golden', 'events', `${name}.json`),
    sharedPath('golden', 'events', `${name}.safetensors`),
  ];
  if (json === undefined || data === undefined) return undefined;
  const tensor = readTensors(data);
  return {
    cases: (JSON.parse(readFileSync(json, 'utf8')) as { readonly cases: readonly Case[] }).cases,
    tensor,
    events: (prefix) => {
      const [t, x, y, p] = ['t', 'x', 'y', 'p'].map((column) => tensor(`${prefix}.${column}`).values);
      return eventsOf(Array.from(t!, (time, i) => [time, x![i]!, y![i]!, p![i]!] as const));
    },
  };
}

/** Names and cases for `it.each`; one line to skip without the shared folder. */
export function casesOf<Case extends { readonly id: string }>(
  golden: Golden<Case> | undefined,
): readonly (readonly [id: string, c: Case])[] {
  if (golden === undefined) return [['every case of the golden file', {} as Case]];
  return golden.cases.map((c) => [c.id, c] as const);
}

/** The sensors of the golden records. */
export const sensors: Readonly<Record<string, SensorSize>> = {
  a: { width: 12, height: 10 },
  b: { width: 20, height: 16 },
  nmnist: { width: 34, height: 34 },
};

/** Columns up to their length, as plain lists that compare well. */
export function plain({ length, t, x, y, p }: Events) {
  return Object.fromEntries(
    Object.entries({ t, x, y, p }).map(([name, column]) => [name, Array.from(column.subarray(0, length))]),
  );
}

/** That all values agree within a tolerance; says where they do not. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (!(Math.abs(actual[i]! - expected[i]!) <= tolerance)) {
      expect.fail(`value ${i} is ${actual[i]}, not ${expected[i]}`);
    }
  }
}
