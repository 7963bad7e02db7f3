/** What a segmentation says about an image: what every pixel shows, in the image's own pixels, and how much of the image each class is. */
import { filling, maskInImage } from '../../data/geometry/placement.js';
import { withoutControls } from '../../errors.js';
import { fullLogitsOutput } from '../../models/semanticPyramid.js';
import type { Original, Telling } from '../task.js';
import { escaped, percent } from '../words.js';
import { likeliestOutput, likeliestPerPixel } from './metric.js';
import { ignored } from './objective.js';

/** A class that an image shows. */
export interface Segment {
  readonly label: string;
  /** Its class number. */
  readonly index: number;
  /** Of the image's pixels that the network saw. */
  readonly share: number;
}

export interface Segmentation {
  /** From the largest to the smallest. */
  readonly segments: readonly Segment[];
  /** The image's size. */
  readonly width: number;
  readonly height: number;
  /** Class numbers, rows from the top; 255 where the network did not look. */
  readonly mask: Uint16Array;
}

export const segmentationAnswers: Telling<Segmentation> = {
  takes: [],
  coversPicture: true,
  decode: (outputs, originals, { labels }) => {
    const { shape } = (outputs.get(likeliestOutput) ?? outputs.get(fullLogitsOutput))!;
    const [height, width] = shape.slice(-2) as [number, number];
    const likeliest = likeliestPerPixel(outputs);
    return originals.map((original, image) => {
      const seen = likeliest.subarray(image * height * width, (image + 1) * height * width);
      const placement = original.placement ?? filling({ width, height });
      return segmentationOf(maskInImage(seen, placement, original, ignored), original, labels);
    });
  },
  json: ({ segments, width, height, mask }) => ({
    segments: segments.map((segment) => ({
      ...segment,
      segmentation: { size: [height, width], counts: runLengths(mask, width, height, segment.index) },
    })),
  }),
  print: ({ segments }, { bar, cyan }) => {
    const names = segments.map(({ label }) => withoutControls(label));
    const width = Math.max(0, ...names.map((name) => name.length));
    return segments.map(
      ({ share }, i) => `${names[i]!.padEnd(width)}  ${bar(share)}  ${cyan(percent(share).padStart(8))}`,
    );
  },
  draw,
};

/** @param mask Class numbers in rows, 255 for none. */
export function segmentationOf(
  mask: Uint16Array,
  { width, height }: Original,
  labels: readonly string[],
): Segmentation {
  const pixels = new Map<number, number>();
  for (const index of mask) if (index !== ignored) pixels.set(index, (pixels.get(index) ?? 0) + 1);
  const seen = [...pixels.values()].reduce((sum, count) => sum + count, 0);
  const segments = [...pixels]
    .map(([index, count]) => ({ label: labels[index] ?? `class ${index}`, index, share: count / seen }))
    .sort((a, b) => b.share - a.share || a.index - b.index);
  return { segments, width, height, mask };
}

/** COCO's uncompressed run lengths: columns from the left, first how many pixels are not of the class. */
function runLengths(mask: Uint16Array, width: number, height: number, index: number): readonly number[] {
  const counts: number[] = [];
  let [inside, length] = [false, 0];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if ((mask[y * width + x] === index) === inside) length++;
      else {
        counts.push(length);
        [inside, length] = [!inside, 1];
      }
    }
  }
  return [...counts, length];
}

/** Each class as one path of its rows' runs, half transparent, with its name as the path's title. */
function draw({ segments, width, height, mask }: Segmentation): string {
  const paths = segments.map(({ index, label }) => {
    const runs: string[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (mask[y * width + x] !== index) continue;
        const start = x;
        while (x < width && mask[y * width + x] === index) x++;
        runs.push(`M${start} ${y}h${x - start}v1h${start - x}z`);
      }
    }
    return `<path fill="${colourOf(index)}" d="${runs.join('')}"><title>${escaped(label)}</title></path>`;
  });
  return `<g fill-opacity="0.55" shape-rendering="crispEdges">${paths.join('')}</g>${legend(segments, { width, height })}`;
}

/** The classes that can be seen, largest first, one below the other at the upper left. */
function legend(segments: readonly Segment[], { width, height }: Original): string {
  const size = Math.max(4, Math.min(width, height) / 24);
  const lines = segments.map(({ index, label }, i) => {
    const y = size * (0.5 + 1.25 * i);
    const swatch = `<rect x="${size / 2}" y="${y}" width="${size}" height="${size}" fill="${colourOf(index)}"/>`;
    return `${swatch}<text x="${size * 1.8}" y="${y + size * 0.85}">${escaped(label)}</text>`;
  });
  const outline = 'paint-order="stroke" stroke="black" stroke-width="0.6"';
  return `<g font-family="sans-serif" font-size="${size}" fill="white" ${outline}>${lines.join('')}</g>`;
}

/** Hues that follow each other at the golden angle differ for as many classes as there are. */
function colourOf(index: number): string {
  const hue = Math.round((index * 137.508) % 360);
  return `hsl(${hue} 75% ${index % 2 === 0 ? 55 : 42}%)`;
}
