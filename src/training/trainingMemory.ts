/** Where a training step's tensors lie: parameters one after the other in one vector, activations in an arena that what is no longer needed gives back. */
import { byteLengthOf, type Storage, type Tensor, tensorAlignment } from '../engines/kernels.js';
import type { TrainingKernels } from '../engines/trainingKernels.js';
import type { ParameterSpec } from '../graph/graph.js';
import { elementCount, type Shape } from '../graph/shape.js';
import { type Lifetime, planMemory } from '../runtime/memoryPlan.js';
import type { ParameterSlot } from './trainingPlanTypes.js';

type Memory = Pick<TrainingKernels, 'allocate'>;

/** Lays parameters out in one block and adds their tensors to `into`, by name. */
export function layParameters(
  memory: Memory,
  specs: readonly ParameterSpec[],
  into: Map<string, Tensor>,
): { readonly slots: readonly ParameterSlot[]; readonly tensor: Tensor } {
  const slots: ParameterSlot[] = [];
  let bytes = 0;
  for (const spec of specs) {
    const length = elementCount(spec.shape);
    slots.push({ spec, offset: bytes / 4, length });
    bytes += alignedBytes(4 * length);
  }
  bytes = Math.max(bytes, tensorAlignment);
  const block = memory.allocate(bytes);
  for (const { spec, offset } of slots)
    into.set(spec.name, { shape: spec.shape, storage: 'real', block, byteOffset: 4 * offset });
  return { slots, tensor: { shape: [bytes / 4], storage: 'real', block, byteOffset: 0 } };
}

export interface ActivationLayout {
  /** The tensor of a value, gradient or temporary. What no step touches has a shape and no place: an engine refuses to read it. */
  readonly tensor: (id: string) => Tensor;
  readonly byteLength: number;
}

export interface Activations {
  /** The ids that each step touches, in the order in which steps run. */
  readonly steps: readonly (readonly string[])[];
  /** Ids that somebody reads or writes besides, and at which step. */
  readonly touchedBesides: readonly (readonly [id: string, step: number])[];
  readonly declared: ReadonlyMap<string, { readonly shape: Shape; readonly storage: Storage }>;
  /** The id whose memory an id shows: its own but for views. */
  rootOf(id: string): string;
}

/** An id has memory from the first step that touches it to the last. */
export function layActivations(
  memory: Memory,
  { steps, touchedBesides, declared, rootOf }: Activations,
): ActivationLayout {
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  const touch = (id: string, step: number) => {
    const root = rootOf(id);
    first.set(root, Math.min(first.get(root) ?? step, step));
    last.set(root, Math.max(last.get(root) ?? step, step));
  };
  steps.forEach((touches, step) => {
    for (const id of touches) touch(id, step);
  });
  for (const [id, step] of touchedBesides) touch(id, step);
  const lifetimes: Lifetime[] = [...first].map(([id, step]) => {
    const { shape, storage } = declared.get(id)!;
    return { name: id, byteLength: byteLengthOf(shape, storage), first: step, last: last.get(id)! };
  });
  const plan = planMemory(lifetimes);
  const block = memory.allocate(plan.byteLength);
  return {
    byteLength: plan.byteLength,
    tensor: (id) => {
      const { shape, storage } = declared.get(id)!;
      return { shape, storage, block, byteOffset: plan.offsets.get(rootOf(id)) ?? Number.NaN };
    },
  };
}

/** Bytes that begin where a tensor may begin and end where the next one may. */
export function alignedBytes(bytes: number): number {
  return Math.ceil(bytes / tensorAlignment) * tensorAlignment;
}
