/**
 * A sequence of skeletons as a moving picture, with the decision of a network over time below it. One SVG file without scripts: SMIL moves it, also inside of an
 * `<img>`. What does not know SMIL shows the first frame.
 */

import type { SkeletonSequence } from '../../data/skeletons/skeletonSequence.js';
import { safe } from '../markup.js';
import { type Figure, figureAt, isThere, limbsOf, projectionInto, short } from './figure.js';
import {
  bodyPaths,
  classColour,
  cut,
  headWidth,
  legend,
  page,
  percent,
  type SkeletonDecision,
  type SkeletonPicture,
  seconds,
  shades,
} from './page.js';

/**
 * Key frames of a body, and as many again for the moments at which it comes or goes; between them it moves in straight lines. A sequence of any length so makes a
 * file of less than half a megabyte for two bodies: four seconds of a Kinect have all their frames, a minute has two a second.
 */
export const mostKeyFrames = 120;
/** Decisions that are shown; of more, evenly spaced ones. */
const mostDecisions = 120;

const width = 480;
const stage = { x: 24, y: 44, width: 432, height: 312 };
const lane = { x: 52, width: 404 };
const curve = { y: 404, height: 60 };
const classes = { y: 470, height: 22 };

/** The bodies at the speed of the recording, again and again. A body that is missing in a frame is not drawn there. */
export function skeletonAnimation(picture: SkeletonPicture): string {
  const { sequence, skeleton, label, framesPerSecond } = picture;
  const decisions = evenlySpaced(picture.decisions, mostDecisions);
  const timing = timingOf(sequence, framesPerSecond);
  const projection = projectionInto(stage, sequence);
  const seen = Array.from({ length: sequence.bodies }, (_, body) => body).filter((body) =>
    framesOf(sequence, body).some(Boolean),
  );
  const drawing = { sequence, skeleton, limbs: limbsOf(skeleton) };
  const bodies = seen.map((body, order) => {
    const keys = keyFrames(framesOf(sequence, body));
    const figures = keys.map(({ shown }) => figureAt(drawing, projection, shown, body));
    const motion = (part: keyof Figure) =>
      timing.moving(
        'd',
        keys.map(({ frame }, i) => ({ frame, value: figures[i]![part] })),
      );
    const presence = timing.switching(
      'visibility',
      keys.map(({ frame, there }) => ({ frame, value: there ? 'visible' : 'hidden' })),
    );
    const hidden = keys[0]!.there ? '' : ' visibility="hidden"';
    return `<g${hidden}>${presence}\n${bodyPaths(figures[0]!, order % shades, headWidth(projection.scale), motion)}\n</g>`;
  });
  const last = decisions.at(-1);
  return page({
    width,
    height: last ? 524 : 376,
    title: last ? `${label}: ${last.className}, ${percent(last.probability)}` : label,
    description: `${bodies.length === 1 ? '1 body' : `${bodies.length} bodies`} in ${seconds(sequence.frames, framesPerSecond)}, seen from the front${last ? ', and below the leading class and its probability after each time step' : ''}`,
    elements: [
      `<text x="24" y="24" font-size="14" font-weight="600">${cut(label, 38)}</text>`,
      legend(width - 24, seen.length > 1 ? 16 : 24, seen.length),
      '<g fill="none" stroke-width="5" stroke-linecap="round" stroke-linejoin="round">',
      ...bodies,
      '</g>',
      ...(last ? decisionLane(decisions, sequence.frames, framesPerSecond, timing) : []),
    ],
  });
}

interface KeyFrame {
  readonly frame: number;
  readonly there: boolean;
  /** The frame whose pose is drawn: while the body is away, that in which it was seen last, or the first at all. */
  readonly shown: number;
}

function framesOf(sequence: SkeletonSequence, body: number): boolean[] {
  return Array.from({ length: sequence.frames }, (_, frame) => isThere(sequence, frame, body));
}

/** Evenly spaced frames from the first to the last, and those between which the body comes or goes. */
function keyFrames(there: readonly boolean[]): readonly KeyFrame[] {
  const last = there.length - 1;
  const count = Math.min(there.length, mostKeyFrames);
  const even = Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * last) / (count - 1))));
  const changes = there.flatMap((now, frame) => (frame > 0 && now !== there[frame - 1] ? [frame - 1, frame] : []));
  const frames = [...new Set([...even, ...changes.slice(0, mostKeyFrames)])].sort((a, b) => a - b);
  const first = there.indexOf(true);
  return frames.map((frame) => ({
    frame,
    there: there[frame]!,
    shown: Math.max(first, there.lastIndexOf(true, frame)),
  }));
}

interface Moment {
  readonly frame: number;
  readonly value: string;
}

/** Elements that change an attribute of the one they are in; nothing where it never changes. */
interface Timing {
  /** In straight lines from one moment to the next. */
  moving(attribute: string, moments: readonly Moment[]): string;
  /** At once. */
  switching(attribute: string, moments: readonly Moment[]): string;
  /** From where the element stands to the right. */
  travelling(distance: number): string;
}

function timingOf({ frames }: SkeletonSequence, framesPerSecond: number): Timing {
  // A frame lasts until the next one, the last one too.
  const always = `dur="${Number((frames / framesPerSecond).toFixed(3))}s" repeatCount="indefinite"`;
  const at = (frame: number) => String(Number((frame / frames).toFixed(5)));
  const animated = (attribute: string, moments: readonly Moment[], mode: string) =>
    `<animate attributeName="${attribute}" ${mode}${always} keyTimes="${moments.map(({ frame }) => at(frame)).join(';')}" values="${moments.map(({ value }) => value).join(';')}"/>`;
  return {
    moving: (attribute, moments) => {
      if (moments.every(({ value }) => value === moments[0]!.value)) return '';
      return animated(attribute, [...moments, { frame: frames, value: moments.at(-1)!.value }], '');
    },
    switching: (attribute, moments) => {
      const changes = moments.filter(({ value }, i) => value !== moments[i - 1]?.value);
      return changes.length === 1 ? '' : animated(attribute, changes, 'calcMode="discrete" ');
    },
    travelling: (distance) =>
      frames === 1
        ? ''
        : `<animateTransform attributeName="transform" type="translate" ${always} from="0 0" to="${distance} 0"/>`,
  };
}

/** The leading class in words as it changes, its probability as a curve of steps, and the classes in a lane, with a cursor over both. */
function decisionLane(
  decisions: readonly SkeletonDecision[],
  frames: number,
  framesPerSecond: number,
  timing: Timing,
): readonly string[] {
  const x = (frame: number) => short(lane.x + (Math.max(0, Math.min(frames, frame)) / frames) * lane.width);
  const y = (probability: number) => short(curve.y + (1 - probability) * curve.height);
  const until = (index: number) => decisions[index + 1]?.frame ?? frames;
  const grid = [1, 0.5, 0].map(
    (share) =>
      `<path class="grid" d="M${lane.x} ${y(share)}h${lane.width}"/><text class="soft" x="${lane.x - 6}" y="${Number(y(share)) + 4}" text-anchor="end">${percent(share)}</text>`,
  );
  const steps = decisions.map(
    ({ frame, probability }, i) =>
      `${i === 0 ? `M${x(frame)} ${y(probability)}` : `V${y(probability)}`}H${x(until(i))}`,
  );
  const bottom = classes.y + classes.height;
  const end = lane.x + lane.width;
  return [
    ...decisions.map((decision, i) => nowDecided(decision, i === 0 ? 0 : decision.frame, until(i), frames, timing)),
    ...grid,
    `<path class="curve" stroke-width="2" d="${steps.join('')}"/>`,
    ...classRuns(decisions, frames).map((run) => runInLane(run, x, classColour(decisions))),
    `<text class="soft" x="${lane.x}" y="${bottom + 18}">0 s</text><text class="soft" x="${end}" y="${bottom + 18}" text-anchor="end">${seconds(frames, framesPerSecond)}</text>`,
    ...(frames === 1
      ? []
      : [
          `<path class="curve" stroke-width="1.5" d="M${lane.x} ${curve.y - 6}V${bottom + 4}">${timing.travelling(lane.width)}</path>`,
        ]),
  ];
}

/** The words of one decision while it stands. Of a single frame, which does not move, the last decision is read. */
function nowDecided(
  { className, probability }: SkeletonDecision,
  from: number,
  until: number,
  frames: number,
  timing: Timing,
): string {
  const words = `${cut(className, 44)} ${percent(probability)}`;
  const place = `x="${lane.x}" y="${curve.y - 16}" font-size="16" font-weight="600"`;
  if (frames === 1) return until < frames ? '' : `<text ${place}>${words}</text>`;
  const moments = [
    ...(from > 0 ? [{ frame: 0, value: 'hidden' }] : []),
    { frame: from, value: 'visible' },
    ...(until < frames ? [{ frame: until, value: 'hidden' }] : []),
  ];
  return `<text ${place}${from > 0 ? ' visibility="hidden"' : ''}>${words}${timing.switching('visibility', moments)}</text>`;
}

interface Run {
  readonly className: string;
  readonly from: number;
  readonly until: number;
}

/** The same class at consecutive time steps. */
function classRuns(decisions: readonly SkeletonDecision[], frames: number): readonly Run[] {
  const starts = decisions.filter(({ className }, i) => className !== decisions[i - 1]?.className);
  return starts.map(({ className, frame }, i) => ({ className, from: frame, until: starts[i + 1]?.frame ?? frames }));
}

/** The name is shown as far as it fits: an inner `svg` clips what is outside of it. */
function runInLane(
  { className, from, until }: Run,
  x: (frame: number) => string,
  colour: (className: string) => string,
): string {
  const [start, end] = [x(from), x(until)];
  const length = short(Number(end) - Number(start));
  const { y, height } = classes;
  return `<svg x="${start}" y="${y}" width="${length}" height="${height}"><title>${safe(className)}</title><rect width="${length}" height="${height}" fill="${colour(className)}" fill-opacity=".3"/><rect width="${length}" height="3" fill="${colour(className)}"/><text x="4" y="16">${cut(className, 60)}</text></svg>`;
}

function evenlySpaced<Item>(items: readonly Item[], most: number): readonly Item[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]!);
}
