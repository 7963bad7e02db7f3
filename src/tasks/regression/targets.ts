/** What a regression learns: a file `targets.csv` beside the images, its first line the names of columns, the first of which is `image`. */

import { DataError } from '../../data/errors.js';
import type { ValueTargets } from '../../data/targets/values.js';
import type { AnnotatedFiles } from '../task.js';

const file = 'targets.csv';
const mostNamed = 8;

/** @throws DataError with everything that is wrong with the file. */
export async function readTargets({ name, images, text }: AnnotatedFiles): Promise<ValueTargets> {
  const content = await text(file);
  if (content === undefined) throw new DataError(`${name}: has no ${file}; give each image its numbers in one`);
  const [header = [], ...rows] = content
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map(cells);
  const [first, ...names] = header;
  const wrong: string[] = [];
  if (first !== 'image' || names.length === 0)
    wrong.push(
      `line 1 is "${header.join(',')}", expected "image" and a name for each number, such as "image,angle (°)"`,
    );
  const known = new Set(images);
  const found = new Map<string, readonly number[]>();
  for (const [image = '', ...written] of rows) {
    const numbers = written.map((cell) => (cell === '' ? Number.NaN : Number(cell)));
    if (!known.has(image)) wrong.push(`${image}: there is no such image`);
    if (found.has(image)) wrong.push(`${image}: has several lines`);
    if (numbers.length !== names.length)
      wrong.push(`${image}: has ${numbers.length} numbers, expected ${names.length}`);
    else if (!numbers.every(Number.isFinite)) wrong.push(`${image}: "${written.join(',')}" are not finite numbers`);
    found.set(image, numbers);
  }
  for (const image of images) if (!found.has(image)) wrong.push(`${image}: has no line`);
  if (wrong.length > 0) throw new DataError(`${name}: ${file}: ${listed(wrong)}`);
  const values = Float32Array.from(images.flatMap((image) => found.get(image)!));
  return { kind: 'values', names, values };
}

function cells(line: string): string[] {
  return line.split(',').map((cell) => cell.trim());
}

function listed(wrong: readonly string[]): string {
  const more = wrong.length > mostNamed ? `; and ${wrong.length - mostNamed} more` : '';
  return `${wrong.slice(0, mostNamed).join('; ')}${more}`;
}
