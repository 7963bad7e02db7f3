/** What calls of the reference engine find beside themselves: the counters of their recording. */
import { EngineError } from '../errors.js';
import type { Counters } from '../tensor.js';

export class ReferenceCounters implements Counters {
  readonly values: Float64Array;

  constructor(readonly length: number) {
    this.values = new Float64Array(length);
  }
}

/** The counters' numbers. @throws EngineError for counters of another recording. */
export function countersOf(user: string, counters: Counters, own: readonly ReferenceCounters[]): Float64Array {
  const found = own.find((known) => known === counters);
  if (!found) throw new EngineError(`${user}: the counters are another recording's`);
  return found.values;
}

export interface ReferenceContext {
  /** @throws EngineError for counters of another recording. */
  readonly countersOf: (user: string, counters: Counters) => Float64Array;
}

/** Makes what runs a call that has been checked; `engines/reference/calls/` has one such function for each kernel. */
export type ReferenceKernel<Call> = (call: Call, context: ReferenceContext) => () => void;
