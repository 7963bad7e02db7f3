/** A folder of answers as pictures: an SVG file for each sample, such as its image with the answers laid over. */
import { mkdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import sharp from 'sharp';
import type { RgbImage } from '../data/image.js';
import { UsageError } from '../errors.js';
import { writeNodeFile } from '../interop/nodeFile.js';

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

  /** @param sample As a person named it: the file is called so. */
  async write(sample: string, svg: string): Promise<void> {
    await writeNodeFile(join(this.#folder, this.#nameFor(sample)), [new TextEncoder().encode(svg)]);
  }

  /** Images of one name are told apart by numbers. */
  #nameFor(sample: string): string {
    const name = basename(sample, extname(sample)).replace(/[^\p{L}\p{N}._ -]/gu, '_');
    const stem = name === '-' || name === '' ? 'standard-input' : name;
    let file = `${stem}.svg`;
    for (let turn = 2; this.#written.has(file); turn++) file = `${stem}-${turn}.svg`;
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
