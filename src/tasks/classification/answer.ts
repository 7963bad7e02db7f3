/** What a classifier says about an image: the most probable classes, by name. */
import { withoutControls } from '../../errors.js';
import { logitsOutput } from '../../graph/outputs.js';
import { rankClasses } from '../../metrics/ranking.js';
import type { Original, Reading, Telling, TextStyle } from '../task.js';

export interface ClassAnswer {
  /** Those that reach the threshold, most probable first. */
  readonly predictions: readonly NamedClass[];
  /** The most probable class, though it be below the threshold. */
  readonly best: NamedClass;
  readonly threshold: number;
}

export interface NamedClass {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

export const classAnswers: Telling<ClassAnswer> = {
  takes: ['top', 'threshold'],
  decode: (outputs, originals, reading) => {
    const { shape, data } = outputs.get(logitsOutput)!;
    const classes = shape.at(-1)!;
    return originals.map((_, i) => answerOf(data.subarray(i * classes, (i + 1) * classes), reading));
  },
  json: ({ predictions }) => ({ predictions }),
  print,
  leading: ({ best: { label, probability } }) => ({ className: label, probability }),
  draw,
};

function answerOf(logits: Float32Array, { labels, top, threshold }: Reading): ClassAnswer {
  const ranked = rankClasses(logits, top).map(({ index, probability }) => ({
    index,
    label: labels[index]!,
    probability,
  }));
  return {
    predictions: ranked.filter(({ probability }) => probability >= threshold),
    best: ranked[0]!,
    threshold,
  };
}

function print({ predictions, best, threshold }: ClassAnswer, { cyan, bar }: TextStyle): readonly string[] {
  if (predictions.length === 0) {
    const nearest = `${withoutControls(best.label)}, has ${percent(best.probability)}`;
    return [`no class reaches ${percent(threshold)}; the most probable one, ${nearest}`];
  }
  const labels = predictions.map(({ label }) => withoutControls(label));
  const width = Math.max(...labels.map((label) => label.length));
  return predictions.map(
    ({ probability }, index) =>
      `${labels[index]!.padEnd(width)}  ${cyan(bar(probability))} ${percent(probability).padStart(7)}`,
  );
}

/** The classes one below the other at the upper left. */
function draw({ predictions }: ClassAnswer, { width, height }: Original): string {
  const size = Math.max(8, Math.min(width, height) / 16);
  const lines = predictions.map(({ label, probability }, index) => {
    const text = `${withoutControls(label)} ${percent(probability)}`.replace(/[&<]/g, (c) => `&#${c.charCodeAt(0)};`);
    return `<text x="${size / 2}" y="${size * 1.3 * (index + 1)}">${text}</text>`;
  });
  const style = `font-family="sans-serif" font-size="${size}" fill="white" stroke="black" paint-order="stroke" stroke-width="${size / 8}"`;
  return `<g ${style}>${lines.join('')}</g>`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
