/**
 * Kernels of integrate-and-fire neurons, rectified linear units and attention on real numbers, on every engine: against spikingjelly's neurons, against
 * definitions written out here, and gradients against finite differences of those.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionProduct, attentionProductGradient } from '../../src/engines/calls/attentionProduct.js';
import { integrateAndFire, integrateAndFireGradient } from '../../src/engines/calls/integrateAndFire.js';
import type { Surrogate } from '../../src/engines/calls/leakyIntegrateAndFire.js';
import { relu, reluGradient } from '../../src/engines/calls/relu.js';
import type { Engine } from '../../src/engines/kernels.js';
import { integrateAndFireDynamics } from '../../src/engines/neuronDynamics.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { readFixtureJson, readFixtureTensors } from '../support/safetensors.js';
import { engines, expectClose, expectSame, SeededNumbers, TrainingWorkbench, Workbench } from './support.js';

interface NeuronCase {
  readonly id: string;
  readonly T: number;
  readonly threshold: number;
  readonly detach_reset: boolean;
}

const golden = readFixtureTensors('integrateAndFire.safetensors');
const cases = (readFixtureJson('integrateAndFire.json') as { cases: NeuronCase[] }).cases;
/** The surrogate of the cases, `atan2`. */
const arctangent: Surrogate = { kind: 'arctangent', alpha: 2 };
const [positions, channels] = [3, 16];
const numbersOf = (name: string) => Float64Array.from(golden(name).values);

describe('one step of integrate-and-fire', () => {
  it.each(cases)('has spikingjelly’s membranes before and after it ($id)', ({ id, T, threshold }) => {
    const dynamics = integrateAndFireDynamics({ threshold });
    const x = numbersOf('x.T4');
    const neurons = x.length / T;
    const [h, v, s] = ['h', 'v', 's'].map((name) => numbersOf(`${id}.${name}`)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    for (let neuron = 0; neuron < neurons; neuron++) {
      let state = 0;
      for (let t = 0; t < T; t++) {
        const at = t * neurons + neuron;
        const charged = dynamics.charge(state, x[at]!);
        state = dynamics.after(charged);
        expect([charged, dynamics.output(charged), state]).toEqual([h[at], s[at], v[at]]);
      }
    }
  });
});

describe.each(engines)('on the $name engine', ({ create }) => {
  let engine: Engine & TrainingEngine;
  beforeAll(async () => {
    engine = (await create()) as Engine & TrainingEngine;
  });
  afterAll(() => engine.dispose());

  it.each(cases)('integrate-and-fire neurons have spikingjelly’s spikes and gradients ($id)', async (neuron) => {
    const { id, T: timeSteps, threshold, detach_reset: detachReset } = neuron;
    const bench = new TrainingWorkbench(engine);
    const shape = [timeSteps, positions, channels];
    const sizes = { name: 'if', timeSteps, positions, channels, threshold };
    const input = bench.real(shape, numbersOf('x.T4'));
    const output = bench.spikeOutput(shape);
    const inputGradient = bench.real(shape);
    const added = bench.real(shape, new Float32Array(timeSteps * positions * channels).fill(2));
    const gradient = { ...sizes, input, outputGradient: bench.real(shape, numbersOf('w.T4')), detachReset };
    bench.kernels.record(integrateAndFire, { ...sizes, input, inputTimeSteps: timeSteps, output });
    const call = { ...gradient, surrogate: arctangent };
    bench.kernels.record(integrateAndFireGradient, { ...call, inputGradient, accumulate: false });
    bench.kernels.record(integrateAndFireGradient, { ...call, inputGradient: added, accumulate: true });
    await bench.run();
    expectSame(await bench.readBits(output), numbersOf(`${id}.s`));
    const expected = numbersOf(`${id}.grad_x`);
    expectClose(await bench.read(inputGradient), expected, 2e-6);
    expectClose(
      await bench.read(added),
      expected.map((value) => value + 2),
      2e-6,
    );
    bench.dispose();
  });

  it.each([1, 3, 4, 17, 31, 32, 70])(
    'integrate-and-fire neurons of %i channels keep membranes between runs',
    async (width) => {
      const numbers = new SeededNumbers(width);
      const [steps, places, threshold] = [5, 7, 1.5];
      const x = Float32Array.from({ length: steps * places * width }, () => 3 * numbers.uniform() - 1.3);
      const bench = new Workbench(engine);
      const sizes = { name: 'if', positions: places, channels: width, threshold };
      const whole = bench.spikeOutput([steps, places, width]);
      const input = bench.real([steps, places, width], x);
      bench.kernels.record(integrateAndFire, {
        ...sizes,
        timeSteps: steps,
        inputTimeSteps: steps,
        input,
        output: whole,
      });
      const membrane = bench.real([1, places, width], new Float32Array(places * width));
      const outputs = Array.from({ length: steps }, (_, t) => {
        const output = bench.spikeOutput([1, places, width]);
        const frame = bench.real([1, places, width], x.subarray(t * places * width, (t + 1) * places * width));
        bench.kernels.record(integrateAndFire, {
          ...sizes,
          timeSteps: 1,
          inputTimeSteps: 1,
          input: frame,
          output,
          membrane,
        });
        return output;
      });
      await bench.run();
      const byStep: number[] = [];
      for (const output of outputs) byStep.push(...(await bench.readBits(output)));
      const expected: number[] = [];
      for (let t = 0; t < steps; t++)
        for (let neuron = 0; neuron < places * width; neuron++) {
          let v = 0;
          let fired = 0;
          for (let before = 0; before <= t; before++) {
            v = Math.fround(v + x[before * places * width + neuron]!);
            fired = v >= threshold ? 1 : 0;
            if (fired) v = 0;
          }
          expected.push(fired);
        }
      expectSame(byStep, expected);
      expectSame(await bench.readBits(whole), expected);
      bench.dispose();
    },
  );

  it.each([1, 4, 50, 1003])('%i rectified linear units pass what is above 0, and its gradient', async (elements) => {
    const numbers = new SeededNumbers(elements);
    const x = Float32Array.from({ length: elements }, (_, i) => (i % 7 === 3 ? 0 : 3 * numbers.uniform() - 1.3));
    const y = Float32Array.from({ length: elements }, () => 3 * numbers.uniform() - 1.3);
    const bench = new TrainingWorkbench(engine);
    const input = bench.real([elements], x);
    const [output, gradient] = [bench.real([elements]), bench.real([elements])];
    const added = bench.real([elements], y);
    const outputGradient = bench.real([elements], y);
    bench.kernels.record(relu, { name: 'relu', elements, input, output });
    bench.kernels.record(reluGradient, {
      name: 'relu',
      elements,
      input,
      outputGradient,
      inputGradient: gradient,
      accumulate: false,
    });
    bench.kernels.record(reluGradient, {
      name: 'relu',
      elements,
      input,
      outputGradient,
      inputGradient: added,
      accumulate: true,
    });
    await bench.run();
    expectSame(
      await bench.read(output),
      x.map((value) => (value > 0 ? value : 0)),
    );
    expectSame(
      await bench.read(gradient),
      y.map((value, i) => (x[i]! > 0 ? value : 0)),
    );
    expectSame(
      await bench.read(added),
      y.map((value, i) => (x[i]! > 0 ? value + value : value)),
    );
    bench.dispose();
  });

  it('leaves what is no number visible behind a rectified linear unit', async () => {
    const bench = new Workbench(engine);
    const output = bench.real([5]);
    bench.kernels.record(relu, {
      name: 'relu',
      elements: 5,
      input: bench.real([5], [Number.NaN, -1, -0, 2, Infinity]),
      output,
    });
    await bench.run();
    expect([...(await bench.read(output))]).toEqual([Number.NaN, 0, 0, 2, Infinity]);
    bench.dispose();
  });

  const sizes = [
    { images: 2, tokens: 9, channels: 12, heads: 3 },
    { images: 1, tokens: 5, channels: 38, heads: 2 },
    { images: 3, tokens: 1, channels: 5, heads: 1 },
    { images: 1, tokens: 16, channels: 64, heads: 2 },
  ];
  it.each(sizes)(
    'attention on numbers: $images images, $tokens tokens, $channels channels, $heads heads',
    async (data) => {
      const numbers = new SeededNumbers(data.channels);
      const { images, tokens, channels: width } = data;
      const count = images * tokens * width;
      const draw = () => Float32Array.from({ length: count }, () => 3 * numbers.uniform() - 1.3);
      const [q, k, v, g] = [draw(), draw(), draw(), draw()];
      const scale = 0.125;
      const bench = new TrainingWorkbench(engine);
      const shape = [images, tokens, width];
      const [query, key, value] = [q, k, v].map((values) => bench.real(shape, values)) as [never, never, never];
      const output = bench.real(shape);
      const gradients = [bench.real(shape), bench.real(shape), bench.real(shape)] as const;
      bench.kernels.record(attentionProduct, { name: 'attention', ...data, scale, query, key, value, output });
      bench.kernels.record(attentionProductGradient, {
        name: 'attention',
        ...data,
        scale,
        query,
        key,
        value,
        outputGradient: bench.real(shape, g),
        queryGradient: gradients[0],
        keyGradient: gradients[1],
        valueGradient: gradients[2],
      });
      await bench.run();
      expectClose(await bench.read(output), attended(data, scale, q, k, v), 1e-5);
      // Σ g · output is linear in each of the three, so differences of any size are exact.
      const sum = (a: ArrayLike<number>, b: ArrayLike<number>, c: ArrayLike<number>) =>
        attended(data, scale, a, b, c).reduce((total, one, i) => total + one * g[i]!, 0);
      const found = [];
      for (const gradient of gradients) found.push(await bench.read(gradient));
      for (let sample = 0; sample < 12; sample++) {
        const at = numbers.whole(0, count - 1);
        const moved = (values: Float32Array, by: number) =>
          Float64Array.from(values, (x, i) => (i === at ? x + by : x));
        const expected = [
          (sum(moved(q, 1), k, v) - sum(moved(q, -1), k, v)) / 2,
          (sum(q, moved(k, 1), v) - sum(q, moved(k, -1), v)) / 2,
          (sum(q, k, moved(v, 1)) - sum(q, k, moved(v, -1))) / 2,
        ];
        expectClose(
          found.map((values) => values[at]!),
          expected,
          1e-4,
        );
      }
      bench.dispose();
    },
  );
});

/** scale · Q (Kᵀ V) by head, summed the other way round: (Q Kᵀ) V. */
function attended(
  { images, tokens, channels: width, heads }: { images: number; tokens: number; channels: number; heads: number },
  scale: number,
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
): Float64Array {
  const own = width / heads;
  const result = new Float64Array(q.length);
  for (let image = 0; image < images; image++)
    for (let head = 0; head < heads; head++)
      for (let row = 0; row < tokens; row++)
        for (let other = 0; other < tokens; other++) {
          const place = (token: number) => (image * tokens + token) * width + head * own;
          let likeness = 0;
          for (let c = 0; c < own; c++) likeness += q[place(row) + c]! * k[place(other) + c]!;
          for (let c = 0; c < own; c++) result[place(row) + c]! += scale * likeness * v[place(other) + c]!;
        }
  return result;
}
