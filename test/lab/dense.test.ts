/** What the lab shows of masks and boxes, without a page: where a network looked, which classes there are, and how the address says what is hidden. */
import { describe, expect, it } from 'vitest';
import { type DenseView, placed } from '../../lab/src/dense/denseView.js';
import { classColour, denseInWords, hiddenClasses, legendOf, toggled } from '../../lab/src/dense/legend.js';
import { placementOf } from '../../src/data/geometry/placement.js';
import type { PreprocessSettings } from '../../src/data/preprocess.js';

const photograph = { width: 600, height: 400 };

function placeFor(resize: PreprocessSettings['resize'], crop: readonly [number, number]) {
  return placed({ ...photograph, placement: placementOf(photograph, { resize, crop }) });
}

describe('the part of an image that a network saw', () => {
  it('is the centre where the shorter side is resized', () => {
    // 600 x 400 becomes 120 x 80; 64 x 48 of it are kept, from (28, 16).
    const { place, part } = placeFor(80, [48, 64]);
    expect(place).toEqual({ left: 28 / 120, top: 16 / 80, width: 64 / 120, height: 48 / 80 });
    expect(part.place).toEqual(place);
    expect([part.original.width, part.original.height]).toEqual([64, 48]);
  });

  it('is all of it where it is fitted into the frame, which reaches beyond', () => {
    // 48 x 32 in the middle of 48 x 48.
    const { place, part } = placeFor('fit', [48, 48]);
    expect(place).toEqual({ left: 0, top: -0.25, width: 1, height: 1.5 });
    expect(part.place).toEqual({ left: 0, top: 0, width: 1, height: 1 });
    expect(part.original).toMatchObject({
      width: 48,
      height: 32,
      placement: { frame: { width: 48, height: 48 }, image: { left: 0, top: 8, width: 48, height: 32 } },
    });
  });

  it('is the centre as it is where nothing is resized', () => {
    const { place } = placeFor(null, [180, 240]);
    expect(place).toEqual({ left: 180 / 600, top: 110 / 400, width: 240 / 600, height: 180 / 400 });
  });
});

describe('the legend', () => {
  const box = (index: number, score: number) => {
    return { index, label: ['red', 'white'][index]!, score, place: { left: 0, top: 0, width: 1, height: 1 } };
  };
  const boxes: DenseView = { kind: 'boxes', boxes: [box(1, 0.9), box(0, 0.5), box(0, 0.31), box(1, 0.1)] };

  it('counts boxes that are sure enough, the class of most first', () => {
    const entries = legendOf(boxes, 0.3, new Set([1]));
    expect(entries.map(({ label, said, hidden }) => [label, said, hidden])).toEqual([
      ['red', '2', false],
      ['white', '1', true],
    ]);
    expect(denseInWords(boxes, 0.3)).toBe('3 boxes');
    expect(legendOf(boxes, 0.95, new Set())).toEqual([]);
  });

  it('has the order of the classes while it is live', () => {
    const more: DenseView = { kind: 'boxes', boxes: [box(1, 0.9), box(1, 0.8), box(0, 0.7)] };
    expect(legendOf(more, 0.3, new Set()).map(({ index }) => index)).toEqual([1, 0]);
    expect(legendOf(more, 0.3, new Set(), true).map(({ index }) => index)).toEqual([0, 1]);
  });

  it('remembers what is hidden as the address writes it', () => {
    expect([...hiddenClasses('')]).toEqual([]);
    expect(toggled('', 10)).toBe('10');
    expect(toggled('10', 2)).toBe('2.10');
    expect(toggled('2.10', 10)).toBe('2');
  });

  it('has a colour of its own for each of many classes', () => {
    const colours = new Set(Array.from({ length: 150 }, (_, index) => classColour(index).join()));
    expect(colours.size).toBe(150);
    // hsl(0 75% 55%), as CSS Color 4 computes it.
    expect(classColour(0)).toEqual([226, 54, 54]);
  });
});
