/** Pictures made for tests. */
import sharp from 'sharp';

/** A PNG whose pixel (x, y) is grey of this byte. */
export function greyPng(width: number, height: number, value: (x: number, y: number) => number): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % width, Math.floor(pixel / width));
  });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
