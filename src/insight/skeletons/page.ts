/** What the pictures of skeletons have in common: what goes in, colours on light and dark pages, text that is safe in a file, the frame around it all. */
import type { Skeleton, SkeletonSequence } from '../../data/skeletons/skeletonSequence.js';
import { safe } from '../markup.js';
import { type Figure, short, sides } from './figure.js';

/** The leading class after a time step. */
export interface SkeletonDecision {
  /** From this frame on the decision stands, until that of the next; parts of frames where there are more time steps than frames. */
  readonly frame: number;
  readonly className: string;
  /** 0 to 1. */
  readonly probability: number;
}

export interface SkeletonPicture {
  /** At least one frame, and finite numbers. */
  readonly sequence: SkeletonSequence;
  readonly skeleton: Skeleton;
  /** In the order of their frames; none where the network does not name classes. */
  readonly decisions: readonly SkeletonDecision[];
  /** What stands above the picture. */
  readonly label: string;
  readonly framesPerSecond: number;
}

/** Left and right differ in lightness too, for those who do not see colours; so do the two bodies. */
export const colours = {
  light: {
    ground: '#fffefb',
    line: '#dfdbd1',
    ink: '#1c1b19',
    soft: '#625d54',
    bodies: [
      { left: '#0b6a88', right: '#c2560a', middle: '#1c1b19' },
      { left: '#3f90ac', right: '#d9742b', middle: '#8a857c' },
    ],
  },
  dark: {
    ground: '#131821',
    line: '#3d4859',
    ink: '#e9edf3',
    soft: '#9aa6b8',
    bodies: [
      { left: '#59c7e8', right: '#ffb454', middle: '#e9edf3' },
      { left: '#3a86a0', right: '#b9752a', middle: '#8492a6' },
    ],
  },
} as const;

export const shades = colours.light.bodies.length;

/** Behind the names of classes; thin enough for text on it. */
const classColours = ['#0b6a88', '#c2560a', '#5c8a1e', '#8a4fc4', '#c2307a', '#a98600', '#3f5bd0', '#7a5a3a'];

/** By the order in which classes first lead. */
export function classColour(decisions: readonly SkeletonDecision[]): (className: string) => string {
  const names = [...new Set(decisions.map(({ className }) => className))];
  return (className) => classColours[names.indexOf(className) % classColours.length]!;
}

/** The decision that stands when a frame is over; before any was made, the first. Undefined without decisions. */
export function decisionAfter(decisions: readonly SkeletonDecision[], frame: number): SkeletonDecision | undefined {
  return decisions.findLast((decision) => decision.frame < frame + 1) ?? decisions[0];
}

/** At most so many characters, and safe. */
export function cut(text: string, characters: number): string {
  const all = [...text];
  return safe(all.length <= characters ? text : `${all.slice(0, characters - 1).join('')}…`);
}

/** `8 %` */
export function percent(probability: number): string {
  return `${Math.round(100 * probability)} %`;
}

/** `1.25 s` */
export function seconds(frames: number, framesPerSecond: number): string {
  return `${Number((frames / framesPerSecond).toFixed(2))} s`;
}

/** The paths of a figure. @param inside What each path contains. */
export function bodyPaths(
  figure: Figure,
  shade: number,
  headWidth: number,
  inside: (part: keyof Figure) => string = () => '',
): string {
  const path = (part: keyof Figure, attributes: string) => {
    const start = `<path class="${part === 'head' ? 'middle' : part}${shade}"${attributes} d="${figure[part]}"`;
    const content = inside(part);
    return content === '' ? `${start}/>` : `${start}>${content}</path>`;
  };
  const lines = sides.filter((side) => figure[side] !== '').map((side) => path(side, ''));
  return [...lines, path('head', ` stroke-width="${short(headWidth)}"`)].join('\n');
}

/** A disc of 20 cm, and never so small or large that it is not to be seen or hides the body. */
export function headWidth(scale: number): number {
  return Math.max(5, Math.min(30, 0.2 * scale));
}

interface Page {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly description: string;
  readonly elements: readonly string[];
}

/** A whole file. The ground is painted, so that lines are to be seen on pages of any colour. */
export function page({ width, height, title, description, elements }: Page): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" class="skeleton-picture" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${safe(`${title}. ${description}`)}" font-family="system-ui, sans-serif" font-size="12">
<title>${safe(title)}</title>
<desc>${safe(description)}</desc>
<style>${rules(colours.light)}@media (prefers-color-scheme: dark){${rules(colours.dark)}}</style>
<rect class="ground" width="${width}" height="${height}"/>
${elements.join('\n')}
</svg>
`;
}

/** Rules hold inside these pictures only: they may be part of a page. */
function rules({ ground, line, ink, soft, bodies }: (typeof colours)['light' | 'dark']): string {
  const parts = bodies.flatMap((body, shade) => sides.map((side) => [`.${side}${shade}`, `stroke:${body[side]}`]));
  const all = [
    ['.ground', `fill:${ground}`],
    ['.grid', `stroke:${line}`],
    ['.curve', `stroke:${ink};fill:none`],
    ['text', `fill:${ink}`],
    ['.soft', `fill:${soft}`],
    ...parts,
  ];
  return all.map(([what, rule]) => `.skeleton-picture ${what}{${rule}}`).join('');
}

/** Which colour is which side, of the first body and, if there are more, of the second. */
export function legend(x: number, y: number, bodies: number): string {
  const rows = Array.from({ length: Math.min(shades, bodies) }, (_, shade) => {
    const row = y + 16 * shade;
    const mark = (side: 'left' | 'right', at: number) =>
      `<line class="${side}${shade}" stroke-width="4" x1="${at}" x2="${at + 14}" y1="${row - 4}" y2="${row - 4}"/><text class="soft" x="${at + 18}" y="${row}">${side}</text>`;
    const body =
      bodies > 1 ? `<text class="soft" x="${x - 112}" y="${row}" text-anchor="end">body ${shade + 1}</text>` : '';
    return `${body}${mark('left', x - 104)}${mark('right', x - 52)}`;
  });
  return rows.join('');
}
