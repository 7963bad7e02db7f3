/** How answers of several tasks are written: shares of 1, and text inside of drawings. */
import { withoutControls } from '../errors.js';

/** `93.10 %` */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Text as SVG holds it, without control characters. */
export function escaped(text: string): string {
  return withoutControls(text).replace(/[&<"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
