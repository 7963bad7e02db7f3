/** What a regression says about an image: numbers with names and units. A name such as `angle (°)` says both. */
import { withoutControls } from '../../errors.js';
import type { Telling } from '../task.js';
import { valuesOutput } from './objective.js';

export interface NamedValue {
  readonly name: string;
  /** As the data's column says it; null without one. */
  readonly unit: string | null;
  readonly value: number;
}

export const valueAnswers: Telling<readonly NamedValue[]> = {
  takes: [],
  decode: (outputs, originals, { labels }) => {
    const { shape, data } = outputs.get(valuesOutput)!;
    const count = shape.at(-1)!;
    return originals.map((_, i) =>
      labels.slice(0, count).map((label, v) => ({ ...parted(label), value: data[i * count + v]! })),
    );
  },
  json: (values) => ({ values }),
  print: (values, { cyan }) => {
    const names = values.map(({ name }) => withoutControls(name));
    const width = Math.max(...names.map((name) => name.length));
    return values.map((value, i) => `${names[i]!.padEnd(width)}  ${cyan(written(value))}`);
  },
  // At the lower left, one below the other.
  draw: (values, { width, height }) => {
    const size = Math.max(8, Math.min(width, height) / 12);
    const lines = values.map((value, i) => {
      const text = escaped(`${value.name}: ${written(value)}`);
      return `<text x="${size / 2}" y="${height - size * (0.5 + 1.3 * (values.length - 1 - i))}">${text}</text>`;
    });
    return `<g font-family="sans-serif" font-size="${size}" fill="white">${lines.join('')}</g>`;
  },
};

function parted(label: string): Omit<NamedValue, 'value'> {
  const [, name, unit] = /^(.*?)\s*\(([^()]*)\)$/.exec(label) ?? [];
  return name ? { name, unit: unit! } : { name: label, unit: null };
}

function written({ value, unit }: NamedValue): string {
  const number = value.toPrecision(4);
  return unit === null ? number : `${number} ${withoutControls(unit)}`;
}

function escaped(text: string): string {
  return withoutControls(text).replace(/[&<]/g, (character) => `&#${character.charCodeAt(0)};`);
}
