/** Text in SVG and HTML that may come from outside. */
import { withoutControls } from '../errors.js';

/** Names from outside as text or attribute: no marks, and no character that XML does not know. */
export function safe(text: string): string {
  return withoutControls(text)
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
