/** The memory plan: nothing that is alive at the same time overlaps, and memory is used again. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { type Lifetime, planMemory } from '../../src/runtime/memoryPlan.js';

function lifetime(name: string, byteLength: number, first: number, last: number): Lifetime {
  return { name, byteLength, first, last };
}

describe('planMemory', () => {
  it('gives memory again once a tensor is dead', () => {
    const plan = planMemory([lifetime('a', 640, 0, 1), lifetime('b', 640, 1, 2), lifetime('c', 640, 2, 3)]);
    expect(plan.offsets.get('a')).toBe(plan.offsets.get('c'));
    expect(plan.byteLength).toBe(1280);
  });

  it('keeps the output of a step apart from its inputs', () => {
    const plan = planMemory([lifetime('input', 64, 0, 1), lifetime('output', 64, 1, 1)]);
    expect(plan.offsets.get('input')).not.toBe(plan.offsets.get('output'));
  });

  it('never lets tensors that live at the same time overlap, and aligns them all', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 50; round++) {
      const lifetimes = Array.from({ length: 40 }, (_, i) => {
        const first = random.integer(30);
        return lifetime(`t${i}`, 1 + random.integer(5000), first, first + random.integer(10));
      });
      const plan = planMemory(lifetimes);
      for (const a of lifetimes) {
        const start = plan.offsets.get(a.name)!;
        expect(start % 64).toBe(0);
        expect(start + a.byteLength).toBeLessThanOrEqual(plan.byteLength);
        for (const b of lifetimes) {
          if (a === b || a.last < b.first || b.last < a.first) continue;
          const other = plan.offsets.get(b.name)!;
          expect(start + a.byteLength <= other || other + b.byteLength <= start).toBe(true);
        }
      }
    }
  });
});
