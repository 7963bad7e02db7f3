/** Checkpoints by path, for Node: opening, of several files too, and writing in both formats. What a browser needs is in the files this one uses. */
import { dirname, join } from 'node:path';
import { checkOptionNames } from '../optionNames.js';
import type { Checkpoint } from './checkpoint.js';
import { CheckpointError } from './errors.js';
import { openNodeFile, writeNodeFile } from './nodeFile.js';
import { openCheckpoint } from './openCheckpoint.js';
import { type PthOptions, pthParts } from './pthWriter.js';
import { safetensorsParts } from './safetensors.js';
import { isShardIndex, openSharded } from './shardedCheckpoint.js';
import type { TensorData } from './tensorData.js';

/**
 * Opens the checkpoint at `path`; see `openCheckpoint`. The index of a checkpoint in several files opens all of them. Everything is closed
 * again when this throws.
 */
export async function openCheckpointFile(path: string): Promise<Checkpoint> {
  const file = await openNodeFile(path);
  try {
    if (isShardIndex(path)) return await openSharded(file, (name) => openCheckpointFile(join(dirname(path), name)));
    return await openCheckpoint(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Writes a safetensors file; what was at `path` is replaced only when the new file is complete. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeNodeFile(
    path,
    encoding(path, () => safetensorsParts(tensors, metadata)),
  );
}

/** Writes a checkpoint that `torch.load` reads; what was at `path` is replaced only when the new file is complete. */
export async function writePth(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  options: PthOptions = {},
): Promise<void> {
  checkOptionNames<PthOptions>('writePth', options, { wrap: true, metadata: true });
  await writeNodeFile(
    path,
    encoding(path, () => pthParts(tensors, options)),
  );
}

/** Encoders do not know the file they encode for: its path is put before their messages. */
function encoding<T>(path: string, encode: () => T): T {
  try {
    return encode();
  } catch (cause) {
    throw cause instanceof CheckpointError ? new CheckpointError(`${path}: ${cause.message}`, { cause }) : cause;
  }
}
