/** What must hold of a gallery whoever made it: lengths agree, numbers are finite, names are names and come once. */
import { printable } from '../interop/errors.js';
import { SearchError } from './errors.js';
import type { Gallery } from './galleryTypes.js';
import { largestDimensions, largestNumber, longestName, mostImages } from './limits.js';

const fingerprintPattern = /^sha256:[0-9a-f]{64}$/;

/** @throws SearchError that begins with `source`. */
export function checkStrictly(source: string, { kind, dimensions, descriptors, names, model }: Gallery): void {
  const refuse = (what: string) => new SearchError(`${source}: ${what}; make the gallery again`);
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > largestDimensions)
    throw refuse(`descriptors have ${dimensions} dimensions, expected 1 to ${largestDimensions}`);
  if (kind === 'binary' && dimensions % 8 !== 0)
    throw refuse(`binary descriptors have ${dimensions} dimensions, expected a multiple of 8`);
  if (names.length > mostImages) throw refuse(`${names.length} images, at most ${mostImages} are searched`);
  const expected = names.length * (kind === 'float' ? dimensions : dimensions / 8);
  if (descriptors.length !== expected)
    throw refuse(`${descriptors.length} numbers for ${names.length} images, expected ${expected}`);
  if (!fingerprintPattern.test(model))
    throw refuse(`the model's fingerprint is ${printable(model)}, expected sha256: and 64 digits`);
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name === '' || name.length > longestName)
      throw refuse(`name ${index} has ${name.length} characters, expected 1 to ${longestName}`);
    if (seen.has(name)) throw refuse(`two images are called ${printable(name)}`);
    seen.add(name);
  }
  if (kind === 'float')
    for (let i = 0; i < descriptors.length; i++)
      if (!(Math.abs(descriptors[i]!) <= largestNumber))
        throw refuse(
          `the descriptor of ${printable(names[Math.floor(i / dimensions)]!)} holds ${descriptors[i]}, expected numbers up to ${largestNumber}`,
        );
}
