/**
 * Samples to RGB bytes by Pillow's rules, where sharp's own are others: CMYK by an integer formula, 16-bit grey clipped. It runs
 * decoders that were set up elsewhere.
 */
import type { Sharp } from 'sharp';
import type { RgbImage } from './image.js';

/** What samples become RGB bytes by which rule. */
export type PixelKind = 'colour' | 'cmyk' | 'grey, clipped' | 'grey, high byte';

/** Runs the decoder and gives RGB bytes. */
export function decodeAs(kind: PixelKind, image: Sharp): Promise<RgbImage> {
  switch (kind) {
    case 'colour':
      return decodeColour(image);
    case 'cmyk':
      return decodeCmyk(image);
    case 'grey, clipped':
      return decodeGrey16(image, (value) => Math.min(value, 255));
    case 'grey, high byte':
      return decodeGrey16(image, (value) => value >> 8);
  }
}

async function decodeColour(image: Sharp): Promise<RgbImage> {
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}

async function decodeCmyk(image: Sharp): Promise<RgbImage> {
  const inCmyk = image.pipelineColourspace('cmyk').toColourspace('cmyk');
  const { data: cmyk, info } = await inCmyk.raw().toBuffer({ resolveWithObject: true });
  const data = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const light = 255 - cmyk[pixel * info.channels + 3]!;
    for (let c = 0; c < 3; c++) data[pixel * 3 + c] = light - timesFraction(cmyk[pixel * info.channels + c]!, light);
  }
  return { width: info.width, height: info.height, data };
}

/** a * b / 255, rounded to the nearest whole number, for bytes a and b. */
function timesFraction(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

async function decodeGrey16(image: Sharp, toByte: (value: number) => number): Promise<RgbImage> {
  const inGrey = image.removeAlpha().pipelineColourspace('grey16').toColourspace('grey16');
  const { data: raw, info } = await inGrey.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const data = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    data.fill(toByte(values[pixel * info.channels]!), pixel * 3, pixel * 3 + 3);
  }
  return { width: info.width, height: info.height, data };
}
