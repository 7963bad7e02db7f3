/**
 * Changes of brightness, contrast, saturation and hue as mmsegmentation's PhotoMetricDistortion makes them. Brightness and contrast have its numbers: float32, cut off to a byte.
 * Saturation and hue are changed in HSV without rounding to OpenCV's 8-bit HSV in between, so that there a byte may be another by a few. Nothing is random here
 * (`drawColour.ts`); other changes of colour, Pillow's, are in `photometric.ts`.
 */
import type { RgbImage } from '../../data/image.js';

/** v + amount. */
export function addBrightness(image: RgbImage, amount: number): RgbImage {
  return linear(image, 1, amount);
}

/** factor · v: around black, not around the mean as Pillow's. */
export function scaleContrast(image: RgbImage, factor: number): RgbImage {
  return linear(image, factor, 0);
}

function linear({ width, height, data }: RgbImage, factor: number, amount: number): RgbImage {
  const [alpha, beta] = [Math.fround(factor), Math.fround(amount)];
  const table = new Uint8Array(256);
  for (let v = 0; v < 256; v++) {
    const value = Math.fround(Math.fround(v * alpha) + beta);
    table[v] = value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
  }
  return { width, height, data: data.map((value) => table[value]!) };
}

/** Saturation of HSV times factor, at most 1; value and hue stay: with V the largest channel, each becomes V − (V − c) · min(factor, 1/S). */
export function scaleSaturation(image: RgbImage, factor: number): RgbImage {
  return eachPixel(image, (red, green, blue, write) => {
    const [highest, lowest] = [Math.max(red, green, blue), Math.min(red, green, blue)];
    const scale = highest === lowest ? 1 : Math.min(factor, highest / (highest - lowest));
    const scaled = (value: number) => highest - (highest - value) * scale;
    write(scaled(red), scaled(green), scaled(blue));
  });
}

/** Hue of HSV, turned by degrees; value and saturation stay. */
export function turnHue(image: RgbImage, degrees: number): RgbImage {
  return eachPixel(image, (red, green, blue, write) => {
    const highest = Math.max(red, green, blue);
    const chroma = highest - Math.min(red, green, blue);
    if (chroma === 0) return write(red, green, blue);
    const sixth = sixthOf(red, green, blue, highest, chroma) + degrees / 60;
    // Of Smith's hexagon ("Color Gamut Transform Pairs", SIGGRAPH 1978): how far each channel is below the largest.
    const channel = (offset: number) => {
      const place = modulo(offset + sixth, 6);
      return highest - chroma * Math.max(0, Math.min(place, 4 - place, 1));
    };
    write(channel(5), channel(3), channel(1));
  });
}

/** The hue in sixths of the circle, from red on. */
function sixthOf(red: number, green: number, blue: number, highest: number, chroma: number): number {
  if (highest === red) return (green - blue) / chroma;
  return highest === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
}

function modulo(value: number, divisor: number): number {
  return value - divisor * Math.floor(value / divisor);
}

type Write = (red: number, green: number, blue: number) => void;

/** Rounds what is written to bytes. */
function eachPixel(
  { width, height, data }: RgbImage,
  change: (red: number, green: number, blue: number, write: Write) => void,
): RgbImage {
  const output = new Uint8ClampedArray(data.length);
  let at = 0;
  const write: Write = (red, green, blue) => {
    output[at] = red;
    output[at + 1] = green;
    output[at + 2] = blue;
  };
  for (; at < data.length; at += 3) change(data[at]!, data[at + 1]!, data[at + 2]!, write);
  return { width, height, data: new Uint8Array(output.buffer) };
}
