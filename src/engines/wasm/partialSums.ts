/**
 * Sums over rows, made in a number of parts that depends on the rows only, so that results do not depend on the number of threads.
 */
import type { Opcode } from './opcodes.generated.js';
import { roundUp } from './packing.js';
import type { Operands, Recording } from './recording.js';
import { BatchNormWord } from './trainingInstructionSet.js';

/** Rows whose sums are made together; more of them make no part smaller than this many rows. */
const leastRowsPerPart = 64;
const mostParts = 32;

/** The operands, and those of float64 sums in parts: `[part][numbers]`, numbers rounded up as the kernels do. */
export function partialSums(recording: Recording, operands: Operands, rows: number, numbers: number): Operands {
  recording.shared.need(partialBytes(rows, numbers));
  return { ...operands, [BatchNormWord.rows]: rows, [BatchNormWord.parts]: partsOf(rows) };
}

/** Appends an instruction of batch normalisation whose sums, and means if it has any, lie in shared scratch. */
export function appendShared(
  recording: Recording,
  name: string,
  kernel: string,
  method: string,
  opcode: Opcode,
  operands: Operands,
): void {
  const words = recording.append(name, kernel, method, opcode, operands);
  recording.shared.refer(words, BatchNormWord.sums);
  if (operands[BatchNormWord.means] !== undefined) recording.shared.refer(words, BatchNormWord.means);
}

export function partsOf(rows: number): number {
  return Math.min(mostParts, Math.ceil(rows / leastRowsPerPart));
}

/** Twice three more than needed when `numbers` are two times the channels: each half is rounded up by itself. */
export function partialBytes(rows: number, numbers: number): number {
  return roundUp(partsOf(rows) * (numbers + 6) * 8, 64);
}
