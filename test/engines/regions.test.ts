/** Regions of maps and the choice among boxes: torchvision's numbers and lists on every engine, and boxes that are none. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nonMaximumSuppression } from '../../src/engines/calls/nonMaximumSuppression.js';
import { roiAlign } from '../../src/engines/calls/roiAlign.js';
import { EngineError } from '../../src/engines/errors.js';
import type { Engine } from '../../src/engines/kernels.js';
import { createNativeEngine } from '../../src/engines/native/index.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';
import { nativeIsBuilt } from './nativeSupport.js';
import { engines, expectClose, toChannelsFirst, toChannelsLast, Workbench } from './support.js';

const regions = sharedPath('golden', 'dense', 'geom_roialign.safetensors');
const suppression = sharedPath('golden', 'dense', 'geom_nms.safetensors');
const sizes = [
  's4.r0.7x7',
  's4.r0.3x5',
  's4.r2.7x7',
  's4.r2.3x5',
  's8.r0.7x7',
  's8.r0.14x14',
  's8.r2.7x7',
  's8.r2.14x14',
];
const coarse = ['s16.r0.7x7', 's16.r0.3x5', 's16.r2.7x7', 's16.r2.3x5'];

const all = nativeIsBuilt
  ? [...engines, { name: 'native', create: () => createNativeEngine({ threads: 2 }) as Promise<Engine> }]
  : engines;

describe.each(all)('on $name', ({ create }) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await create();
  });
  afterAll(() => engine.dispose());

  it.skipIf(!regions).each([...sizes, ...coarse])(
    'roiAlign gives torchvision’s numbers: %s (needs the shared folder)',
    async (id) => {
      const tensors = readTensors(regions!);
      const [stride, samplingRatio, outputHeight, outputWidth] = /s(\d+)\.r(\d)\.(\d+)x(\d+)/
        .exec(id)!
        .slice(1)
        .map(Number);
      const [x, rois] = [tensors('x'), tensors('rois')];
      const [images, channels, height, width] = x.shape as [number, number, number, number];
      const boxes = rois.shape[0]!;
      const bench = new Workbench(engine);
      const input = bench.real([images, height, width, channels], toChannelsLast(x.values, channels, height * width));
      const output = bench.real([boxes, outputHeight!, outputWidth!, channels]);
      bench.kernels.record(roiAlign, {
        ...{ name: 'regions', images, height, width, channels, boxes },
        ...{ outputHeight: outputHeight!, outputWidth: outputWidth!, samplingRatio: samplingRatio! },
        ...{ spatialScale: 1 / stride!, input, output, regions: bench.real(rois.shape, rois.values) },
      });
      await bench.run();
      const found = toChannelsFirst(await bench.read(output), channels, outputHeight! * outputWidth!);
      expectClose(found, tensors(`out.${id}`).values);
      bench.dispose();
    },
  );

  it('roiAlign gives zeros for boxes that are not there, and for places that are no numbers', async () => {
    const bench = new Workbench(engine);
    const nan = Number.NaN;
    const boxes = [-1, 0, 0, 4, 4, nan, 0, 0, 4, 4, 1, 0, 0, 4, 4, 0, nan, nan, 4, 4, 0, 0, 0, 4, 4];
    const input = bench.real([1, 4, 4, 1], new Array(16).fill(3));
    const output = bench.real([5, 1, 1, 1]);
    const call = { images: 1, height: 4, width: 4, channels: 1, boxes: 5, outputHeight: 1, outputWidth: 1 };
    const more = { spatialScale: 1, samplingRatio: 2, input, output, regions: bench.real([5, 5], boxes) };
    bench.kernels.record(roiAlign, { name: 'regions', ...call, ...more });
    await bench.run();
    expect([...(await bench.read(output))]).toEqual([0, 0, 0, 0, 3]);
    bench.dispose();
  });

  async function kept(
    corners: ArrayLike<number>,
    scores: ArrayLike<number>,
    threshold: number,
    groups?: ArrayLike<number>,
  ): Promise<number[]> {
    const bench = new Workbench(engine);
    const shape = [1, scores.length];
    const output = bench.real(shape);
    bench.kernels.record(nonMaximumSuppression, {
      ...{ name: 'boxes', images: 1, boxes: scores.length, threshold },
      ...{ corners: bench.real([...shape, 4], corners), scores: bench.real(shape, scores) },
      ...(groups ? { groups: bench.real(shape, groups) } : {}),
      ...{ kept: output, left: bench.real(shape) },
    });
    await bench.run();
    const found = [...(await bench.read(output))];
    bench.dispose();
    const end = found.indexOf(-1);
    if (end < 0) return found;
    expect(found.slice(end).every((place) => place === -1)).toBe(true);
    return found.slice(0, end);
  }

  it.skipIf(!suppression).each([0.3, 0.5, 0.7])(
    'nonMaximumSuppression keeps what torchvision keeps, threshold %d (needs the shared folder)',
    async (threshold) => {
      const tensors = readTensors(suppression!);
      const [boxes, scores, groups] = ['boxes', 'scores', 'group'].map((name) => tensors(name).values);
      expect(await kept(boxes!, scores!, threshold)).toEqual([...tensors(`keep.${threshold}`).values]);
      expect(await kept(boxes!, scores!, threshold, groups)).toEqual([...tensors(`keep_batched.${threshold}`).values]);
    },
  );

  it('nonMaximumSuppression takes the first of boxes with one score, and none without a score', async () => {
    const box = [0, 0, 2, 2];
    const other = [10, 10, 12, 12];
    expect(await kept([...box, ...box, ...other], [0.5, 0.5, 0.5], 0.5)).toEqual([0, 2]);
    expect(await kept([...box, ...other, ...other], [Number.NaN, Number.NEGATIVE_INFINITY, -3], 0.5)).toEqual([2]);
    expect(await kept(box, [Number.NaN], 0.5)).toEqual([]);
    // Half of the union is not more than half.
    expect(await kept([0, 0, 2, 2, 0, 0, 1, 2], [1, 0.9], 0.5)).toEqual([0, 1]);
  });

  it('refuses thresholds and scales that mean nothing', () => {
    const bench = new Workbench(engine);
    const tensor = bench.real([1, 4]);
    const boxes = { name: 'boxes', images: 1, boxes: 1, corners: tensor, scores: tensor, kept: tensor, left: tensor };
    expect(() => bench.kernels.record(nonMaximumSuppression, { ...boxes, threshold: 1.5 })).toThrow(
      new EngineError('boxes: threshold is 1.5, expected a number from 0 to 1'),
    );
    const map = { images: 1, height: 1, width: 1, channels: 4, boxes: 1, outputHeight: 1, outputWidth: 1 };
    const regionCall = { name: 'regions', ...map, input: tensor, output: tensor, regions: tensor };
    expect(() => bench.kernels.record(roiAlign, { ...regionCall, spatialScale: 0, samplingRatio: 0 })).toThrow(
      new EngineError('regions: spatialScale is 0, expected a number above 0'),
    );
  });
});
