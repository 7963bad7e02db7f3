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

/** Decodes in native code that have not ended yet: of this thread first, then of those that it started. */
let underWay: readonly Int32Array[] = [new Int32Array(new SharedArrayBuffer(4))];

export const decodesUnderWay = {
  add: (change: 1 | -1) => {
    Atomics.add(underWay[0]!, 0, change);
  },
  get count(): number {
    return underWay.reduce((sum, cell) => sum + Atomics.load(cell, 0), 0);
  },
};

/** Rules and memory budget for a new thread. Plain data, for a worker. */
export interface SharedReading {
  readonly rules: DecodingRules;
  readonly budget: SharedMemoryBudget;
  readonly underWay: Int32Array;
}

/** What a new thread needs to read as this one does, and what is to be called when it has ended. */
export function shareReading(): { readonly reading: SharedReading; readonly ended: () => void } {
  const { budget, free } = memoryBudget().share();
  const cell = new Int32Array(new SharedArrayBuffer(4));
  underWay = [...underWay, cell];
  const ended = () => {
    underWay = underWay.filter((other) => other !== cell);
    free();
  };
  return { reading: { rules, budget, underWay: cell }, ended };
}

/** Makes this thread read as the one that started it. */
export function joinReading(reading: SharedReading): void {
  rules = reading.rules;
  underWay = [reading.underWay];
  joinMemoryBudget(reading.budget);
}
