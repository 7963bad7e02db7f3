/**
 * Lays tensors out in one arena so that those alive at the same time never overlap: largest first, each at the lowest offset
 * that is free over its whole life. Knows nothing of what the tensors mean.
 */
import { tensorAlignment } from '../engines/kernels.js';

export interface Lifetime {
  readonly name: string;
  readonly byteLength: number;
  /** Step that writes it, and last step that reads it; both inclusive. */
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  readonly byteLength: number;
  readonly offsets: ReadonlyMap<string, number>;
}

interface Placed extends Lifetime {
  readonly offset: number;
}

export function planMemory(lifetimes: readonly Lifetime[]): MemoryPlan {
  const placed: Placed[] = [];
  const bySize = [...lifetimes].sort((a, b) => b.byteLength - a.byteLength || a.first - b.first);
  for (const lifetime of bySize) placed.push({ ...lifetime, offset: lowestFreeOffset(lifetime, placed) });
  return {
    byteLength: placed.reduce((end, tensor) => Math.max(end, tensor.offset + aligned(tensor.byteLength)), 0),
    offsets: new Map(placed.map((tensor) => [tensor.name, tensor.offset])),
  };
}

function lowestFreeOffset(lifetime: Lifetime, placed: readonly Placed[]): number {
  const neighbours = placed
    .filter((other) => other.first <= lifetime.last && lifetime.first <= other.last)
    .sort((a, b) => a.offset - b.offset);
  const size = aligned(lifetime.byteLength);
  let offset = 0;
  for (const other of neighbours) {
    if (offset + size <= other.offset) break;
    offset = Math.max(offset, other.offset + aligned(other.byteLength));
  }
  return offset;
}

function aligned(byteLength: number): number {
  return Math.ceil(byteLength / tensorAlignment) * tensorAlignment;
}
