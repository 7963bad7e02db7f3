/**
 * A checkpoint in several files: an index in JSON whose `weight_map` says which tensor is in which file beside it, as Hugging Face's libraries
 * write `model.safetensors.index.json` and `pytorch_model.bin.index.json`. Every tensor of the map must be where it says.
 */
import { z } from 'zod';
import type { Shape } from '../graph/shape.js';
import { type Checkpoint, type CheckpointTensor, MAXIMUM_TENSORS, type TensorSet, tensorsOf } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';
import { duplicateKey } from './jsonKeys.js';
import type { RandomAccessFile } from './randomAccessFile.js';

const LARGEST_INDEX = 16 * 1024 * 1024;
const MOST_SHARDS = 1000;
const DEPTH = 16;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/** Opens the file of this name in the folder of the index. */
export type OpenShard = (name: string) => Promise<Checkpoint>;

/** By its name, which may tell a variant (`model.safetensors.index.fp16.json`): other JSON is no index. */
export function isShardIndex(name: string): boolean {
  return /\.index(\.[\w-]+)?\.json$/i.test(name);
}

/** @throws CheckpointError when the index is damaged, names files outside its folder, or a tensor is not where it says. */
export async function openSharded(file: RandomAccessFile, openShard: OpenShard): Promise<Checkpoint> {
  const places = await readWeightMap(file);
  const names = [...new Set(places.values())];
  if (names.length > MOST_SHARDS)
    throw new CheckpointError(`${file.name}: refused: it names ${names.length} files, more than ${MOST_SHARDS}`);
  for (const name of names) refuseOutside(file, name);
  const shards = new Map<string, Checkpoint>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const name of names) shards.set(name, await openShard(name));
    const set = joinedSet(file, places, shards);
    let tensors: ReadonlyMap<string, CheckpointTensor> | undefined;
    return {
      name: file.name,
      format: shards.get(names[0]!)!.format,
      sets: [set],
      get tensors() {
        tensors ??= tensorsOf(file.name, set);
        return tensors;
      },
      metadata: shards.get(names[0]!)!.metadata,
      async close() {
        await close();
        await file.close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readWeightMap(file: RandomAccessFile): Promise<ReadonlyMap<string, string>> {
  if (file.size > LARGEST_INDEX)
    throw new CheckpointError(
      `${file.name}: refused: it has ${file.size} bytes, more than an index of shards ever needs`,
    );
  const fail = (what: string, cause?: unknown) =>
    new CheckpointError(
      `${file.name}: is not an index of a checkpoint in several files: ${what}; name the .index.json that was saved with them`,
      {
        cause,
      },
    );
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.read(0, file.size));
    const duplicate = duplicateKey(text, DEPTH, 2 * MAXIMUM_TENSORS);
    if (duplicate !== undefined) throw fail(`it has the key ${printable(duplicate)} twice`);
    json = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw fail('it is not JSON', cause);
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw fail('it has no weight_map of names to files');
  const places = new Map(Object.entries(parsed.data.weight_map));
  if (places.size === 0) throw fail('its weight_map is empty');
  if (places.size > MAXIMUM_TENSORS) throw fail(`it names ${places.size} tensors, more than ${MAXIMUM_TENSORS}`);
  return places;
}

function refuseOutside(file: RandomAccessFile, name: string): void {
  const parts = name.split(/[/\\]/);
  const inside = parts.every((part) => part !== '' && part !== '..') && parts.at(-1) !== '.' && !/[:\0]/.test(name);
  if (inside && isShardIndex(name)) {
    throw new CheckpointError(
      `${file.name}: refused: it names ${printable(name)}, an index, as a part; parts are .safetensors or .bin files`,
    );
  }
  if (inside) return;
  throw new CheckpointError(
    `${file.name}: refused: it names the file ${printable(name)}, which is not inside its folder; put all parts beside the index`,
  );
}

function joinedSet(
  file: RandomAccessFile,
  places: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, Checkpoint>,
): TensorSet {
  const shapes = new Map<string, Shape>();
  const unreadable = new Map<string, string>();
  const sets = new Map<string, TensorSet>();
  for (const [name, shard] of places) {
    const set = shards.get(shard)!.sets[0]!;
    const shape = set.shapes.get(name);
    const reason = set.unreadable.get(name);
    if (shape) shapes.set(name, shape);
    else if (reason !== undefined) unreadable.set(name, reason);
    else {
      throw new CheckpointError(
        `${file.name}: says that ${printable(name)} is in ${printable(shard)}, but it is not there; download or copy all parts again`,
      );
    }
    sets.set(name, set);
  }
  return {
    path: '',
    shapes,
    unreadable,
    tensor(name, as) {
      const set = sets.get(name);
      if (set) return set.tensor(name, as);
      throw new CheckpointError(`${file.name}: ${printable(name)} is missing`);
    },
  };
}

/** What to say of a file that is, by its name, one part of several; nothing of others. */
export function shardNote(name: string): string[] {
  const [, part, count] = /-(\d{1,5})-of-(\d{1,5})\.[a-z]+$/i.exec(name) ?? [];
  if (part === undefined || Number(count) < 2) return [];
  return [
    `its name says that this is part ${Number(part)} of ${Number(count)}; name the .index.json beside it to read all parts`,
  ];
}
