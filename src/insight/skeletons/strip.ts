/** A sequence of skeletons as still pictures beside each other, each with the decision that stands at its moment; for print and for pages where nothing may move. */
import { safe } from '../markup.js';
import { type Box, figureAt, isThere, limbsOf, projectionInto } from './figure.js';
import {
  bodyPaths,
  classColour,
  cut,
  decisionAfter,
  headWidth,
  legend,
  page,
  percent,
  type SkeletonPicture,
  seconds,
  shades,
} from './page.js';

const cell = { width: 132, height: 216 };
const body: Box = { x: 12, y: 10, width: 108, height: 136 };
const margin = { x: 12, top: 36, bottom: 8 };
const mostInRow = 8;
/** Larger files would serve nobody. */
const mostPictures = 64;

/**
 * All pictures are of one scale.
 *
 * @param pictures How many frames, 1 to 64: those in the middle of as many equal parts of the sequence, at most all of them.
 */
export function skeletonStrip(picture: SkeletonPicture, pictures = 8): string {
  const { sequence, skeleton, decisions, label, framesPerSecond } = picture;
  const count = Math.max(1, Math.min(pictures, mostPictures, sequence.frames));
  const frames = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * sequence.frames) / count));
  const projection = projectionInto(body, sequence);
  const drawing = { sequence, skeleton, limbs: limbsOf(skeleton) };
  const colour = classColour(decisions);
  const bodies = Array.from({ length: sequence.bodies }, (_, index) => index);
  const seen = bodies.filter((index) =>
    Array.from({ length: sequence.frames }, (_, frame) => frame).some((frame) => isThere(sequence, frame, index)),
  );
  const columns = Math.min(count, mostInRow);
  const cells = frames.map((frame, i) => {
    const there = seen.filter((index) => isThere(sequence, frame, index));
    const figures = there.map((index) =>
      bodyPaths(figureAt(drawing, projection, frame, index), seen.indexOf(index) % shades, headWidth(projection.scale)),
    );
    const decision = decisionAfter(decisions, frame);
    const words = decision
      ? `<g><title>${safe(decision.className)}</title><rect x="6" y="158" width="${cell.width - 12}" height="3" fill="${colour(decision.className)}"/><text x="${cell.width / 2}" y="178">${cut(decision.className, 18)}</text><text x="${cell.width / 2}" y="194">${percent(decision.probability)}</text></g>`
      : '';
    const place = `${margin.x + (i % columns) * cell.width} ${margin.top + Math.floor(i / columns) * cell.height}`;
    return `<g transform="translate(${place})" text-anchor="middle"><g fill="none" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">${figures.join('')}</g>${words}<text class="soft" x="${cell.width / 2}" y="${decision ? 210 : 170}" font-size="11">${seconds(frame, framesPerSecond)}</text></g>`;
  });
  // Narrow strips have room for the title and the colours all the same.
  const width = Math.max(360, 2 * margin.x + columns * cell.width);
  const last = decisions.at(-1);
  return page({
    width,
    height: margin.top + Math.ceil(count / columns) * cell.height + margin.bottom,
    title: last ? `${label}: ${last.className}, ${percent(last.probability)}` : label,
    description: `${count === 1 ? '1 moment' : `${count} moments`} of ${seconds(sequence.frames, framesPerSecond)}, seen from the front${last ? ', each with the leading class and its probability' : ''}`,
    elements: [
      `<text x="${margin.x + 6}" y="24" font-size="14" font-weight="600">${cut(label, Math.floor((width - 240) / 8))}</text>`,
      legend(width - margin.x, seen.length > 1 ? 14 : 24, seen.length),
      ...cells,
    ],
  });
}
