/** The files of masks: a PNG's numbers become class numbers. For Node. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { reasonOf } from '../../interop/fileReasons.js';
import { maximumImageBytes } from '../decode.js';
import { DataError } from '../errors.js';
import { systemPath } from '../fileNames.js';
import type { ClassMask } from '../geometry/mask.js';
import { readPixelNumbers } from '../pngIndices.js';
import { encodedFile } from '../storedFiles.js';
import { type MaskBatch, type MaskTargets, maskTargets } from './masks.js';
import type { TargetKind } from './targetKind.js';

export const maskFiles: TargetKind<MaskTargets, ClassMask, MaskBatch> = {
  ...maskTargets,
  read: (targets, position) => {
    const { width, height, data } = readPixelNumbers(bytesOf(targets, position), maskName(targets, position));
    for (let i = 0; i < data.length; i++) data[i] = targets.numbers[data[i]!]!;
    return { width, height, data };
  },
  identity: bytesOf,
};

/** What messages call a mask. */
export function maskName({ files }: MaskTargets, position: number): string {
  return (files.kind === 'encoded' ? files.names : files.paths)[position]!;
}

/** A mask's file as it is stored. */
function bytesOf({ files }: MaskTargets, position: number): Uint8Array {
  if (files.kind === 'encoded') return encodedFile(files, position);
  const path = files.paths[position]!;
  try {
    return readSmall(systemPath(path));
  } catch (cause) {
    throw new DataError(`${path}: this mask cannot be read: ${reasonOf(cause as Error)}`, { cause });
  }
}

function readSmall(path: string | Buffer): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size > maximumImageBytes) throw new Error(`it has ${size} bytes, at most ${maximumImageBytes} are allowed`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
