/** What a detector says about an image: what is where, in the image's own pixels. */
import { boxInImage, filling } from '../../data/geometry/placement.js';
import { withoutControls } from '../../errors.js';
import type { Original, Telling } from '../task.js';
import { detectionsOf, mostDetections } from './decode.js';
import { cocoBox, percent } from './metric.js';

/** An object that was found. */
export interface FoundObject {
  readonly label: string;
  /** Its class number. */
  readonly index: number;
  readonly score: number;
  /** As COCO has it: left, top, width and height in pixels of the image. */
  readonly box: readonly [number, number, number, number];
}

/** What a person sees where nothing else is asked. */
const usualThreshold = 0.3;

export const detectionAnswers: Telling<readonly FoundObject[]> = {
  takes: ['top', 'threshold'],
  coversPicture: true,
  most: mostDetections,
  decode: (outputs, originals, { labels, top, threshold }) => {
    const sizes = [...outputs].map(([name, { shape }]) => ({ stride: Number(name.split('.').at(-1)), shape }));
    const { stride, shape } = sizes.reduce((a, b) => (b.stride < a.stride ? b : a));
    const [, , height, width] = shape as readonly [number, number, number, number];
    const found = detectionsOf(outputs);
    return originals.map((original, image) => {
      // The finest level is the input's size over its stride, rounded up.
      const placement = original.placement ?? filling({ width: width * stride, height: height * stride });
      return found[image]!.filter(({ score }) => score >= (threshold > 0 ? threshold : usualThreshold))
        .flatMap(({ class: index, score, left, top: upper, right, bottom }) => {
          const sides = boxInImage([left, upper, right, bottom], placement, original);
          if (sides === undefined) return [];
          return [{ label: labels[index] ?? `class ${index}`, index, score, box: cocoBox(sides) }];
        })
        .slice(0, Math.max(top, 1));
    });
  },
  // The names of COCO's results.
  json: (objects) => ({
    detections: objects.map(({ label, index, score, box }) => ({ category: label, index, score, bbox: box })),
  }),
  print: (objects, { bar, cyan, dim }) => {
    const names = objects.map(({ label }) => withoutControls(label));
    const width = Math.max(0, ...names.map((name) => name.length));
    const lines = objects.map(
      ({ score, box }, i) =>
        `${names[i]!.padEnd(width)}  ${bar(score)}  ${cyan(percent(score).padStart(8))}  ${dim(box.map(Math.round).join(' '))}`,
    );
    return lines.length > 0 ? lines : [dim('nothing found')];
  },
  draw,
};

function draw(objects: readonly FoundObject[], { width, height }: Original): string {
  const size = Math.max(5, Math.min(width, height) / 28);
  const shapes = objects.map(({ label, index, score, box: [x, y, w, h] }) => {
    const text = `${label} ${Math.round(100 * score)} %`;
    const frame = `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${w.toFixed(1)}" height="${h.toFixed(1)}" fill="none" stroke="${colourOf(index)}" stroke-width="${(size / 8).toFixed(1)}"/>`;
    return `${frame}<text x="${(x + size / 5).toFixed(1)}" y="${(y + size).toFixed(1)}" fill="${colourOf(index)}">${escaped(text)}</text>`;
  });
  return `<g font-family="sans-serif" font-size="${size.toFixed(1)}">${shapes.join('')}</g>`;
}

/** Hues that follow each other at the golden angle differ for as many classes as there are. */
function colourOf(index: number): string {
  return `hsl(${Math.round((index * 137.508) % 360)} 80% 45%)`;
}

function escaped(text: string): string {
  return withoutControls(text).replace(/[&<"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
