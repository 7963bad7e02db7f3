/** What test/fixtures/augment/make.py wrote, and the images that it generates. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Colour, Interpolation } from '../../src/data/geometry/transform.js';
import type { RgbImage } from '../../src/data/image.js';
import type { Region } from '../../src/data/resize.js';

export interface ExpectedOperation {
  readonly operation: string;
  readonly argument: number;
  readonly interpolation?: Interpolation;
  readonly sha256: string;
}

export interface GeneratedImage {
  readonly kind: 'noise' | 'dull' | 'bright' | 'constant';
  readonly seed: number;
  readonly width: number;
  readonly height: number;
}

interface Expected {
  readonly fill: Colour;
  readonly images: readonly (GeneratedImage & {
    readonly sha256: string;
    readonly operations: readonly ExpectedOperation[];
  })[];
  readonly resizedCrops: readonly {
    readonly region: Region;
    readonly size: readonly [width: number, height: number];
    readonly interpolation: Interpolation;
    readonly sha256: string;
  }[];
}

const path = fileURLToPath(new URL('../fixtures/augment/expected.json', import.meta.url));
export const expected: Expected = JSON.parse(readFileSync(path, 'utf8'));

/** The same bytes as `generated` in make.py. */
export function generatedImage({ kind, seed, width, height }: GeneratedImage): RgbImage {
  const data = new Uint8Array(width * height * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    const noise = state >>> 24;
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    const values = {
      noise,
      dull: 40 + ((3 * x + 2 * y + 17 * channel) % 120) + Math.floor(noise / 16),
      bright: 255 - Math.floor((noise * noise) / 512),
      constant: 50 + 60 * channel,
    };
    data[i] = values[kind];
  }
  return { width, height, data };
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
