/** Places are float32, since whether a sample is taken hangs on them; sums are float64 and rounded to float32 once. */
import { mostSamples, type RoiAlignCall, type RoiAlignGradientCall } from '../../calls/roiAlign.js';
import { realView } from '../memory.js';

export function roiAlign(call: RoiAlignCall): () => void {
  const { name, channels } = call;
  const [input, regions, output] = [
    realView(name, call.input),
    realView(name, call.regions),
    realView(name, call.output),
  ];
  return () => {
    forEachBin(call, regions, (target, samples) => {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (const [source, weight] of samples) sum += weight * input[source + channel]!;
        output[target + channel] = sum;
      }
    });
  };
}

export function roiAlignGradient(call: RoiAlignGradientCall): () => void {
  const { name, channels } = call;
  const regions = realView(name, call.regions);
  const [outputGradient, inputGradient] = [realView(name, call.outputGradient), realView(name, call.inputGradient)];
  return () => {
    const sums = call.accumulate ? Float64Array.from(inputGradient) : new Float64Array(inputGradient.length);
    forEachBin(call, regions, (target, samples) => {
      for (let channel = 0; channel < channels; channel++) {
        for (const [source, weight] of samples)
          sums[source + channel] = sums[source + channel]! + weight * outputGradient[target + channel]!;
      }
    });
    inputGradient.set(sums);
  };
}

type Weighted = readonly [place: number, weight: number];

/** Calls `work` with the place of each bin in the output, and the places and weights of the pixels that it is made of. */
function forEachBin(
  call: Omit<RoiAlignCall, 'input' | 'output'>,
  regions: Float32Array,
  work: (target: number, samples: readonly Weighted[]) => void,
): void {
  const { images, height, width, channels, boxes, outputHeight, outputWidth, spatialScale, samplingRatio } = call;
  const scale = Math.fround(spatialScale);
  for (let box = 0; box < boxes; box++) {
    const [image, x1, y1, x2, y2] = regions.subarray(5 * box, 5 * box + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    const isThere = Number.isInteger(image) && image >= 0 && image < images;
    for (let y = 0; y < outputHeight; y++) {
      const rows = isThere ? samplesOf(y, [y1, y2], scale, outputHeight, samplingRatio, height) : [];
      for (let x = 0; x < outputWidth; x++) {
        const columns = isThere ? samplesOf(x, [x1, x2], scale, outputWidth, samplingRatio, width) : [];
        const share = 1 / Math.max(1, rows.length * columns.length);
        const samples = rows.flat().flatMap(([row, a]) =>
          columns.flat().map(([column, b]): Weighted => {
            return [((image * height + row) * width + column) * channels, share * a * b];
          }),
        );
        work(((box * outputHeight + y) * outputWidth + x) * channels, samples);
      }
    }
  }
}

/** Along one axis: the pixels of every sample of a bin and their weights; none of a sample that lies outside. */
function samplesOf(
  bin: number,
  [start, end]: readonly [number, number],
  scale: number,
  bins: number,
  samplingRatio: number,
  size: number,
): readonly (readonly Weighted[])[] {
  const { fround } = Math;
  const first = fround(fround(start * scale) - 0.5);
  const extent = fround(fround(fround(end * scale) - 0.5) - first);
  const binSize = fround(extent / bins);
  const count = samplingRatio > 0 ? samplingRatio : Math.min(mostSamples, Math.max(0, Math.ceil(binSize)));
  return Array.from({ length: Number.isNaN(count) ? 0 : count }, (_, part) => {
    const within = fround(fround((part + 0.5) * binSize) / count);
    const place = fround(fround(first + fround(bin * binSize)) + within);
    if (!(place >= -1 && place <= size)) return [];
    const lower = Math.min(size - 1, Math.floor(Math.max(0, place)));
    if (lower === size - 1) return [[lower, 1]];
    const share = fround(Math.max(0, place) - lower);
    return [
      [lower, 1 - share],
      [lower + 1, share],
    ];
  });
}
