/** What the pictures of the page share: colours of the theme as numbers, spikes out of packed words, and images without smoothing. */

export type Colour = readonly [red: number, green: number, blue: number];

/** A custom property of the page as a colour; the style sheet writes them as `#rrggbb`. */
export function themeColour(property: string): Colour {
  const text = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
  const value = Number.parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Whether a neuron fires; positions are of all time steps, channels last. Here as in the library, so that the page need not load the library for it. */
export function fires(words: Uint32Array, channels: number, position: number, channel: number): boolean {
  const perPosition = Math.ceil(channels / 32);
  return ((words[position * perPosition + (channel >>> 5)]! >>> (channel & 31)) & 1) === 1;
}

/** Draws pixels as squares of `scale` device pixels with their corner at (x, y). */
export function drawPixels(
  context: CanvasRenderingContext2D,
  pixels: ImageData,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
  scratch: HTMLCanvasElement,
): void {
  const source = scratch.getContext('2d')!;
  resized(source, pixels.width, pixels.height);
  source.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, x, y, width, height);
}

/** From `a` (0) to `b` (1). */
export function between(a: Colour, b: Colour, share: number): Colour {
  return [0, 1, 2].map((i) => Math.round(a[i]! + (b[i]! - a[i]!) * share)) as unknown as Colour;
}

/**
 * Pictures that wait to be drawn, by canvas: a newer one takes the place of an older. Each is drawn in a task of its own, so that a click between
 * two of them need not wait for all.
 */
const waiting = new Map<HTMLCanvasElement, (context: CanvasRenderingContext2D) => void>();
const turn = new MessageChannel();
turn.port1.onmessage = () => {
  const next = waiting.entries().next();
  if (next.done) return;
  const [canvas, draw] = next.value;
  waiting.delete(canvas);
  if (waiting.size > 0) turn.port2.postMessage(null);
  const context = canvas.isConnected ? canvas.getContext('2d') : null;
  if (context) draw(context);
};

/** Draws soon, unless something newer is to be drawn there before. */
export function drawSoon(canvas: HTMLCanvasElement | null, draw: (context: CanvasRenderingContext2D) => void): void {
  if (!canvas) return;
  if (waiting.size === 0) turn.port2.postMessage(null);
  waiting.set(canvas, draw);
}

/** Gives a canvas its size, which empties it; one that has it already is not laid out again. */
export function resized({ canvas }: CanvasRenderingContext2D, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
