/** Pictures of skeletons against projections and times computed by hand, and against XML's own rules. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import {
  type Skeleton,
  type SkeletonSequence,
  skeletonNames,
  skeletons,
} from '../../src/data/skeletons/skeletonSequence.js';
import { mostKeyFrames, skeletonAnimation } from '../../src/insight/skeletons/animation.js';
import { limbsOf, sides } from '../../src/insight/skeletons/figure.js';
import { colours, type SkeletonDecision, type SkeletonPicture } from '../../src/insight/skeletons/page.js';
import { skeletonStrip } from '../../src/insight/skeletons/strip.js';
import { madeUpWalk } from '../support/madeUpWalk.js';
import { type Element, elementsOf, parseXml } from '../support/xml.js';

/** Hips, a left and a right foot, a head. */
const stickman: Skeleton = {
  joints: ['hips', 'left foot', 'right foot', 'head'],
  parents: [0, 0, 0, 0],
  spine: 0,
  hips: [1, 2],
  shoulders: [1, 2],
  head: 3,
};

/** Places of the stickman's joints, frame by frame and body by body; null: it is not there. */
function stickmen(...frames: readonly (readonly ([x: number, y: number] | null)[])[]): SkeletonSequence {
  const bodies = frames[0]!.length;
  // Feet half a metre below the hips and to the sides of them, the head half a metre above.
  const places = frames.flat().flatMap((hips) => {
    if (hips === null) return Array.from({ length: 12 }, () => 0);
    const [x, y] = hips;
    return [x, y, 2, x - 0.5, y - 0.5, 2, x + 0.5, y - 0.5, 2, x, y + 0.5, 2];
  });
  return { name: 'stickmen', frames: frames.length, bodies, joints: 4, positions: Float64Array.from(places) };
}

const shownOf = (sequence: SkeletonSequence, changes: Partial<SkeletonPicture> = {}): SkeletonPicture => ({
  sequence,
  skeleton: sequence.joints === 4 ? stickman : skeletons.kinect20,
  decisions: [],
  label: 'walk',
  framesPerSecond: 30,
  ...changes,
});

/** One decision for each of 16 time steps over the whole sequence. */
const decisionsOver = ({ frames }: SkeletonSequence, classes: readonly string[]): readonly SkeletonDecision[] =>
  Array.from({ length: 16 }, (_, t) => ({
    frame: (t * frames) / 16,
    className: classes[t % classes.length]!,
    probability: (t + 1) / 16,
  }));

const classed = (root: Element, name: string) =>
  elementsOf(root, 'path').filter(({ attributes }) => attributes.class === name);
const timesOf = ({ attributes }: Element) => attributes.keyTimes!.split(';').map(Number);
const valuesOf = ({ attributes }: Element) => attributes.values!.split(';');
const animated = (element: Element) => element.children.filter(({ name }) => name === 'animate');
const presences = (root: Element) =>
  elementsOf(root, 'g')
    .flatMap(animated)
    .filter(({ attributes }) => attributes.attributeName === 'visibility');

describe('limbs', () => {
  it.each(skeletonNames)('go once through every bone of %s, and each side through its own', (name) => {
    const skeleton = skeletons[name];
    const limbs = limbsOf(skeleton);
    const bones = sides.flatMap((side) =>
      limbs[side].flatMap((limb) => limb.slice(1).map((parent, i) => ({ joint: limb[i]!, parent, side }))),
    );
    const expected = skeleton.parents.flatMap((parent, joint) => {
      const [word] = skeleton.joints[joint]!.split(' ');
      return parent === joint ? [] : [{ joint, parent, side: word === 'left' || word === 'right' ? word : 'middle' }];
    });
    expect(bones.sort((a, b) => a.joint - b.joint)).toEqual(expected);
    // An arm and a leg; below and above the root.
    expect(sides.map((side) => limbs[side].length)).toEqual([2, 2, 2]);
  });
});

describe('the animation', () => {
  // x from -1 to 1 and y from -0.5 to 0.5 m on a stage of 432 × 312 units around (240, 200): 216 units a metre.
  const walker = stickmen([[-0.5, 0]], [[0.5, 0]]);

  it('projects from the front, x to the right and y up, so that all frames just fit', () => {
    const root = parseXml(skeletonAnimation(shownOf(walker)));
    const [left] = classed(root, 'left0');
    const [right] = classed(root, 'right0');
    expect(left!.attributes.d).toBe('M24 308 132 200');
    expect(right!.attributes.d).toBe('M240 308 132 200');
    // The last pose is kept until the sequence begins again.
    expect(valuesOf(animated(left!)[0]!)).toEqual(['M24 308 132 200', 'M240 308 348 200', 'M240 308 348 200']);
    expect(valuesOf(animated(right!)[0]!)[1]).toBe('M456 308 348 200');
    const heads = classed(root, 'middle0').map(({ attributes }) => attributes.d);
    expect(heads).toEqual(['M132 92 132 200', 'M132 92h0']);
  });

  it('moves at the speed of the recording', () => {
    const root = parseXml(skeletonAnimation(shownOf(madeUpWalk({ frames: 60 }), { framesPerSecond: 24 })));
    const [motion] = animated(classed(root, 'left0')[0]!);
    expect(motion!.attributes).toMatchObject({ dur: '2.5s', repeatCount: 'indefinite' });
    expect(timesOf(motion!)).toHaveLength(61);
    for (const [frame, time] of timesOf(motion!).entries()) expect(time).toBeCloseTo(frame / 60, 5);
  });

  it('draws a body only in the frames in which it is there', () => {
    const there = [0, 0, 1, 1, 0, 0, 0, 1];
    const frames = there.map((second, frame) => [
      [0, 0] as [number, number],
      second === 1 ? ([frame / 8, 0] as [number, number]) : null,
    ]);
    const root = parseXml(skeletonAnimation(shownOf(stickmen(...frames))));
    const [presence, ...others] = presences(root);
    expect(others).toEqual([]);
    expect(presence!.attributes.calcMode).toBe('discrete');
    expect(valuesOf(presence!)).toEqual(['hidden', 'visible', 'hidden', 'visible']);
    expect(timesOf(presence!)).toEqual([0, 2 / 8, 4 / 8, 7 / 8]);
    // It stays where it was seen last, and does not run through the origin.
    const poses = valuesOf(animated(classed(root, 'left1')[0]!)[0]!);
    expect(new Set([poses[0], poses[1], poses[2]]).size).toBe(1);
    expect(new Set([poses[3], poses[4], poses[5], poses[6]]).size).toBe(1);
  });

  it('leaves out a body that is never there, and draws the others in its place', () => {
    const root = parseXml(skeletonAnimation(shownOf(stickmen([null, [0, 0]], [null, [1, 0]]))));
    expect(presences(root)).toEqual([]);
    expect(classed(root, 'middle0')).toHaveLength(2);
    expect(classed(root, 'middle1')).toHaveLength(0);
  });

  it('stands still for a sequence of one frame, with the last of its decisions', () => {
    const sequence = madeUpWalk({ frames: 1 });
    const root = parseXml(skeletonAnimation(shownOf(sequence, { decisions: decisionsOver(sequence, ['sit', 'run']) })));
    expect(elementsOf(root, 'animate')).toEqual([]);
    expect(elementsOf(root, 'animateTransform')).toEqual([]);
    expect(elementsOf(root, 'text').map(({ text }) => text)).toContain('run 100 %');
  });

  it('keeps sequences of any length small, with the frames in which a body comes or goes', () => {
    const missing = (frame: number, body: number) => body === 1 && (frame < 101 || (frame > 502 && frame < 703));
    const svg = skeletonAnimation(shownOf(madeUpWalk({ frames: 1000, bodies: 2, missing })));
    expect(svg.length).toBeLessThan(150_000);
    const root = parseXml(svg);
    const motions = elementsOf(root, 'path').flatMap(animated);
    for (const motion of motions) {
      expect(valuesOf(motion).length).toBe(timesOf(motion).length);
      expect(timesOf(motion)).toEqual([...timesOf(motion)].sort((a, b) => a - b));
      expect([timesOf(motion)[0], timesOf(motion).at(-1)]).toEqual([0, 1]);
    }
    expect(timesOf(motions[0]!)).toHaveLength(mostKeyFrames + 1);
    expect(timesOf(presences(root)[0]!)).toEqual([0, 0.101, 0.503, 0.703]);
  });

  it('does not grow with a body that flickers', () => {
    const flicker = madeUpWalk({ frames: 5_000, missing: (frame) => frame % 2 === 1 });
    expect(skeletonAnimation(shownOf(flicker)).length).toBeLessThan(200_000);
  });

  it('says what was decided, when, and how surely', () => {
    const sequence = madeUpWalk({ frames: 160 });
    const decisions = [
      { frame: 0, className: 'sit', probability: 0.25 },
      { frame: 40, className: 'run', probability: 0.5 },
      { frame: 120, className: 'run', probability: 1 },
    ];
    const root = parseXml(skeletonAnimation(shownOf(sequence, { decisions })));
    // The lane begins at 52 and is 404 wide; the curve is 60 high and ends at 464.
    const [curve] = classed(root, 'curve');
    expect(curve!.attributes.d).toBe('M52 449H153V434H355V404H456');
    const runs = elementsOf(root, 'svg').map(({ attributes: { x, width }, children }) => [x, width, children[0]!.text]);
    expect(runs).toEqual([
      ['52', '101', 'sit'],
      ['153', '303', 'run'],
    ]);
    const words = elementsOf(root, 'text').filter((element) => animated(element).length > 0);
    const said = words.map((element) => [
      element.text,
      valuesOf(animated(element)[0]!),
      timesOf(animated(element)[0]!),
    ]);
    expect(said).toEqual([
      ['sit 25 %', ['visible', 'hidden'], [0, 0.25]],
      ['run 50 %', ['hidden', 'visible', 'hidden'], [0, 0.25, 0.75]],
      ['run 100 %', ['hidden', 'visible'], [0, 0.75]],
    ]);
    const [cursor] = elementsOf(root, 'animateTransform');
    const [motion] = animated(classed(root, 'left0')[0]!);
    expect(cursor!.attributes).toMatchObject({ from: '0 0', to: '404 0', dur: motion!.attributes.dur });
  });
});

describe('the strip', () => {
  it('shows moments from the middle of equal parts, each with what is decided when it is over', () => {
    const sequence = madeUpWalk({ frames: 160 });
    const decisions = decisionsOver(sequence, ['sit', 'run']);
    const root = parseXml(skeletonStrip(shownOf(sequence, { decisions, framesPerSecond: 10 }), 4));
    const texts = elementsOf(root, 'text').map(({ text }) => text);
    // Frames 20, 60, 100, 140: steps 2, 6, 10, 14 of 16, which begin there.
    expect(texts.filter((text) => text.endsWith(' s'))).toEqual(['2 s', '6 s', '10 s', '14 s']);
    expect(texts.filter((text) => text.endsWith(' %'))).toEqual(['19 %', '44 %', '69 %', '94 %']);
    expect(classed(root, 'left0')).toHaveLength(4);
    expect(elementsOf(root, 'animate')).toEqual([]);
  });

  it('is of one scale, and leaves out who is not there', () => {
    // 2.5 m wide on 108 units around (66, 78): 43.2 units a metre.
    const root = parseXml(
      skeletonStrip(
        shownOf(
          stickmen(
            [[-0.75, 0], null],
            [
              [0.75, 0],
              [0, 0],
            ],
          ),
        ),
      ),
    );
    const paths = (name: string) => classed(root, name).map(({ attributes }) => attributes.d);
    expect(paths('left0')).toEqual(['M12 99.6 33.6 78', 'M76.8 99.6 98.4 78']);
    expect(paths('left1')).toEqual(['M44.4 99.6 66 78']);
  });

  it('has at most one picture for each frame', () => {
    const sequence = madeUpWalk({ frames: 1 });
    const root = parseXml(skeletonStrip(shownOf(sequence, { decisions: decisionsOver(sequence, ['sit', 'run']) })));
    const texts = elementsOf(root, 'text').map(({ text }) => text);
    expect(texts.filter((text) => text.endsWith(' %'))).toEqual(['100 %']);
  });
});

describe.each([
  ['an animation', skeletonAnimation],
  ['a strip', skeletonStrip],
])('%s', (_, drawn) => {
  const hostile = '</title><script>alert("x & y")</script>\u0000\ufffe\ud800';

  it('takes names from outside as text', async () => {
    const sequence = madeUpWalk({ frames: 20 });
    const svg = drawn(
      shownOf(sequence, { label: hostile, decisions: decisionsOver(sequence, [hostile, '"/><b>', 'ü 行']) }),
    );
    const root = parseXml(svg);
    expect(elementsOf(root, 'script')).toEqual([]);
    expect(elementsOf(root, 'b')).toEqual([]);
    const [title] = root.children;
    expect(title).toMatchObject({
      name: 'title',
      text: expect.stringContaining('</title><script>alert("x & y")</script>\\u0000\ufffd\\ud800: '),
    });
    // Another reader of XML agrees.
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    expect([String(width), String(height)]).toEqual([root.attributes.width, root.attributes.height]);
  });

  it('has a title, a description and a role for those who do not see it', () => {
    const sequence = madeUpWalk({ frames: 75, bodies: 2 });
    const decisions = [{ frame: 0, className: 'run', probability: 0.734 }];
    const root = parseXml(drawn(shownOf(sequence, { decisions })));
    expect(root.attributes).toMatchObject({ role: 'img', 'aria-label': expect.stringContaining('walk: run, 73 %') });
    expect(root.children.slice(0, 2).map(({ name }) => name)).toEqual(['title', 'desc']);
    expect(root.children[1]!.text).toContain('2.5 s');
  });

  it('is drawn without decisions, and without anybody', () => {
    const nobody = madeUpWalk({ frames: 5, missing: () => true });
    expect(drawn(shownOf(nobody))).not.toMatch(/NaN|Infinity|undefined/);
    expect(elementsOf(parseXml(drawn(shownOf(madeUpWalk({ frames: 5 })))), 'title')).toHaveLength(1);
  });

  it('does not magnify what stands in one point without end', () => {
    const point = { name: 'point', frames: 2, bodies: 1, joints: 4, positions: new Float64Array(24).fill(1) };
    const root = parseXml(drawn(shownOf(point)));
    expect(classed(root, 'left0')[0]!.attributes.d).toMatch(/^M(\d+ \d+) \1$/);
  });
});

describe('colours', () => {
  /** Relative luminance and contrast by WCAG 2.2. */
  const luminance = (colour: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (a: string, b: string) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light! + 0.05) / (dark! + 0.05);
  };

  it.each(['light', 'dark'] as const)('are legible on the %s ground', (scheme) => {
    const { ground, ink, soft, bodies } = colours[scheme];
    for (const text of [ink, soft]) expect(contrast(text, ground)).toBeGreaterThan(4.5);
    for (const body of bodies) for (const side of sides) expect(contrast(body[side], ground)).toBeGreaterThan(3);
  });
});
