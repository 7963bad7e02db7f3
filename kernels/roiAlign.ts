/**
 * Regions of maps, resampled, and the gradient to the maps (`src/engines/calls/roiAlign.ts`). Places are float32 in the order of operations of the definition: whether a
 * sample is taken hangs on their last bit.
 */
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  input = 1,
  regions,
  output,
  images,
  height,
  width,
  channels,
  boxes,
  outputHeight,
  outputWidth,
  spatialScale,
  samplingRatio,
}

enum GradientWord {
  regions = 1,
  outputGradient,
  inputGradient,
  images,
  height,
  width,
  channels,
  boxes,
  outputHeight,
  outputWidth,
  spatialScale,
  samplingRatio,
  accumulate,
}

/** As in `src/engines/calls/roiAlign.ts`. */
const mostSamples: f32 = 256;

/** Where a box begins on the map. */
// @ts-ignore: decorator
@inline
function startOf(from: f32, scale: f32): f32 {
  return from * scale - 0.5;
}

/** The size of a bin. */
// @ts-ignore: decorator
@inline
function binOf(from: f32, to: f32, scale: f32, bins: u32): f32 {
  return (to * scale - 0.5 - startOf(from, scale)) / <f32>bins;
}

/** Samples of a bin along one axis. */
// @ts-ignore: decorator
@inline
function samplesOf(bin: f32, ratio: u32): u32 {
  if (ratio > 0) return ratio;
  const count = ceil<f32>(bin);
  return count > 0 ? <u32>min<f32>(count, mostSamples) : 0;
}

// @ts-ignore: decorator
@inline
function placeOf(start: f32, bin: f32, at: u32, sample: u32, samples: u32): f32 {
  return start + <f32>at * bin + ((<f32>sample + 0.5) * bin) / <f32>samples;
}

// @ts-ignore: decorator
@inline
function isInside(place: f32, size: u32): bool {
  return place >= -1 && place <= <f32>size;
}

/** The pixel before a place that is inside. */
// @ts-ignore: decorator
@inline
function lowerOf(place: f32, size: u32): u32 {
  return place > 0 ? min<u32>(<u32>place, size - 1) : 0;
}

/** The weight of the pixel behind it; on the border there is none. */
// @ts-ignore: decorator
@inline
function shareOf(place: f32, lower: u32, size: u32): f32 {
  return place > 0 && lower < size - 1 ? place - <f32>lower : 0;
}

/** The number of a box's image, or a larger one than there are. */
// @ts-ignore: decorator
@inline
function imageOf(region: usize, images: u32): u32 {
  const image = load<f32>(region);
  // A number that is none of the map's is none of these either; what is no number is nothing.
  return image >= 0 && image < <f32>images && floor<f32>(image) == image ? <u32>image : images;
}

/** Tasks are rows of bins. */
export function roiAlign(instruction: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const height = load<u32>(instruction + Word.height * 4);
  const width = load<u32>(instruction + Word.width * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const ratio = load<u32>(instruction + Word.samplingRatio * 4);
  const scale = load<f32>(instruction + Word.spatialScale * 4);
  const pixelBytes: usize = load<u32>(instruction + Word.channels * 4) * 4;
  const tasks = load<u32>(instruction + Word.boxes * 4) * outputHeight;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const region: usize = load<u32>(instruction + Word.regions * 4) + (task / outputHeight) * 20;
    let output: usize = load<u32>(instruction + Word.output * 4) + task * outputWidth * pixelBytes;
    memory.fill(output, 0, outputWidth * pixelBytes);
    const image = imageOf(region, images);
    if (image == images) continue;
    const input: usize = load<u32>(instruction + Word.input * 4) + image * height * width * pixelBytes;
    const left = startOf(load<f32>(region, 4), scale);
    const top = startOf(load<f32>(region, 8), scale);
    const across = binOf(load<f32>(region, 4), load<f32>(region, 12), scale, outputWidth);
    const down = binOf(load<f32>(region, 8), load<f32>(region, 16), scale, outputHeight);
    const rows = samplesOf(down, ratio);
    const columns = samplesOf(across, ratio);
    const share: f32 = 1 / max<f32>(1, <f32>(rows * columns));
    for (let bin: u32 = 0; bin < outputWidth; bin++) {
      for (let row: u32 = 0; row < rows; row++) {
        const y = placeOf(top, down, task % outputHeight, row, rows);
        if (!isInside(y, height)) continue;
        const upper = lowerOf(y, height);
        const below = shareOf(y, upper, height);
        for (let column: u32 = 0; column < columns; column++) {
          const x = placeOf(left, across, bin, column, columns);
          if (!isInside(x, width)) continue;
          const before = lowerOf(x, width);
          const behind = shareOf(x, before, width);
          // On the border the pixel is its own neighbour, with no weight.
          const rowBytes: usize = upper + 1 < height ? width * pixelBytes : 0;
          const columnBytes: usize = before + 1 < width ? pixelBytes : 0;
          const source = input + (upper * width + before) * pixelBytes;
          addSample(output, source, rowBytes, columnBytes, below, behind, share, pixelBytes);
        }
      }
      output += pixelBytes;
    }
  }
}

function addSample(
  target: usize,
  source: usize,
  rowBytes: usize,
  columnBytes: usize,
  below: f32,
  behind: f32,
  share: f32,
  pixelBytes: usize,
): void {
  const upperLeft = f32x4.splat((1 - below) * (1 - behind) * share);
  const upperRight = f32x4.splat((1 - below) * behind * share);
  const lowerLeft = f32x4.splat(below * (1 - behind) * share);
  const lowerRight = f32x4.splat(below * behind * share);
  for (let at: usize = 0; at < pixelBytes; at += 16) {
    const lanes = <u32>(pixelBytes - at) >>> 2;
    const place = source + at;
    const above = f32x4.add(
      f32x4.mul(upperLeft, loadLanes(place, lanes)),
      f32x4.mul(upperRight, loadLanes(place + columnBytes, lanes)),
    );
    const under = f32x4.add(
      f32x4.mul(lowerLeft, loadLanes(place + rowBytes, lanes)),
      f32x4.mul(lowerRight, loadLanes(place + rowBytes + columnBytes, lanes)),
    );
    storeLanes(target + at, f32x4.add(loadLanes(target + at, lanes), f32x4.add(above, under)), lanes);
  }
}

/** Tasks are cache lines of channels of an image: boxes overlap, and their sums are taken in order. */
export function roiAlignGradient(instruction: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + GradientWord.images * 4);
  const channels = load<u32>(instruction + GradientWord.channels * 4);
  const pixelBytes: usize = channels * 4;
  const pixels: usize = load<u32>(instruction + GradientWord.height * 4) * load<u32>(instruction + GradientWord.width * 4);
  const boxes = load<u32>(instruction + GradientWord.boxes * 4);
  const accumulate = load<u32>(instruction + GradientWord.accumulate * 4) != 0;
  const lines = (channels + 15) >>> 4;
  const tasks = images * lines;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / lines;
    const channel = (task % lines) << 4;
    const bytes: usize = min<u32>(16, channels - channel) * 4;
    const target: usize =
      load<u32>(instruction + GradientWord.inputGradient * 4) + image * pixels * pixelBytes + channel * 4;
    if (!accumulate)
      for (let pixel: usize = 0; pixel < pixels; pixel++) memory.fill(target + pixel * pixelBytes, 0, bytes);
    for (let box: u32 = 0; box < boxes; box++) {
      const region: usize = load<u32>(instruction + GradientWord.regions * 4) + box * 20;
      if (imageOf(region, images) == image) addBox(instruction, region, box, channel * 4, target, pixelBytes, bytes);
    }
  }
}

/** What a box gives to the map, of the channels whose bytes begin at `offset`. */
function addBox(
  instruction: usize,
  region: usize,
  box: u32,
  offset: usize,
  target: usize,
  pixelBytes: usize,
  bytes: usize,
): void {
  const height = load<u32>(instruction + GradientWord.height * 4);
  const width = load<u32>(instruction + GradientWord.width * 4);
  const outputHeight = load<u32>(instruction + GradientWord.outputHeight * 4);
  const outputWidth = load<u32>(instruction + GradientWord.outputWidth * 4);
  const ratio = load<u32>(instruction + GradientWord.samplingRatio * 4);
  const scale = load<f32>(instruction + GradientWord.spatialScale * 4);
  const left = startOf(load<f32>(region, 4), scale);
  const top = startOf(load<f32>(region, 8), scale);
  const across = binOf(load<f32>(region, 4), load<f32>(region, 12), scale, outputWidth);
  const down = binOf(load<f32>(region, 8), load<f32>(region, 16), scale, outputHeight);
  const rows = samplesOf(down, ratio);
  const columns = samplesOf(across, ratio);
  const share: f32 = 1 / max<f32>(1, <f32>(rows * columns));
  let arriving: usize =
    load<u32>(instruction + GradientWord.outputGradient * 4) + box * outputHeight * outputWidth * pixelBytes + offset;
  for (let binY: u32 = 0; binY < outputHeight; binY++) {
    for (let binX: u32 = 0; binX < outputWidth; binX++) {
      for (let row: u32 = 0; row < rows; row++) {
        const y = placeOf(top, down, binY, row, rows);
        if (!isInside(y, height)) continue;
        const upper = lowerOf(y, height);
        const below = shareOf(y, upper, height);
        for (let column: u32 = 0; column < columns; column++) {
          const x = placeOf(left, across, binX, column, columns);
          if (!isInside(x, width)) continue;
          const before = lowerOf(x, width);
          const behind = shareOf(x, before, width);
          const place = target + (upper * width + before) * pixelBytes;
          addWeighted(place, arriving, (1 - below) * (1 - behind) * share, bytes);
          if (behind > 0) addWeighted(place + pixelBytes, arriving, (1 - below) * behind * share, bytes);
          if (below == 0) continue;
          const under = place + width * pixelBytes;
          addWeighted(under, arriving, below * (1 - behind) * share, bytes);
          if (behind > 0) addWeighted(under + pixelBytes, arriving, below * behind * share, bytes);
        }
      }
      arriving += pixelBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function addWeighted(target: usize, source: usize, weight: f32, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) {
    const lanes = <u32>(bytes - at) >>> 2;
    const weighted = f32x4.mul(f32x4.splat(weight), loadLanes(source + at, lanes));
    storeLanes(target + at, f32x4.add(loadLanes(target + at, lanes), weighted), lanes);
  }
}
