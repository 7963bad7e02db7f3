/** What a search found as a sheet of pictures: a page that is complete in itself, or one PNG. */
import sharp from 'sharp';
import type { RgbImage } from '../data/image.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { contactSheet } from '../search/contactSheet.js';
import { escaped } from '../tasks/words.js';

export interface SheetRow {
  readonly name: string;
  readonly image: RgbImage;
  /** Without an image where it cannot be shown. */
  readonly hits: readonly { readonly name: string; readonly score: number; readonly image: RgbImage | undefined }[];
}

const side = 144;
const [gap, caption] = [8, 30];
/** Characters of a name that have room below a picture. */
const room = 22;

/** @param path Ends in `.html` or `.png`. */
export async function writeSheet(path: string, title: string, rows: readonly SheetRow[]): Promise<void> {
  await writeNodeFile(path, [/\.png$/i.test(path) ? await asPng(rows) : await asPage(title, rows)]);
}

async function asPage(title: string, rows: readonly SheetRow[]): Promise<Uint8Array> {
  const queries = await Promise.all(
    rows.map(async ({ name, image, hits }) => ({
      name,
      picture: await address(image),
      hits: await Promise.all(
        hits.map(async (hit) => ({ name: hit.name, score: hit.score, picture: await address(hit.image) })),
      ),
    })),
  );
  return new TextEncoder().encode(contactSheet(title, queries));
}

async function address(image: RgbImage | undefined): Promise<string> {
  const bytes = await (await small(image)).jpeg({ quality: 85 }).toBuffer();
  return `data:image/jpeg;base64,${bytes.toString('base64')}`;
}

/** As large as its place; grey where there is no image. */
async function small(image: RgbImage | undefined): Promise<sharp.Sharp> {
  if (image === undefined)
    return sharp({ create: { width: side, height: side, channels: 3, background: { r: 128, g: 128, b: 128 } } });
  const { width, height, data } = image;
  const fitted = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: 'contain', background: 'white' })
    .toBuffer({ resolveWithObject: true });
  return sharp(fitted.data, { raw: { width: side, height: side, channels: fitted.info.channels } });
}

/** A row for each query: its picture, a space, what was found. */
async function asPng(rows: readonly SheetRow[]): Promise<Uint8Array> {
  const columns = 1 + Math.max(...rows.map(({ hits }) => hits.length));
  const [width, height] = [columns * (side + gap) + 2 * gap, rows.length * (side + caption + gap) + gap];
  const left = (column: number) => gap + column * (side + gap) + (column > 0 ? gap : 0);
  const top = (row: number) => gap + row * (side + caption + gap);
  const pictures = await Promise.all(
    rows.flatMap(({ image, hits }, row) =>
      [image, ...hits.map((hit) => hit.image)].map(async (each, column) => ({
        input: await (await small(each)).png().toBuffer(),
        left: left(column),
        top: top(row),
      })),
    ),
  );
  const words = rows.flatMap(({ name, hits }, row) =>
    [{ name, score: undefined }, ...hits].map(({ name: of, score }, column) => {
      const lines = [score === undefined ? 'looked for' : `${column}. ${score.toFixed(3)}`, shortened(of)];
      return lines.map(
        (line, i) => `<text x="${left(column)}" y="${top(row) + side + 12 + 13 * i}">${escaped(line)}</text>`,
      );
    }),
  );
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><g font-family="sans-serif" font-size="11">${words.flat().join('')}</g></svg>`;
  return sharp({ create: { width, height, channels: 3, background: 'white' } })
    .composite([...pictures, { input: Buffer.from(text), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

/** The end of a name says more than its beginning. */
function shortened(name: string): string {
  return name.length <= room ? name : `…${name.slice(1 - room)}`;
}
