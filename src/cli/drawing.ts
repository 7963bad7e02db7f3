/** A folder of answers as pictures: an SVG or PNG file for each sample, such as its image with the answers laid over. */
import { mkdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import sharp from 'sharp';
import type { RgbImage } from '../data/image.js';
import { UsageError } from '../errors.js';
import { writeNodeFile } from '../interop/nodeFile.js';

/** In pixels: of pictures beside each other, the space between them and above, and the width from which on a caption has room. */
const gap = 4;
const captionHeight = 20;
const leastSide = 200;

export class Drawings {
  readonly #folder: string;
  readonly #written = new Set<string>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws UsageError when the folder cannot be made. */
  static async in(folder: string): Promise<Drawings> {
    await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
      throw new UsageError(`--draw ${folder}: cannot be made (${cause.code}); give another folder`, { cause });
    });
    return new Drawings(folder);
  }

  /**
   * @param sample As a person named it: the file is called so.
   * @param content SVG, or the bytes of a PNG file.
   */
  async write(sample: string, content: string | Uint8Array): Promise<void> {
    const [ending, bytes] = typeof content === 'string' ? ['svg', new TextEncoder().encode(content)] : ['png', content];
    await writeNodeFile(join(this.#folder, this.#nameFor(sample, ending)), [bytes]);
  }

  /** Images of one name are told apart by numbers. */
  #nameFor(sample: string, ending: string): string {
    const name = basename(sample, extname(sample)).replace(/[^\p{L}\p{N}._ -]/gu, '_');
    const stem = name === '-' || name === '' ? 'standard-input' : name;
    let file = `${stem}.${ending}`;
    for (let turn = 2; this.#written.has(file); turn++) file = `${stem}-${turn}.${ending}`;
    this.#written.add(file);
    return file;
  }
}

/**
 * An image with answers over it; the file holds the image's own pixels.
 *
 * @param elements SVG in the image's pixels.
 */
export async function overImage({ width, height, data }: RgbImage, elements: string): Promise<string> {
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const picture = `<image width="${width}" height="${height}" href="data:image/png;base64,${png.toString('base64')}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">${picture}${elements}</svg>\n`;
}

/** The same as the bytes of a PNG file, of the image's own size. */
export async function pixelsOver({ width, height, data }: RgbImage, elements: string): Promise<Uint8Array> {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const overlay = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${elements}</svg>`);
  // Runs of a large mask are more text than the parser takes by itself; it is ours.
  const laid = await sharp(overlay, { unlimited: true }).png().toBuffer();
  return sharp(data, { raw: { width, height, channels: 3 } })
    .composite([{ input: laid }])
    .png()
    .toBuffer();
}

/** An image several times, each with other answers over it and a caption above: the bytes of a PNG file. Small images are enlarged. */
export async function sideBySide(
  picture: RgbImage,
  sides: readonly { readonly elements: string; readonly caption: string }[],
): Promise<Uint8Array> {
  const scale = Math.max(1, Math.ceil(leastSide / picture.width));
  const [width, height] = [picture.width * scale, picture.height * scale];
  const parts = await Promise.all(
    sides.map(async ({ elements }, i) => {
      const drawn = await sharp(await pixelsOver(picture, elements))
        .resize(width, height, { kernel: 'nearest' })
        .toBuffer();
      return { input: drawn, left: i * (width + gap), top: captionHeight };
    }),
  );
  const captions = sides.map(
    ({ caption }, i) => `<text x="${i * (width + gap) + 2}" y="${captionHeight - 6}">${caption}</text>`,
  );
  const size = { width: sides.length * (width + gap) - gap, height: height + captionHeight };
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${captionHeight}"><g font-family="sans-serif" font-size="13">${captions.join('')}</g></svg>`;
  return sharp({ create: { ...size, channels: 3, background: 'white' } })
    .composite([...parts, { input: Buffer.from(text), left: 0, top: 0 }])
    .png()
    .toBuffer();
}
