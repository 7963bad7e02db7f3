/** Regions cut out of the maps of a pyramid and resampled to one size, by the engine's RoIAlign (`engines/calls/roiAlign.ts`), at every time step for itself. */
import { roiAlign } from '../engines/calls/roiAlign.js';
import { byteLengthOf, type Engine, type Kernels, type Tensor } from '../engines/kernels.js';
import type { Shape } from '../graph/shape.js';
import type { RegionMap, RegionRequest } from '../models/later.js';
import { realToChannelsFirst, toChannelsLast } from '../runtime/layout.js';
import type { FieldTensor } from './types.js';

/** @returns `[T, N, C, cells, cells]`; N is at least 1. */
export async function cutRegions(engine: Engine, request: RegionRequest): Promise<FieldTensor> {
  const { maps, regions, levels, cells } = request;
  const count = regions.length / 5;
  const [timeSteps, , channels] = maps[0]!.map.shape as [number, number, number];
  const length = channels * cells * cells;
  const result = new Float32Array(timeSteps * count * length);
  for (const [level, map] of maps.entries()) {
    const own = Array.from({ length: count }, (_, i) => i).filter((i) => levels[i] === level);
    if (own.length === 0) continue;
    const rows = own.map((i) => regions.subarray(5 * i, 5 * i + 5));
    const cut = await cutFromMap(engine, map, rows, cells);
    for (let step = 0; step < timeSteps; step++)
      for (const [place, region] of own.entries()) {
        const from = (step * own.length + place) * length;
        result.set(cut.subarray(from, from + length), (step * count + region) * length);
      }
  }
  return { shape: [timeSteps, count, channels, cells, cells], data: result };
}

/** @returns `[T, rows, C, cells, cells]` */
async function cutFromMap(
  engine: Engine,
  { map, stride }: RegionMap,
  rows: readonly Float32Array[],
  cells: number,
): Promise<Float32Array> {
  const [timeSteps, batch, channels, height, width] = map.shape as [number, number, number, number, number];
  const [images, boxes] = [timeSteps * batch, timeSteps * rows.length];
  const kernels = engine.record();
  const input = realTensor(kernels, [images, height, width, channels]);
  const regions = realTensor(kernels, [boxes, 5]);
  const output = realTensor(kernels, [boxes, cells, cells, channels]);
  const sizes = { images, height, width, channels, boxes, outputHeight: cells, outputWidth: cells };
  const settings = { spatialScale: 1 / stride, samplingRatio: 0 };
  kernels.record(roiAlign, { name: 'regions', ...sizes, ...settings, input, regions, output });
  const program = kernels.finish();
  try {
    await program.write(input, toChannelsLast(map.data, images, channels, height * width));
    await program.write(regions, atEveryStep(rows, timeSteps, batch));
    await program.run();
    const found = await program.read(output);
    return realToChannelsFirst(found, [timeSteps, rows.length, cells, cells, channels], timeSteps).data;
  } finally {
    program.dispose();
  }
}

/** The images of a step are numbered behind those of the step before. */
function atEveryStep(rows: readonly Float32Array[], timeSteps: number, batch: number): Float32Array {
  const result = new Float32Array(timeSteps * rows.length * 5);
  for (let step = 0; step < timeSteps; step++)
    for (const [place, row] of rows.entries()) {
      const at = 5 * (step * rows.length + place);
      result.set(row, at);
      result[at] = step * batch + row[0]!;
    }
  return result;
}

function realTensor(kernels: Kernels, shape: Shape): Tensor {
  return { shape, storage: 'real', block: kernels.allocate(byteLengthOf(shape, 'real')), byteOffset: 0 };
}
