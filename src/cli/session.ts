/** One run of the command line: where it speaks, and the exit code it ends with. */
import type { Io } from './io.js';

export const exitCodes = { done: 0, defect: 1, refused: 2, interrupted: 130 } as const;

export interface Session {
  readonly io: Io;
  /** What the process ends with when no error is thrown. */
  exitCode: number;
}
