/**
 * What holds for every decode of a process: how long one may take, whether damaged images are taken as far as they go, and
 * which were. Settings of the process, not of a call, so that they reach decodes behind data sets and in other threads. Node only.
 */
import { joinMemoryBudget, memoryBudget, type SharedMemoryBudget } from './memoryBudget.js';

/** See {@link setDecodingRules}. */
export interface DecodingRules {
  /** Take what can be decoded of a damaged image, instead of refusing it. */
  readonly tolerateDamaged: boolean;
  /** A decode that takes longer fails. */
  readonly timeoutSeconds: number;
}

export const defaultDecodingRules: DecodingRules = { tolerateDamaged: false, timeoutSeconds: 30 };

let rules = defaultDecodingRules;
const damaged = new Set<string>();

/** Changes rules for all decodes that begin from now on, in this thread and in data workers started from now on. */
export function setDecodingRules(changes: Partial<DecodingRules>): void {
  rules = { ...defaultDecodingRules, ...changes };
  damaged.clear();
}

export function decodingRules(): DecodingRules {
  return rules;
}

/** Names of the damaged images that were taken since the rules were set, each once. */
export function damagedImages(): readonly string[] {
  return [...damaged];
}

export function noteDamaged(names: Iterable<string>): void {
  for (const name of names) damaged.add(name);
}

const underWayCell = 0;
const givenUpCell = 1;
const newCounts = () => new Int32Array(new SharedArrayBuffer(8));

/** Of this thread first, then of those that it started. */
let counts: readonly Int32Array[] = [newCounts()];

function sumOf(cell: number): number {
  return counts.reduce((sum, of) => sum + Atomics.load(of, cell), 0);
}

/** Decodes in native code that have not ended yet, in all threads. */
export const decodesUnderWay = {
  add: (change: 1 | -1) => {
    Atomics.add(counts[0]!, underWayCell, change);
  },
  addGivenUp: (change: 1 | -1) => {
    Atomics.add(counts[0]!, givenUpCell, change);
  },
  get count(): number {
    return sumOf(underWayCell);
  },
  /** Of them, those that took longer than allowed: nobody waits for them, and they may never end. */
  get givenUp(): number {
    return sumOf(givenUpCell);
  },
};

/** Rules and memory budget for a new thread. Plain data, for a worker. */
export interface SharedReading {
  readonly rules: DecodingRules;
  readonly budget: SharedMemoryBudget;
  readonly counts: Int32Array;
}

/** What a new thread needs to read as this one does, and what is to be called when it has ended. */
export function shareReading(): { readonly reading: SharedReading; readonly ended: () => void } {
  const { budget, free } = memoryBudget().share();
  const its = newCounts();
  counts = [...counts, its];
  const ended = () => {
    counts = counts.filter((other) => other !== its);
    free();
  };
  return { reading: { rules, budget, counts: its }, ended };
}

/** Makes this thread read as the one that started it. */
export function joinReading(reading: SharedReading): void {
  rules = reading.rules;
  counts = [reading.counts];
  joinMemoryBudget(reading.budget);
}
