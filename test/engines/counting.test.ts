/** Calls that count, on every engine and on several threads, against loops over every neuron, tap and channel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { channelsByTap, connectionsByTap } from '../../src/energy/neuroBench.js';
import { classesOf, columnsOf, connectionTable, rowsOf, tapsOver } from '../../src/energy/positionClasses.js';
import { windowsAlong } from '../../src/energy/synapticOperations.js';
import { EngineError } from '../../src/engines/errors.js';
import type { ConvolutionGeometry, Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { seededRandom } from '../../src/random.js';
import { Workbench } from './support.js';

const engines: readonly (readonly [string, () => Promise<Engine>])[] = [
  ['reference', () => createReferenceEngine()],
  ['wasm, plain memory', () => createWasmEngine({ threads: 1, sharedMemory: false })],
  ['wasm, 3 threads', () => createWasmEngine({ threads: 3 })],
];

const shapes = [
  { kernel: 7, stride: 1, padding: 3, size: [9, 6], channels: 40, timeSteps: 1 },
  { kernel: 7, stride: 2, padding: 3, size: [18, 17], channels: 3, timeSteps: 2 },
  { kernel: 3, stride: 1, padding: 1, size: [6, 11], channels: 64, timeSteps: 4 },
  { kernel: 3, stride: 2, padding: 1, size: [7, 8], channels: 32, timeSteps: 4 },
  { kernel: 3, stride: 1, padding: 0, size: [5, 5], channels: 129, timeSteps: 1 },
  { kernel: 1, stride: 1, padding: 0, size: [17, 18], channels: 96, timeSteps: 1 },
  { kernel: 1, stride: 2, padding: 0, size: [5, 7], channels: 31, timeSteps: 2 },
  { kernel: 5, stride: 1, padding: 2, size: [2, 1], channels: 70, timeSteps: 1 },
] as const;

/** Neurons of two images at every time step, `[T, B, H, W, C]`. */
const images = 2;

function caseOf({ kernel, stride, padding, size, channels, timeSteps }: (typeof shapes)[number]) {
  const [height, width] = size;
  const outputs = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  const geometry: ConvolutionGeometry = {
    images: timeSteps * images,
    inputHeight: height,
    inputWidth: width,
    inputChannels: channels,
    outputHeight: outputs(height),
    outputWidth: outputs(width),
    outputChannels: channels,
    kernelHeight: kernel,
    kernelWidth: kernel,
    strideHeight: stride,
    strideWidth: stride,
    paddingHeight: padding,
    paddingWidth: padding,
    groups: channels,
  };
  const random = seededRandom(5);
  // Channel 1 has no weight at all, every third channel lacks some.
  const weights = Float32Array.from({ length: channels * kernel * kernel }, (_, i) => {
    const channel = Math.floor(i / (kernel * kernel));
    return channel === 1 || (channel % 3 === 0 && random.uniform() < 0.4) ? 0 : 1;
  });
  const shape = [timeSteps, images, height, width, channels];
  const bits = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Number(random.uniform() < 0.12));
  /** Spikes under the window of an output: of all taps, of those with a weight. */
  const under = (image: number, y: number, x: number, channel: number) => {
    let [all, weighed] = [0, 0];
    for (let ky = 0; ky < kernel; ky++)
      for (let kx = 0; kx < kernel; kx++) {
        const [inputY, inputX] = [y * stride - padding + ky, x * stride - padding + kx];
        if (inputY < 0 || inputY >= height || inputX < 0 || inputX >= width) continue;
        const spike = bits[((image * height + inputY) * width + inputX) * channels + channel]!;
        all += spike;
        weighed += weights[(channel * kernel + ky) * kernel + kx] === 0 ? 0 : spike;
      }
    return { all, weighed };
  };
  const all = new Array<number>(timeSteps).fill(0);
  let weighed = 0;
  const reached: number[] = [];
  for (let image = 0; image < timeSteps * images; image++)
    for (let y = 0; y < geometry.outputHeight; y++)
      for (let x = 0; x < geometry.outputWidth; x++)
        for (let channel = 0; channel < channels; channel++) {
          const pairs = under(image, y, x, channel);
          all[Math.floor(image / images)]! += pairs.all;
          weighed += pairs.weighed;
          reached.push(Number(pairs.weighed > 0));
        }
  return { geometry, weights, shape, bits, expected: { all, weighed, reached } };
}

describe.each(engines)('counting, %s', (_name, create) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await create();
  });
  afterAll(() => engine.dispose());

  it.each(shapes)(
    'sums what spikes reach under $kernel×$kernel, stride $stride, $channels channels, T = $timeSteps',
    async (given) => {
      const { geometry, weights, shape, bits, expected } = caseOf(given);
      const { timeSteps, channels } = given;
      const bench = new Workbench(engine);
      const input = bench.spikes(shape, bits);
      const { counting } = bench.kernels;
      const [rowWindows, columnWindows] = [windowsAlong(rowsOf(geometry)), windowsAlong(columnsOf(geometry))];
      const [rows, columns] = [
        classesOf(geometry.inputHeight, [rowWindows]),
        classesOf(geometry.inputWidth, [columnWindows]),
      ];
      const classes = rows.first.length * columns.first.length;
      const counters = counting.counters(timeSteps * classes);
      counting.countSpikes({
        name: 'count',
        timeSteps,
        images,
        channels,
        input,
        rowClasses: rows.classOf,
        columnClasses: columns.classOf,
        counters,
      });
      const weighed = counting.counters(1);
      const table = connectionTable(geometry, connectionsByTap(geometry, weights, 'existing'));
      const call = { name: 'weigh', images: timeSteps * images, channels, input };
      counting.weighSpikes({ ...call, classes: table.classOf, weights: table.weights, counters: weighed });
      const output = bench.spikeOutput([
        timeSteps * images,
        geometry.outputHeight,
        geometry.outputWidth,
        geometry.outputChannels,
      ]);
      counting.reach({ name: 'reach', geometry, input, output, masks: channelsByTap(geometry, weights) });
      await bench.run();
      for (let run = 0; run < 2; run++) {
        const counts = await bench.counts(counters);
        const perStep = expected.all.map((_, t) =>
          rows.first.reduce(
            (total, y, row) =>
              total +
              columns.first.reduce((sum, x, column) => {
                const count = counts[t * classes + row * columns.first.length + column]!;
                return sum + count * rowWindows[y]! * columnWindows[x]!;
              }, 0),
            0,
          ),
        );
        expect(perStep).toEqual(expected.all);
        expect(await bench.counts(weighed)).toEqual([expected.weighed]);
        // Counters begin at 0 in every run.
        await bench.runAgain();
      }
      expect(await bench.readBits(output)).toEqual(expected.reached);
      bench.dispose();
    },
  );

  it.each([
    { channels: 12, heads: 3, tokens: 5, timeSteps: 1 },
    { channels: 96, heads: 4, tokens: 7, timeSteps: 4 },
    { channels: 130, heads: 2, tokens: 3, timeSteps: 2 },
  ])('sums how often two meet in $heads heads of $channels channels, T = $timeSteps', async (given) => {
    const { channels, heads, tokens, timeSteps } = given;
    const random = seededRandom(8);
    const length = timeSteps * tokens * channels;
    const [a, b] = [0.3, 0.5].map((rate) => Float32Array.from({ length }, () => Number(random.uniform() < rate))) as [
      Float32Array,
      Float32Array,
    ];
    const expected = new Array<number>(timeSteps).fill(0);
    const width = channels / heads;
    for (let i = 0; i < length; i++)
      for (let j = i - (i % width); j < i - (i % width) + width; j++)
        expected[Math.floor(i / (tokens * channels))]! += a[i]! * b[j]!;
    const bench = new Workbench(engine);
    const shape = [timeSteps, 1, tokens, channels];
    const [one, other] = [bench.spikes(shape, a), bench.spikes(shape, b)];
    const counters = bench.kernels.counting.counters(timeSteps);
    bench.kernels.counting.countCoincidences({
      name: 'meet',
      timeSteps,
      tokens,
      channels,
      heads,
      one,
      other,
      counters,
    });
    await bench.run();
    expect(await bench.counts(counters)).toEqual(expected);
    bench.dispose();
  });

  it('marks numbers that are not zero, −0 being zero', async () => {
    const values = Float32Array.from({ length: 6 * 35 }, (_, i) => [0, -0, 1e-40, -3, 7][i % 5]!);
    const bench = new Workbench(engine);
    const [input, output] = [bench.real([2, 3, 35], values), bench.spikeOutput([2, 3, 35])];
    bench.kernels.counting.markNonZero({ name: 'mark', images: 2, positions: 3, channels: 35, input, output });
    await bench.run();
    expect(await bench.readBits(output)).toEqual(Array.from(values, (value) => Number(value !== 0)));
    bench.dispose();
  });

  it('adds up weights whose sums need more than 32 bits', async () => {
    const bench = new Workbench(engine);
    const [height, width, channels] = [40, 40, 32];
    const input = bench.spikes([1, height, width, channels], new Float32Array(height * width * channels).fill(1));
    const counters = bench.kernels.counting.counters(1);
    const weights = new Uint32Array(channels).fill(2 ** 20);
    const classes = new Array<number>(height * width).fill(0);
    bench.kernels.counting.weighSpikes({ name: 'large', images: 1, channels, input, classes, weights, counters });
    await bench.run();
    expect(await bench.counts(counters)).toEqual([height * width * channels * 2 ** 20]);
    bench.dispose();
  });

  it('refuses counters of another recording, and calls that do not fit', async () => {
    const [one, two] = [new Workbench(engine), new Workbench(engine)];
    const input = one.spikes([1, 2, 2, 8], new Float32Array(32));
    const call = { name: 'count', timeSteps: 1, images: 1, channels: 8, input, rowClasses: [0, 0] };
    const { counting } = one.kernels;
    const fits = { ...call, columnClasses: [0, 1] };
    expect(() => counting.countSpikes({ ...fits, counters: counting.counters(1) })).toThrow(EngineError);
    expect(() => counting.countSpikes({ ...fits, columnClasses: [0], counters: counting.counters(1) })).toThrow(
      /count/,
    );
    const foreign = two.kernels.counting.counters(2);
    expect(() => counting.countSpikes({ ...fits, counters: foreign })).toThrow(EngineError);
    await one.run();
    await expect(one.counts(foreign)).rejects.toThrow(EngineError);
    one.dispose();
  });
});

describe('classes of pixels', () => {
  it('are told apart by the taps over them, which are those of the windows', () => {
    const axis = { input: 9, output: 5, kernel: 3, stride: 2, padding: 1 };
    expect(tapsOver(axis)).toEqual([[1], [2, 0], [1], [2, 0], [1], [2, 0], [1], [2, 0], [1]]);
    expect(windowsAlong(axis)).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 1]);
    expect(classesOf(9, [tapsOver(axis)])).toEqual({ classOf: [0, 1, 0, 1, 0, 1, 0, 1, 0], first: [0, 1] });
    // A stride beyond the kernel leaves pixels that no window sees.
    expect(tapsOver({ input: 5, output: 2, kernel: 1, stride: 3, padding: 0 })).toEqual([[0], [], [], [0], []]);
  });
});
