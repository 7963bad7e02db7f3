/** A browser plays the pictures of skeletons: where a joint is at a time, whether a body is to be seen, and that an `<img>` moves. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skeletons } from '../../src/data/skeletons/skeletonSequence.js';
import { skeletonAnimation } from '../../src/insight/skeletons/animation.js';
import { madeUpWalk } from '../support/madeUpWalk.js';
import { hasChromium, launch, skipNote } from './support.js';

describe.skipIf(!hasChromium)(`the animation of a skeleton in a browser${skipNote}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  const walk = madeUpWalk({ frames: 60, bodies: 2, missing: (frame, body) => body === 1 && frame < 30 });
  const decisions = [
    { frame: 0, className: 'stand', probability: 0.6 },
    { frame: 30, className: 'walk', probability: 0.8 },
  ];
  const svg = skeletonAnimation({
    sequence: walk,
    skeleton: skeletons.kinect20,
    decisions,
    label: 'walk',
    framesPerSecond: 30,
  });

  it('puts joints where they are at that time, and shows a body and a decision while they are there', async () => {
    const page = await browser.newPage();
    await page.setContent(svg);
    const at = (time: number) =>
      page.evaluate((seconds) => {
        const root = document.querySelector('svg')!;
        root.pauseAnimations();
        root.setCurrentTime(seconds);
        const head = (shade: number) =>
          Array.from(document.querySelectorAll<SVGPathElement>(`.middle${shade}`)).at(-1)!;
        const said = Array.from(document.querySelectorAll('text[font-size="16"]'));
        return {
          head: head(0).getPointAtLength(0).x,
          second: getComputedStyle(head(1)).visibility,
          said: said.filter((text) => getComputedStyle(text).visibility === 'visible').map((text) => text.textContent),
        };
      }, time);
    const [start, middle, end] = [await at(0), await at(29 / 30), await at(59 / 30)];
    // The head walks 1 m at an even speed: after 29 of 59 steps it has gone 29/59 of the way.
    expect((middle.head - start.head) / (end.head - start.head)).toBeCloseTo(29 / 59, 2);
    expect([start.second, middle.second, end.second]).toEqual(['hidden', 'hidden', 'visible']);
    expect([start.said, end.said]).toEqual([['stand 60 %'], ['walk 80 %']]);
    await page.close();
  });

  it('moves inside of an <img>', async () => {
    const page = await browser.newPage({ viewport: { width: 500, height: 540 } });
    await page.setContent(`<img src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`);
    const first = await page.screenshot();
    await expect.poll(async () => first.equals(await page.screenshot())).toBe(false);
    await page.close();
  });
});
