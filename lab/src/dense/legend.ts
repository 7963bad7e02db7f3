/** The classes of a mask or of boxes: how much of each there is, which are shown, and their colours. */
import { percent } from '../components/text.js';
import type { DenseView, SeenBox } from './denseView.js';

export interface LegendEntry {
  readonly index: number;
  readonly label: string;
  /** Its share of the mask; of boxes their number. */
  readonly amount: number;
  /** As a person reads it. */
  readonly said: string;
  readonly hidden: boolean;
}

/** Boxes that reach a score. */
export function sureBoxes(boxes: readonly SeenBox[], score: number): readonly SeenBox[] {
  return boxes.filter((box) => box.score >= score);
}

/**
 * The classes that are there, of which there is most first.
 *
 * @param inOrder By their numbers instead: what is live should not jump.
 */
export function legendOf(dense: DenseView, score: number, hidden: ReadonlySet<number>, inOrder = false): LegendEntry[] {
  const found =
    dense.kind === 'mask'
      ? dense.segments.map(({ index, label, share }) => ({ index, label, amount: share, said: percent(share) }))
      : counted(sureBoxes(dense.boxes, score));
  return found
    .map((entry) => ({ ...entry, hidden: hidden.has(entry.index) }))
    .sort((a, b) => (inOrder ? 0 : b.amount - a.amount) || a.index - b.index);
}

function counted(boxes: readonly SeenBox[]): Omit<LegendEntry, 'hidden'>[] {
  const entries = new Map<number, Omit<LegendEntry, 'hidden'>>();
  for (const { index, label } of boxes) {
    const amount = (entries.get(index)?.amount ?? 0) + 1;
    entries.set(index, { index, label, amount, said: String(amount) });
  }
  return [...entries.values()];
}

/** What is there in a few words: the largest class of a mask, the number of boxes. */
export function denseInWords(dense: DenseView, score: number): string {
  if (dense.kind === 'mask') {
    const [largest] = dense.segments;
    return largest ? `${largest.label} ${percent(largest.share, 0)}` : '–';
  }
  const { length } = sureBoxes(dense.boxes, score);
  return length === 1 ? '1 box' : `${length} boxes`;
}

/** Numbers of classes out of the address, such as `0.4`. */
export function hiddenClasses(text: string): ReadonlySet<number> {
  return new Set(text === '' ? [] : text.split('.').map(Number));
}

/** The same with one class hidden that was shown, or shown that was hidden. */
export function toggled(text: string, index: number): string {
  const hidden = new Set(hiddenClasses(text));
  if (!hidden.delete(index)) hidden.add(index);
  return [...hidden].sort((a, b) => a - b).join('.');
}

/** Red, green and blue of a class: hues that follow each other at the golden angle, light and dark by turns. */
export function classColour(index: number): readonly [red: number, green: number, blue: number] {
  const hue = (index * 137.508) % 360;
  const [saturation, lightness] = [0.75, index % 2 === 0 ? 0.55 : 0.42];
  const amplitude = saturation * Math.min(lightness, 1 - lightness);
  const channel = (offset: number) => {
    const k = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - amplitude * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** As style sheets write it. */
export function classColourText(index: number): string {
  return `rgb(${classColour(index).join(' ')})`;
}
