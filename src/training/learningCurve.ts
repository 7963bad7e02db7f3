/** How a run went, as a picture that needs nothing beside it: its figure by epoch, while training and on what was held out, above the learning rate. */
import { safe } from '../insight/markup.js';

/** One epoch as `metrics.jsonl` has it: beside these, the figure of training by its name, and as `heldOut…` the held-out one. */
export interface CurveEpoch {
  /** Counted from 0. */
  readonly epoch: number;
  /** At its last step that was logged; undefined where none was. */
  readonly learningRate?: number | undefined;
  readonly [figure: string]: unknown;
}

const frame = { left: 64, top: 48, width: 640, figure: 280, gap: 28, rate: 60, right: 150 };
const colours = { training: '#8a8f98', heldOut: '#0a7d4f', rate: '#b4690e' };
const own = new Set(['kind', 'step', 'epoch', 'loss', 'time', 'learningRate']);

/**
 * An SVG of the epochs so far; the best held-out figure is marked and said.
 *
 * @param epochs At least one, in their order.
 * @param better Whether the first of two figures is the better one; by default the larger.
 */
export function learningCurve(
  epochs: readonly CurveEpoch[],
  title: string,
  better: (one: number, other: number) => boolean = (one, other) => one > other,
): string {
  const names = [...new Set(epochs.flatMap((one) => Object.keys(one)))].filter((name) => !own.has(name));
  const lines = names
    .map((name) => ({ name, points: pointsOf(epochs, name) }))
    .filter(({ points }) => points.length > 0);
  const [rates, last] = [pointsOf(epochs, 'learningRate'), epochs.at(-1)!.epoch + 1];
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const areShares = values.every((value) => value >= 0 && value <= 1);
  const said = (value: number) => (areShares ? `${(100 * value).toFixed(2)} %` : String(Number(value.toPrecision(4))));
  const [lowest, highest, step] = axisOf(Math.min(...values), Math.max(...values));
  const x = (epoch: number) => (frame.width * epoch) / last;
  const y = (value: number) => frame.figure * (1 - (value - lowest) / (highest - lowest));
  const rows = Array.from({ length: Math.round((highest - lowest) / step) + 1 }, (_, i) => lowest + i * step);
  const grid = rows.map((value) => {
    const words = areShares ? `${Number((100 * value).toFixed(4))} %` : String(Number(value.toPrecision(4)));
    return `<path d="M0 ${y(value).toFixed(1)}H${frame.width}" stroke="#e3e3e3"/><text x="-8" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${words}</text>`;
  });
  const places = labelPlaces(lines.map(({ points }) => y(points.at(-1)![1])));
  const curves = lines.map(({ name, points }, index) => {
    const isHeldOut = name.startsWith('heldOut');
    const colour = isHeldOut ? colours.heldOut : colours.training;
    const best = isHeldOut ? bestOf(points, better) : undefined;
    const dot = best
      ? `<circle cx="${x(best[0]).toFixed(1)}" cy="${y(best[1]).toFixed(1)}" r="3.5" fill="${colour}"/>`
      : '';
    const words = best ? `held out, best ${said(best[1])}` : `training ${said(points.at(-1)![1])}`;
    const place = `x="${frame.width + 10}" y="${places[index]!.toFixed(1)}"`;
    return `${path(points, x, y, colour)}${dot}<text ${place} fill="${colour}">${safe(words)}</text>`;
  });
  const bottom = frame.figure + frame.gap;
  const most = Math.max(...rates.map(([, rate]) => rate), Number.MIN_VALUE);
  const rateY = (rate: number) => bottom + frame.rate * (1 - rate / most);
  const rate =
    rates.length === 0
      ? ''
      : `<path d="M0 ${bottom + frame.rate}H${frame.width}" stroke="#e3e3e3"/>${path(rates, x, rateY, colours.rate)}<text x="${frame.width + 10}" y="${bottom + 12}" fill="${colours.rate}">rate, at most ${Number(most.toPrecision(3))}</text>`;
  const apart = Math.max(1, roundStep(last / 6));
  const axis = Array.from({ length: Math.floor(last / apart) + 1 }, (_, i) => i * apart).map(
    (epoch) => `<text x="${x(epoch).toFixed(1)}" y="${bottom + frame.rate + 18}" text-anchor="middle">${epoch}</text>`,
  );
  const [width, height] = [frame.left + frame.width + frame.right, frame.top + bottom + frame.rate + 46];
  const name = safe(title);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${name}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${frame.left}" y="24" font-size="14">${name}</text>
<g transform="translate(${frame.left} ${frame.top})">
${grid.join('')}
${curves.join('\n')}
${rate}
${axis.join('')}<text x="${frame.width / 2}" y="${bottom + frame.rate + 36}" text-anchor="middle">epochs</text>
</g>
</svg>
`;
}

type Point = readonly [epochs: number, value: number];

/** At the end of each epoch that has such a number. */
function pointsOf(epochs: readonly CurveEpoch[], name: string): readonly Point[] {
  return epochs.flatMap((one): Point[] => {
    const value = one[name];
    return typeof value === 'number' && Number.isFinite(value) ? [[one.epoch + 1, value]] : [];
  });
}

function bestOf(points: readonly Point[], better: (one: number, other: number) => boolean): Point {
  return points.reduce((best, point) => (better(point[1], best[1]) ? point : best));
}

function path(points: readonly Point[], x: (at: number) => number, y: (at: number) => number, colour: string): string {
  const places = points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  return `<path d="M${places.join('L')}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round"/>`;
}

/** Where labels beside the ends of lines stand: at their heights, but no two on each other. */
function labelPlaces(heights: readonly number[]): readonly number[] {
  const lowered: number[] = [];
  for (const index of [...heights.keys()].sort((a, b) => heights[a]! - heights[b]!)) {
    const above = lowered.reduce((lowest, height) => Math.max(lowest, height), Number.NEGATIVE_INFINITY);
    lowered[index] = Math.max(heights[index]! + 4, above + 15);
  }
  return lowered;
}

/** Round ends around the values and the distance of lines between them, of which there are about five. */
function axisOf(least: number, most: number): readonly [number, number, number] {
  // Where all values are one, there is still an axis.
  const span = Math.max(most - least, 0.01 * Math.max(1, Math.abs(most)));
  const step = roundStep(span / 5);
  const lowest = step * Math.floor(least / step);
  return [lowest, Math.max(step * Math.ceil(most / step), lowest + step), step];
}

/** The smallest of 1, 2 and 5 times a power of ten that is at least as large. */
function roundStep(least: number): number {
  const unit = 10 ** Math.floor(Math.log10(least));
  return unit * [1, 2, 5, 10].find((factor) => factor * unit >= least)!;
}
