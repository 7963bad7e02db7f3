/** What a detector says about an image: what is where, in the image's own pixels. */
import { pastedRuns } from '../../data/geometry/pasteMasks.js';
import { boxInImage, filling, type Placement } from '../../data/geometry/placement.js';
import type { RunLengthMask } from '../../data/masks/runLength.js';
import type { Size } from '../../data/resize.js';
import { withoutControls } from '../../errors.js';
import type { Original, Outputs, Telling } from '../task.js';
import { escaped, percent } from '../words.js';
import { detectionsOf, mostDetections } from './decode.js';
import type { Detection } from './found.js';
import { cocoBox } from './truths.js';

/** An object that was found. */
export interface FoundObject {
  readonly label: string;
  /** Its class number. */
  readonly index: number;
  readonly score: number;
  /** As COCO has it: left, top, width and height in pixels of the image. */
  readonly box: readonly [number, number, number, number];
  /** Of detectors with regions: its pixels, in the image's size. */
  readonly mask?: RunLengthMask;
}

/** What a person sees where nothing else is asked. */
const usualThreshold = 0.5;

export const detectionAnswers: Telling<readonly FoundObject[]> = {
  takes: ['top', 'threshold'],
  coversPicture: true,
  most: mostDetections,
  decode: (outputs, originals, { labels, top, threshold }) => {
    const frame = inputSize(outputs);
    const found = detectionsOf(outputs);
    return originals.map((original, image) => {
      const placement = original.placement ?? filling(frame);
      return found[image]!.filter(({ score }) => score >= (threshold > 0 ? threshold : usualThreshold))
        .flatMap((detection) => {
          const { class: index, score, left, top: upper, right, bottom } = detection;
          const sides = boxInImage([left, upper, right, bottom], placement, original);
          if (sides === undefined) return [];
          const object = { label: labels[index] ?? `class ${index}`, index, score, box: cocoBox(sides) };
          return [{ object, detection }];
        })
        .slice(0, Math.max(top, 1))
        .map(({ object, detection }) => {
          const mask = maskOf(detection, placement, original);
          return mask === undefined ? object : { ...object, mask };
        });
    });
  },
  // The names of COCO's results.
  json: (objects) => ({
    detections: objects.map(({ label, index, score, box, mask }) => ({
      ...{ category: label, index, score, bbox: box },
      ...(mask === undefined
        ? {}
        : { segmentation: { size: [mask.height, mask.width], counts: Array.from(mask.runs) } }),
    })),
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

/** Height and width of the network's input, at least. */
function inputSize(outputs: Outputs): Size {
  const given = outputs.get('image_size')?.data;
  if (given !== undefined) return { height: given[0]!, width: given[1]! };
  const sizes = [...outputs].map(([name, { shape }]) => ({ stride: Number(name.split('.').at(-1)), shape }));
  // The finest level is the input's size over its stride, rounded up.
  const { stride, shape } = sizes.reduce((a, b) => (b.stride < a.stride ? b : a));
  const [, , height, width] = shape as readonly [number, number, number, number];
  return { width: width * stride, height: height * stride };
}

/** What the small mask shows once it is stretched over its whole box in the image. */
function maskOf({ mask, ...box }: Detection, { image }: Placement, own: Original): RunLengthMask | undefined {
  if (mask === undefined) return undefined;
  const [x, y] = [own.width / image.width, own.height / image.height];
  const [left, right] = [(box.left - image.left) * x, (box.right - image.left) * x];
  const [top, bottom] = [(box.top - image.top) * y, (box.bottom - image.top) * y];
  return pastedRuns({ ...mask, box: { left, top, right, bottom } }, { width: own.width, height: own.height });
}

function draw(objects: readonly FoundObject[], { width, height }: Original): string {
  const size = Math.max(5, Math.min(width, height) / 28);
  const shapes = objects.map(({ label, index, score, box: [x, y, w, h], mask }) => {
    const text = `${label} ${Math.round(100 * score)} %`;
    const frame = `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${w.toFixed(1)}" height="${h.toFixed(1)}" fill="none" stroke="${colourOf(index)}" stroke-width="${(size / 8).toFixed(1)}"/>`;
    return `${mask === undefined ? '' : drawnMask(mask, index)}${frame}<text x="${(x + size / 5).toFixed(1)}" y="${(y + size).toFixed(1)}" fill="${colourOf(index)}">${escaped(text)}</text>`;
  });
  return `<g font-family="sans-serif" font-size="${size.toFixed(1)}">${shapes.join('')}</g>`;
}

/** The runs of its columns as one path, half transparent. */
function drawnMask({ height, runs }: RunLengthMask, index: number): string {
  const path: string[] = [];
  let at = 0;
  for (const [i, run] of runs.entries()) {
    const end = at + run;
    while (i % 2 === 1 && at < end) {
      const [x, y] = [Math.floor(at / height), at % height];
      const length = Math.min(end - at, height - y);
      path.push(`M${x} ${y}v${length}h1v${-length}z`);
      at += length;
    }
    at = end;
  }
  return `<path fill="${colourOf(index)}" fill-opacity="0.5" shape-rendering="crispEdges" d="${path.join('')}"/>`;
}

/** Hues that follow each other at the golden angle differ for as many classes as there are. */
function colourOf(index: number): string {
  return `hsl(${Math.round((index * 137.508) % 360)} 80% 45%)`;
}
