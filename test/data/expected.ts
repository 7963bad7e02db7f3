/** What test/fixtures/preprocess/make.py wrote: the results of Pillow and torchvision that the tests of this folder compare with. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ExpectedPixels {
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  /** At most 4 x 4 pixels from the middle, base64. */
  readonly centre: string;
}

export interface ExpectedCase extends ExpectedPixels {
  readonly resize: number | null;
  readonly crop: readonly [number, number];
}

export interface ExpectedImage extends ExpectedPixels {
  /** Relative to the repository. */
  readonly file: string;
  readonly cases: readonly ExpectedCase[];
}

export interface RandomResize {
  readonly seed: number;
  readonly channels: 1 | 3;
  readonly width: number;
  readonly height: number;
  readonly toWidth: number;
  readonly toHeight: number;
  readonly sha256: string;
}

interface Expected {
  readonly images: readonly ExpectedImage[];
  readonly randomResizes: readonly RandomResize[];
  /** float32 [3, 1, 256], base64. */
  readonly normalisedBytes: string;
  readonly imageFolder: {
    readonly files: readonly string[];
    readonly classes: readonly string[];
    readonly samples: readonly (readonly [path: string, label: number])[];
  };
}

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const fixtures = join(repository, 'test', 'fixtures', 'preprocess');

export const expected: Expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));

export function inRepository(path: string): string {
  return join(repository, path);
}

export function fixtureImage(name: string): string {
  return join(fixtures, 'images', name);
}

/** The same summary of RGB bytes as make.py writes. */
export function summarise(width: number, height: number, data: Uint8Array): ExpectedPixels {
  const top = Math.max(Math.floor(height / 2) - 2, 0);
  const left = Math.max(Math.floor(width / 2) - 2, 0);
  const rows: Uint8Array[] = [];
  for (let y = top; y < Math.min(top + 4, height); y++) {
    rows.push(data.subarray((y * width + left) * 3, (y * width + Math.min(left + 4, width)) * 3));
  }
  return { width, height, sha256: sha256(data), centre: Buffer.concat(rows).toString('base64') };
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
