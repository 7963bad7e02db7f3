/** Sums of the gradient are float64 and rounded to float32 once. */
import { type MaxPoolCall, type MaxPoolGradientCall, pooledSize } from '../../calls/maxPool.js';
import { realView } from '../memory.js';

export function maxPool(call: MaxPoolCall): () => void {
  const input = realView(call.name, call.input);
  const output = realView(call.name, call.output);
  return () => {
    forEachMaximum(call, input, (target, source) => {
      output[target] = input[source]!;
    });
  };
}

export function maxPoolGradient(call: MaxPoolGradientCall): () => void {
  const input = realView(call.name, call.input);
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  return () => {
    const sums = call.accumulate ? Float64Array.from(inputGradient) : new Float64Array(inputGradient.length);
    forEachMaximum(call, input, (target, source) => {
      sums[source] = sums[source]! + outputGradient[target]!;
    });
    inputGradient.set(sums);
  };
}

/** Calls `work` with the place of each result, and that of the first of the largest numbers of its window. */
function forEachMaximum(
  call: Omit<MaxPoolCall, 'output'>,
  input: Float32Array,
  work: (target: number, source: number) => void,
): void {
  const { images, inputHeight, inputWidth, channels } = call;
  const [height, width] = [pooledSize(inputHeight, call), pooledSize(inputWidth, call)];
  for (let image = 0; image < images; image++) {
    for (let y = 0; y < height; y++) {
      const rows = windowOf(call, y, inputHeight);
      for (let x = 0; x < width; x++) {
        const columns = windowOf(call, x, inputWidth);
        for (let channel = 0; channel < channels; channel++) {
          const places = rows.flatMap((row) =>
            columns.map((column) => ((image * inputHeight + row) * inputWidth + column) * channels + channel),
          );
          const largest = places.reduce((best, place) => {
            return input[place]! > input[best]! || Number.isNaN(input[place]!) ? place : best;
          });
          work(((image * height + y) * width + x) * channels + channel, largest);
        }
      }
    }
  }
}

function windowOf(
  { kernel, stride, padding }: Pick<MaxPoolCall, 'kernel' | 'stride' | 'padding'>,
  at: number,
  size: number,
): readonly number[] {
  return Array.from({ length: kernel }, (_, tap) => at * stride - padding + tap).filter(
    (place) => place >= 0 && place < size,
  );
}
