/**
 * Memory that threads share, for images that stay: the budget is asked before it is allocated and gets it back when nobody holds the
 * bytes any more.
 */
import { memoryBudget } from '../memoryBudget.js';
import { sharedMemory } from '../sharedMemory.js';

const released = new FinalizationRegistry<() => void>((release) => release());

/** Zeros. Throws DataError, naming `what` and the option that raises the limit, when the budget has not so much left. */
export function sharedBytes(length: number, what: string): Uint8Array {
  const release = memoryBudget().take(length, what);
  try {
    const memory = sharedMemory(length, what);
    released.register(memory, release);
    return new Uint8Array(memory);
  } catch (error) {
    release();
    throw error;
  }
}

/** Whether the budget has so much left. */
export function hasRoomFor(bytes: number): boolean {
  const budget = memoryBudget();
  return budget.used + bytes <= budget.bytes;
}
