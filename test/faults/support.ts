/**
 * Files that once failed, as outsiders met them: checkpoints, images, archives, folders and options. They travel as one compressed
 * tar, because the checkpoints share their weights; a test file unpacks them once into a folder of its own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { fixture, temporaryFolder } from '../cli/support.js';

export interface FaultInputs {
  /** The folder that the commands of cases.json are relative to. */
  readonly path: string;
  /** The path of one input. */
  file(...parts: string[]): string;
  remove(): Promise<void>;
}

/** GNU, BSD and Windows have a tar; names that are not UTF-8 survive it on Linux only. */
export async function unpackFaultInputs(): Promise<FaultInputs> {
  const folder = await temporaryFolder();
  const tar = brotliDecompressSync(await readFile(fixture('faults', 'inputs.tar.br')));
  spawnSync('tar', ['-x', '-f', '-', '-C', folder.path], { input: tar });
  if (!existsSync(join(folder.path, 'ckpt', '00-control.pth'))) throw new Error('tar could not unpack the inputs');
  return { path: folder.path, file: (...parts) => join(folder.path, ...parts), remove: () => folder.remove() };
}
