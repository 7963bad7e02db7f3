/**
 * Samples with targets behind one interface, whatever they were read from and whatever is asked about them, and deterministic parts of such
 * a set. Where samples and targets are is described by plain data that threads can share.
 */
import { UsageError } from '../../errors.js';
import { randomFor, shuffle } from '../seed.js';
import { type TargetOf, type TargetStore, targetKindOf } from '../targets/registry.js';

/** A set of samples of one modality, each with a target of one kind. */
export interface Dataset<Sample, Targets extends TargetStore = TargetStore> {
  readonly name: string;
  /** The name of the samples' modality. */
  readonly modality: string;
  /** What messages call a sample, in the singular. */
  readonly noun: string;
  readonly size: number;
  /** Where the samples are: plain data that the modality reads. */
  readonly store: object;
  readonly targets: Targets;
  /** Sample i. Throws an error naming the file when it cannot be read, UsageError when there is no such sample. */
  sample(i: number): Promise<Sample>;
  /** The target of sample i. Throws UsageError when there is no such sample. */
  target(i: number): TargetOf<Targets>;
  /** What messages call sample i: a path where there is one. */
  sampleName(i: number): string;
  /** Where sample i and its target are in their stores. */
  position(i: number): number;
  /** The samples with these numbers, in this order. Throws UsageError for a number that does not exist. */
  part(indices: ArrayLike<number>, name: string): this;
  /** What a person should know about how the data was read, such as what was passed over; a line each. */
  readonly notes?: readonly string[];
}

/** A data set of which only that it is one matters. */
export type AnyDataset = Dataset<unknown>;

/** What the parts of a set have in common: all that is asked by position, not by number. */
export interface DatasetSource<Sample, Targets extends TargetStore> {
  readonly modality: string;
  readonly noun: string;
  readonly store: object;
  readonly targets: Targets;
  read(position: number): Promise<Sample>;
  nameAt(position: number): string | undefined;
}

/** Everything of a data set but its own parts, which depend on what else it has. */
export type DatasetView<Sample, Targets extends TargetStore> = Omit<Dataset<Sample, Targets>, 'part'>;

/** The samples at these positions. */
export function viewOf<Sample, Targets extends TargetStore>(
  source: DatasetSource<Sample, Targets>,
  positions: Int32Array,
  name: string,
): DatasetView<Sample, Targets> {
  const { modality, noun, store, targets } = source;
  const kind = targetKindOf(targets);
  const at = (i: number) => positionOf(positions, i, name, noun);
  return {
    name,
    modality,
    noun,
    size: positions.length,
    store,
    targets,
    sample: async (i) => source.read(at(i)),
    target: (i) => kind.read(targets, at(i)),
    sampleName: (i) => source.nameAt(at(i)) ?? `${name} ${noun} ${i}`,
    position: at,
  };
}

/** The positions of some of the samples at `positions`. Throws UsageError for a number that does not exist. */
export function chosenOf(
  positions: Int32Array,
  indices: ArrayLike<number>,
  { name, noun }: Pick<AnyDataset, 'name' | 'noun'>,
): Int32Array {
  return Int32Array.from(indices, (i) => positionOf(positions, i, name, noun));
}

function positionOf(positions: Int32Array, i: number, name: string, noun: string): number {
  const position = positions[i];
  if (position === undefined) {
    throw new UsageError(`${name} has no ${noun} ${i}; the number must be from 0 to ${positions.length - 1}`);
  }
  return position;
}

/** What tells the target of sample i from others. */
export function identityOf({ targets, target, position }: AnyDataset, i: number): Uint8Array | string {
  const { identity } = targetKindOf(targets);
  return identity === undefined ? JSON.stringify(target(i)) : identity(targets, position(i));
}

/** The samples with these numbers, in this order. Throws UsageError for a number that does not exist. */
export function subset<Whole extends AnyDataset>(dataset: Whole, indices: ArrayLike<number>, name: string): Whole {
  return dataset.part(indices, name);
}

/**
 * Splits a data set into a part to train on and a part to validate on, without overlap, every class in proportion (largest
 * remainders) where targets have classes. `amount` below 1 is a share, from 1 on a number of samples. The same seed gives the same split
 * everywhere. Throws UsageError when either part would be empty.
 *
 * @param from Whether any samples are held out, by chance, or the last of each class: neighbours in a recording are nearly the same, and would
 *   be on both sides.
 */
export function holdOut<Whole extends AnyDataset>(
  dataset: Whole,
  amount: number,
  seed = 0,
  from: 'anywhere' | 'end' = 'anywhere',
): { training: Whole; validation: Whole } {
  const count = amount < 1 ? Math.round(amount * dataset.size) : amount;
  if (!Number.isSafeInteger(count) || count < 1 || count >= dataset.size) {
    throw new UsageError(
      `cannot hold out ${amount} of the ${dataset.size} ${dataset.noun}s of ${dataset.name}; use a share between 0 and 1, or a whole number that leaves some`,
    );
  }
  const members = membersOfGroups(dataset);
  const held = targetKindOf(dataset.targets).groups?.undivided
    ? wholeGroups(members, count, seed, from)
    : shareOfGroups(members, count, seed, from);
  const all = Array.from({ length: dataset.size }, (_, i) => i);
  return {
    training: subset(
      dataset,
      all.filter((i) => !held.has(i)),
      `${dataset.name} (without ${held.size} held out)`,
    ),
    validation: subset(
      dataset,
      all.filter((i) => held.has(i)),
      `${dataset.name} (${held.size} held out)`,
    ),
  };
}

type Members = readonly Int32Array[];

function shareOfGroups(members: Members, count: number, seed: number, from: 'anywhere' | 'end'): Set<number> {
  const quotas = proportional(
    members.map((indices) => indices.length),
    count,
  );
  const held = new Set<number>();
  for (const [group, indices] of members.entries()) {
    if (from === 'end') indices.reverse();
    else shuffle(indices, randomFor('holdOut', seed, group));
    for (const i of indices.subarray(0, quotas[group])) held.add(i);
  }
  return held;
}

/** Groups until there are as many samples, the last of them with all of its own. */
function wholeGroups(members: Members, count: number, seed: number, from: 'anywhere' | 'end'): Set<number> {
  const order = Int32Array.from(members, (_, group) => group);
  if (from === 'end') order.reverse();
  else shuffle(order, randomFor('holdOut', seed));
  const held = new Set<number>();
  for (const group of order) {
    if (held.size >= count) break;
    for (const i of members[group]!) held.add(i);
  }
  return held;
}

/** Targets without groups are all of one. */
function membersOfGroups({ targets, size, position }: AnyDataset): Int32Array[] {
  const { groups } = targetKindOf(targets);
  const members: number[][] = Array.from({ length: groups?.count(targets) ?? 1 }, () => []);
  for (let i = 0; i < size; i++) members[groups?.of(targets, position(i)) ?? 0]?.push(i);
  return members.map((indices) => Int32Array.from(indices));
}

/** Whole numbers in proportion to `sizes` that add up to `total` (Hamilton's method; ties go to the earlier). */
function proportional(sizes: readonly number[], total: number): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (size * total) / all);
  const quotas = exact.map(Math.floor);
  const missing = total - quotas.reduce((sum, quota) => sum + quota, 0);
  const byRemainder = exact
    .map((value, label) => ({ label, remainder: value - quotas[label]! }))
    .sort((a, b) => b.remainder - a.remainder || a.label - b.label);
  for (const { label } of byRemainder.slice(0, missing)) quotas[label]! += 1;
  return quotas;
}
