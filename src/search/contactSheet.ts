/**
 * A contact sheet of a search: a page with each query and what was found for it, best first. One file of HTML without scripts; pictures are given as addresses, such as `data:` with their
 * bytes, so that the page can be complete in itself.
 */
import { UsageError } from '../errors.js';
import type { Hit } from './gallerySearch.js';

export interface SheetHit extends Pick<Hit, 'name' | 'score'> {
  /** Address of its picture: `data:image/…`, or relative to the page. */
  readonly picture: string;
  /** Whether it shows what was looked for, where that is known. */
  readonly isRight?: boolean;
}

export interface SheetQuery {
  readonly name: string;
  readonly picture: string;
  readonly hits: readonly SheetHit[];
}

const style = `:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem; }
section { display: flex; gap: .75rem; overflow-x: auto; padding: .75rem 0; border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
figure { margin: 0; flex: none; width: 9rem; }
figure.query { margin-right: 1rem; }
img { width: 9rem; height: 9rem; object-fit: cover; border-radius: 4px; box-sizing: border-box; }
.right img { border: 4px solid #2a8f4f; }
.wrong img { border: 4px dashed #b3452c; }
figcaption { overflow-wrap: anywhere; font-size: 12px; }
figcaption b { font-variant-numeric: tabular-nums; }`;

/**
 * @returns A page. Of hits that are known to be right or wrong a border says so, and a word for those who do not see it.
 * @throws UsageError for a picture that would be fetched from elsewhere, or run.
 */
export function contactSheet(title: string, queries: readonly SheetQuery[]): string {
  const rows = queries.map(({ name, picture, hits }) => {
    const query = figure('query', picture, name, '<b>looked for</b>');
    return `<section>\n${[query, ...hits.map(hitFigure)].join('\n')}\n</section>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' data: file:; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
<h1>${escaped(title)}</h1>
${rows.join('\n')}
</html>
`;
}

function hitFigure({ name, picture, score, isRight }: SheetHit, index: number): string {
  const verdict = isRight === undefined ? '' : isRight ? 'right' : 'wrong';
  const words = [`<b>${index + 1}. ${score.toFixed(3)}</b>`, verdict].filter((word) => word !== '').join(', ');
  return figure(verdict, picture, name, words);
}

/** @param words HTML. */
function figure(kind: string, picture: string, name: string, words: string): string {
  const isPicture = /^data:image\/(jpeg|png|webp|gif|avif);base64,[A-Za-z0-9+/=]*$/.test(picture);
  if (!isPicture && (/^[a-z][a-z0-9+.-]*:/i.test(picture) || /^[/\\]{2}/.test(picture)))
    throw new UsageError(
      `contact sheet: the picture of ${name} is ${picture.slice(0, 40)}; give data:image/…;base64 or a relative address`,
    );
  const source = isPicture ? picture : escaped(picture.split('/').map(encodeURIComponent).join('/'));
  return `<figure class="${kind}"><img src="${source}" alt="${escaped(name)}"><figcaption>${words}<br>${escaped(name)}</figcaption></figure>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
