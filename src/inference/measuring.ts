/** The time of a program's kernel calls, for engines that can run them one at a time, as the wasm engine can. */
import type { Program } from '../engines/kernels.js';

/** One kernel call of a run. */
export interface MeasuredCall {
  /** After the layer. */
  readonly name: string;
  readonly kernel: string;
  /** How the engine computes it, in its words. */
  readonly method: string;
  readonly milliseconds: number;
}

interface MeasuringProgram extends Program {
  profile(): Promise<readonly MeasuredCall[]>;
}

/** Runs the calls one at a time, which moves membranes that stay. @returns undefined when the engine cannot. */
export async function measuredCalls(program: Program): Promise<readonly MeasuredCall[] | undefined> {
  return canMeasure(program) ? program.profile() : undefined;
}

/** Whether `measuredCalls` gives something. */
export function canMeasure(program: Program): program is MeasuringProgram {
  return 'profile' in program;
}

/** Times by layer; of calls with one name the sum. */
export function byLayer(calls: readonly MeasuredCall[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { name, milliseconds } of calls) times.set(name, (times.get(name) ?? 0) + milliseconds);
  return times;
}
