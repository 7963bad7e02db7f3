/**
 * Images and masks looked at before any work begins: everything that is wrong is told at once, or left out where that is asked for. Masks are
 * decoded for it, images only opened.
 */
import type { EncodedStore, FileStore } from '../datasets/stores.js';
import { imageSize } from '../decode.js';
import { DataError, ImageError } from '../errors.js';
import { readPixelNumbersAhead } from '../pngIndices.js';
import { readAhead } from '../readAhead.js';
import { fileName, imageBytes } from '../storedFiles.js';
import type { PlacedMask } from './layout.js';

/** What may be wrong with an image and its mask, as the end of "3 images …". */
export type Fault =
  | 'without a mask'
  | 'missing for their masks'
  | 'that cannot be read'
  | 'whose masks cannot be read'
  | 'whose masks have another size'
  | 'whose masks have unknown values';

export interface Problem {
  readonly fault: Fault;
  /** One line naming the file. */
  readonly message: string;
}

/** The pairs that are complete, and what is wrong with the others. */
export function completePairs(pairs: readonly PlacedMask[], name: string) {
  const complete: { readonly image: string; readonly mask: string }[] = [];
  const problems: Problem[] = [];
  for (const { stem, image, mask } of pairs) {
    if (image !== undefined && mask !== undefined) complete.push({ image, mask });
    else if (image !== undefined) problems.push({ fault: 'without a mask', message: `${image}: has no mask` });
    else
      problems.push({
        fault: 'missing for their masks',
        message:
          mask === undefined ? `${stem}: ${name} has neither image nor mask of this name` : `${mask}: has no image`,
      });
  }
  return { complete, problems };
}

type Files = EncodedStore | FileStore;

/** How many images are looked at at once: a few more than libuv has threads. */
const together = 8;

/**
 * What is wrong with image and mask at each position; undefined for most.
 *
 * @param known Whether a value may be stored in masks.
 */
export async function* problemsOf(
  images: Files,
  masks: Files,
  known: readonly boolean[],
): AsyncGenerator<Problem | undefined, void, undefined> {
  const count = images.kind === 'files' ? images.paths.length : images.ends.length;
  const positions = Array.from({ length: count }, (_, position) => position);
  const look = (position: number) => problemAt(position, images, masks, known);
  yield* readAhead(positions, look, { concurrency: together, lookAhead: 4 * together });
}

async function problemAt(
  position: number,
  images: Files,
  masks: Files,
  known: readonly boolean[],
): Promise<Problem | undefined> {
  let fault: Fault = 'that cannot be read';
  try {
    const size = await imageSize(await imageBytes(images, position), fileName(images, position));
    fault = 'whose masks cannot be read';
    const mask = fileName(masks, position);
    const { width, height, data } = await readPixelNumbersAhead(await imageBytes(masks, position), mask);
    if (width !== size.width || height !== size.height) {
      const message = `${mask}: has ${width} x ${height} pixels, its image ${size.width} x ${size.height}`;
      return { fault: 'whose masks have another size', message };
    }
    const wrong = data.findIndex((value) => !known[value]);
    if (wrong < 0) return undefined;
    const place = `(${wrong % width}, ${Math.floor(wrong / width)})`;
    const message = `${mask}: stores ${data[wrong]} at ${place}, which is no class; ${rangesOf(known)} were expected`;
    return { fault: 'whose masks have unknown values', message };
  } catch (error) {
    if (!(error instanceof ImageError || error instanceof DataError)) throw error;
    return { fault, message: error.message };
  }
}

/** `0 to 11 and 255`. */
function rangesOf(known: readonly boolean[]): string {
  const ranges: [number, number][] = [];
  for (const [value, isKnown] of known.entries()) {
    const last = ranges.at(-1);
    if (!isKnown) continue;
    if (last !== undefined && last[1] === value - 1) last[1] = value;
    else ranges.push([value, value]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(' and ');
}

const shown = 10;

/** All that is wrong, in one line. */
export function refusal(name: string, count: number, problems: readonly Problem[]): DataError {
  return new DataError(
    `${name}: ${problems.length} of ${count} images cannot be used: ${listed(problems)}. Mend them, or leave them out with --skip-bad`,
  );
}

/** The same where leaving out would help nobody. */
export function noneLeft(name: string, count: number, problems: readonly Problem[]): DataError {
  return new DataError(`${name}: none of ${count} images can be used: ${listed(problems)}`);
}

function listed(problems: readonly Problem[]): string {
  const first = problems.slice(0, shown).map(({ message }) => message);
  const more = problems.length > shown ? `; and ${problems.length - shown} more` : '';
  return `${first.join('; ')}${more}`;
}

/** How many were left out, and why. */
export function leftOutNote(name: string, count: number, problems: readonly Problem[]): string {
  const counts = new Map<Fault, number>();
  for (const { fault } of problems) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const reasons = [...counts].map(([fault, times]) => `${times} ${fault}`).join(', ');
  return `${name}: ${problems.length} of ${count} images are left out: ${reasons}`;
}
