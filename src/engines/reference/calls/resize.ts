/** Sums of the gradient are float64 and rounded to float32 once. */
import type { ResizeCall, ResizeGradientCall, ResizeMode } from '../../calls/resize.js';
import { realView } from '../memory.js';

export function resize(call: ResizeCall): () => void {
  const input = realView(call.name, call.input);
  const output = realView(call.name, call.output);
  return () => {
    forEachPixel(call, (target, sources) => {
      for (let channel = 0; channel < call.channels; channel++) {
        let sum = 0;
        for (const [source, weight] of sources) sum += weight * input[source + channel]!;
        output[target + channel] = sum;
      }
    });
  };
}

export function resizeGradient(call: ResizeGradientCall): () => void {
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  return () => {
    const sums = call.accumulate ? Float64Array.from(inputGradient) : new Float64Array(inputGradient.length);
    forEachPixel(call, (target, sources) => {
      for (let channel = 0; channel < call.channels; channel++) {
        for (const [source, weight] of sources)
          sums[source + channel] = sums[source + channel]! + weight * outputGradient[target + channel]!;
      }
    });
    inputGradient.set(sums);
  };
}

type Weighted = readonly [place: number, weight: number];

/** Calls `work` with the place of each pixel of the output, and the places and weights of the input's pixels that it is made of. */
function forEachPixel(
  call: Omit<ResizeCall, 'input' | 'output'>,
  work: (target: number, sources: readonly Weighted[]) => void,
): void {
  const { images, inputHeight, inputWidth, outputHeight, outputWidth, channels, mode } = call;
  for (let image = 0; image < images; image++) {
    for (let y = 0; y < outputHeight; y++) {
      const rows = sourcesOf(mode, y, inputHeight, outputHeight);
      for (let x = 0; x < outputWidth; x++) {
        const columns = sourcesOf(mode, x, inputWidth, outputWidth);
        const sources = rows.flatMap(([row, a]) =>
          columns.map(([column, b]): Weighted => {
            return [((image * inputHeight + row) * inputWidth + column) * channels, a * b];
          }),
        );
        work(((image * outputHeight + y) * outputWidth + x) * channels, sources);
      }
    }
  }
}

/** What pixel `at` of `to` is made of, along an axis of `from` pixels. */
function sourcesOf(mode: ResizeMode, at: number, from: number, to: number): readonly Weighted[] {
  if (mode === 'nearest') return [[Math.floor((at * from) / to), 1]];
  const place = Math.max(0, ((at + 0.5) * from) / to - 0.5);
  const lower = Math.floor(place);
  const share = place - lower;
  return [
    [lower, 1 - share],
    [Math.min(lower + 1, from - 1), share],
  ];
}
