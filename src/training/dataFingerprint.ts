/**
 * What a run was trained on, so that a resumed one notices other data: every image's class or other target, name and content. Places do not count (a copy
 * on another disk is the same data), nor do dates. Packed, it travels in the state of the run.
 */
import { createHash, type Hash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { type AnyDataset, identityOf } from '../data/datasets/dataset.js';
import type { StoredContent } from '../modalities/modality.js';
import { modalityNamed } from '../modalities/registry.js';
import { clipped } from './plainData.js';

export interface DataFingerprint {
  readonly classes: readonly string[];
  /** `class/name` of every image, in the data set's order. */
  readonly names: readonly string[];
  /** The first bytes of a SHA-256 of every image's content. */
  readonly sums: Uint8Array;
  readonly summed: Summed;
}

const summedSchema = z.object({
  /** Whether sums are of decoded pixels or of files. */
  what: z.enum(['pixels', 'files']),
  /** Of the files, those of one name in so many were read; of the others only the size counts. */
  every: z.number().int().min(1),
});

type Summed = z.output<typeof summedSchema>;

const sumBytes = 8;
/** Files on disk beyond this are not all read. */
const readInFull = 2 ** 29;
const together = 64;

/** @param like How the fingerprint it is to be compared with was made. */
export async function fingerprintOf(dataset: AnyDataset, like?: DataFingerprint): Promise<DataFingerprint> {
  const { modality, store, size, targets } = dataset;
  const classes = targets.kind === 'classes' ? targets.classes : [];
  const names = Array.from({ length: size }, (_, i) => nameOf(dataset, i));
  const sums = new Uint8Array(size * sumBytes);
  const put = (i: number, hash: Hash) => sums.set(hash.digest().subarray(0, sumBytes), i * sumBytes);
  const content = modalityNamed(modality).contentOf(store);
  const isFiles = content.what === 'files';
  const sizes = isFiles ? await inGroups(size, (i) => content.sizeOf(dataset.position(i))) : [];
  const every = !isFiles ? 1 : like?.summed.what === 'files' ? like.summed.every : samplingFor(content, sizes);
  await inGroups(size, async (i) => {
    const hash = createHash('sha256');
    if (isFiles) hash.update(`${sizes[i]}\n`);
    if (isSampled(names[i]!, every)) for await (const part of content.bytesOf(dataset.position(i))) hash.update(part);
    put(i, withTarget(hash, dataset, i));
  });
  return { classes, names, sums, summed: { what: content.what, every } };
}

/** A class stands in the name of its sample. */
function withTarget(hash: Hash, dataset: AnyDataset, i: number): Hash {
  return dataset.targets.kind === 'classes' ? hash : hash.update('\n').update(identityOf(dataset, i));
}

/** Class, if there are classes, and place below the class's folder; what has no file is named by its number. */
function nameOf(dataset: AnyDataset, i: number): string {
  const { targets } = dataset;
  const name = dataset.sampleName(i);
  const parts = name.split(/[\\/]/).map((part) => part.normalize());
  const isNumbered = name.startsWith(`${dataset.name} `);
  if (targets.kind !== 'classes') return isNumbered ? name.slice(dataset.name.length + 1) : parts.at(-1)!;
  const label = targets.classes[targets.labels[dataset.position(i)]!]!;
  if (isNumbered) return `${label}/${name.slice(dataset.name.length + 1)}`;
  const folder = parts.lastIndexOf(label.normalize(), parts.length - 2);
  return [label, ...parts.slice(folder < 0 ? -1 : folder + 1)].join('/');
}

/** Chosen by name and not by number, so that an image more or less does not choose others. */
function isSampled(name: string, every: number): boolean {
  return every === 1 || createHash('sha256').update(name).digest().readUInt32LE(0) % every === 0;
}

function samplingFor({ inMemory }: StoredContent, sizes: readonly number[]): number {
  if (inMemory) return 1;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return Math.max(1, 2 ** Math.ceil(Math.log2(total / readInFull)));
}

async function inGroups<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let first = 0; first < count; first += together) {
    const group = Array.from({ length: Math.min(together, count - first) }, (_, offset) => work(first + offset));
    results.push(...(await Promise.all(group)));
  }
  return results;
}

/** What became of the data, in words; undefined when it is the same. */
export function changesBetween(was: DataFingerprint, now: DataFingerprint): string | undefined {
  const before = byName(was);
  const after = byName(now);
  const gone = [...before.keys()].filter((name) => !after.has(name));
  const added = [...after.keys()].filter((name) => !before.has(name));
  const comparable = was.summed.what === now.summed.what && was.summed.every === now.summed.every;
  const other = [...after].filter(([name, sum]) => comparable && before.has(name) && before.get(name) !== sum);
  const changes = [
    ...classChanges(was.classes, now.classes),
    ...listed(gone, 'gone'),
    ...listed(added, 'new'),
    ...listed(
      other.map(([name]) => name),
      'replaced by others',
    ),
  ];
  if (!comparable && changes.length === 0)
    changes.push('the images are no longer all of one small size, or were not before');
  if (changes.length === 0 && was.names.some((name, i) => name !== now.names[i]))
    changes.push('the images are the same, but in another order');
  return changes.length === 0 ? undefined : changes.join('; ');
}

function classChanges(was: readonly string[], now: readonly string[]): string[] {
  const gone = was.filter((name) => !now.includes(name));
  const added = now.filter((name) => !was.includes(name));
  const changes = [...listed(gone, 'gone', 'class'), ...listed(added, 'new', 'class')];
  const reordered = changes.length === 0 && was.some((name, label) => name !== now[label]);
  return reordered ? ['the classes are in another order'] : changes;
}

const firstNames = 3;

function listed(names: readonly string[], what: string, noun = 'image'): string[] {
  if (names.length === 0) return [];
  const first = names.slice(0, firstNames).map((name) => clipped(name));
  const plural = noun === 'class' ? 'classes' : `${noun}s`;
  const counted = `${names.length} ${names.length === 1 ? noun : plural}`;
  return [`${counted} ${what} (${first.join(', ')}${names.length > firstNames ? ', …' : ''})`];
}

/** Names that appear twice are told apart by their turn. */
function byName({ names, sums }: DataFingerprint): Map<string, string> {
  const found = new Map<string, string>();
  const turns = new Map<string, number>();
  const bytes = Buffer.from(sums.buffer, sums.byteOffset, sums.byteLength);
  for (const [i, name] of names.entries()) {
    const turn = (turns.get(name) ?? 0) + 1;
    turns.set(name, turn);
    const key = turn === 1 ? name : `${name} (${turn})`;
    found.set(key, bytes.toString('latin1', i * sumBytes, (i + 1) * sumBytes));
  }
  return found;
}

const packedSchema = z.object({ classes: z.array(z.string()), names: z.array(z.string()), summed: summedSchema });

export interface PackedFingerprint {
  /** Compressed JSON of everything but the sums. */
  readonly text: Uint8Array;
  readonly sums: Uint8Array;
}

export function pack({ classes, names, summed, sums }: DataFingerprint): PackedFingerprint {
  return { text: gzipSync(JSON.stringify({ classes, names, summed })), sums };
}

/** Undefined when it is damaged: a state is worth more than its fingerprint. */
export function unpack({ text, sums }: PackedFingerprint): DataFingerprint | undefined {
  try {
    const parsed = packedSchema.parse(JSON.parse(gunzipSync(text, { maxOutputLength: 2 ** 30 }).toString('utf8')));
    return sums.length === parsed.names.length * sumBytes ? { ...parsed, sums } : undefined;
  } catch {
    return undefined;
  }
}
