/**
 * The contract between calls and engines, in the manner of ggml's test-backend-ops: every call of `engines/calls/` on every engine, at odd sizes. Values of the wasm
 * engine, and of the native engine, are those of the reference engine, their bits do not depend on the number of threads, gradients are the slopes of what they are the gradients of, and nothing is
 * written but what the call says. That the reference engine is right is for `kernels.test.ts` and `trainingKernels.test.ts`, which compare it with others.
 *
 * `SPIKEFORMER_TIME_KERNELS=1` prints how long each kernel takes on each engine, at the sizes of a layer where they can be made.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createNativeEngine } from '../../src/engines/native/index.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { wasmRecorders } from '../../src/engines/wasm/calls.generated.js';
import { declaredWords } from '../../src/engines/wasm/declaredCalls.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { casesOf, kernels, timedCase } from './contract/cases.js';
import { noSlopes, type Slope, slopesOf } from './contract/slopes.js';
import { type CallSpec, type Case, Realised, TensorSpec } from './contract/specs.js';
import { instructionSets, nativeIsBuilt, nativeSuffix } from './nativeSupport.js';
import { expectClose, expectSame, SeededNumbers, Workbench } from './support.js';

/** Sums of fast engines are float32, in another order; of gradients that go through an exponential more is lost. */
const tolerances: Readonly<Record<string, number>> = { leakyIntegrateAndFireGradient: 1e-4 };

/** Kernels that choose: their results are numbers of what is chosen, and no sums. */
const choices: readonly string[] = ['nonMaximumSuppression'];

interface Found {
  readonly title: string;
  /** Tensors that the call writes, spikes as zeros and ones; then its counters. */
  readonly written: readonly { readonly storage: string; readonly values: ArrayLike<number> }[];
}

/** Engines that are compared with the reference engine; the native one on every instruction set of this processor. */
const contestants: Readonly<Record<string, (threads: number) => Promise<Engine>>> = {
  wasm: (threads) => createWasmEngine({ threads }),
  ...Object.fromEntries(
    instructionSets.map((instructionSet) => [
      `native ${instructionSet}`,
      (threads: number) => createNativeEngine({ threads, instructionSet }),
    ]),
  ),
};

let reference: Engine;
/** Of one, two and four threads. */
const threads = new Map<string, readonly Engine[]>();

beforeAll(async () => {
  reference = await createReferenceEngine();
  for (const [name, create] of Object.entries(contestants)) threads.set(name, await Promise.all([1, 2, 4].map(create)));
});

const allEngines = () => [reference, ...[...threads.values()].flat()];

afterAll(async () => {
  for (const engine of allEngines()) await engine.dispose();
});

async function valuesOf(bench: Workbench, spec: TensorSpec, realised: Realised): Promise<ArrayLike<number>> {
  const tensor = realised.tensors.get(spec)!;
  return spec.storage === 'real' ? bench.read(tensor) : bench.readBits(tensor);
}

/** Records all cases of a kernel as one program, runs it, and sees to it that what the calls do not write is as it was. */
async function runCases(engine: Engine, kernel: string, cases: readonly Case[]): Promise<readonly Found[]> {
  const bench = new Workbench(engine);
  const recorded = cases.map(({ title, call }) => {
    const realised = new Realised(bench);
    const named = realised.call(call, title);
    bench.kernels.record(kernels[kernel]!, named);
    return { title, realised, writes: new Set(kernels[kernel]!.writes(named)) };
  });
  await bench.run();
  const found: Found[] = [];
  for (const { title, realised, writes } of recorded) {
    const written: { storage: string; values: ArrayLike<number> }[] = [];
    for (const [spec, tensor] of realised.tensors) {
      const values = await valuesOf(bench, spec, realised);
      if (writes.has(tensor)) written.push({ storage: spec.storage, values });
      else if (spec.values) expectSame(values, spec.values);
    }
    for (const counters of realised.counters.values())
      written.push({ storage: 'counters', values: await bench.counts(counters) });
    found.push({ title, written });
  }
  bench.dispose();
  return found;
}

/** A failure says in which case. */
function inCase(title: string, compare: () => void): void {
  try {
    compare();
  } catch (error) {
    throw new Error(`${title}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

if (!nativeIsBuilt) it.skip(`the native engine gives what the reference engine gives${nativeSuffix}`, () => {});
it.runIf(nativeIsBuilt)('the native engine runs here', () => expect(instructionSets).not.toEqual([]));

describe.each(Object.keys(kernels))('%s', (kernel) => {
  const results = new Map<Engine, readonly Found[]>();

  beforeAll(async () => {
    const cases = casesOf(kernel);
    for (const engine of allEngines()) {
      results.set(engine, await runCases(engine, kernel, cases));
      // Programs run without returning to the event loop, and the test runner waits for signs of life.
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it.each(Object.keys(contestants))('gives on the %s engine what it gives on the reference engine', (name) => {
    for (const [index, { title, written }] of results.get(reference)!.entries()) {
      const found = results.get(threads.get(name)![1]!)![index]!;
      expect(written.length).toBeGreaterThan(0);
      expect(found.written.length).toBe(written.length);
      for (const [part, { storage, values }] of written.entries()) {
        inCase(title, () => {
          if (storage === 'real' && !choices.includes(kernel))
            expectClose(found.written[part]!.values, values, tolerances[kernel] ?? 1e-5);
          else expectSame(found.written[part]!.values, values);
        });
      }
    }
  });

  it.each(Object.keys(contestants))('gives the same bits on the %s engine with one, two and four threads', (name) => {
    const [one, ...more] = threads.get(name)!.map((engine) => results.get(engine)!);
    for (const other of more) {
      for (const [index, { title, written }] of one!.entries()) {
        for (const [part, { values }] of written.entries())
          inCase(title, () => expectSame(other[index]!.written[part]!.values, values));
      }
    }
  });

  // Other geometries multiply, and products are fused where the processor can.
  if (kernel === 'convolutionWeightGradient') {
    it.each(instructionSets)('adds up spikes to the same bits on native %s as on wasm', (instructionSet) => {
      const [wasm, native] = ['wasm', `native ${instructionSet}`].map((name) => results.get(threads.get(name)![1]!)!);
      const isAddedUp = ({ input, geometry }: CallSpec) =>
        (input as TensorSpec).storage === 'spikes' &&
        ['groups', 'strideHeight', 'strideWidth'].every((key) => (geometry as Record<string, number>)[key] === 1);
      const indices = casesOf(kernel).flatMap(({ call }, index) => (isAddedUp(call) ? [index] : []));
      expect(indices.length).toBeGreaterThan(2);
      for (const index of indices) {
        const [weights] = wasm![index]!.written;
        inCase(wasm![index]!.title, () => expectSame(native![index]!.written[0]!.values, weights!.values));
      }
    });
  }

  // Float64, added in one order and never fused: weights are the same whichever engine trains them.
  if (['sumOfSquares', 'adamW', 'crossEntropy'].includes(kernel)) {
    it.each(instructionSets)('gives the same bits on native %s as on wasm', (instructionSet) => {
      const [wasm, native] = ['wasm', `native ${instructionSet}`].map((name) => results.get(threads.get(name)![1]!)!);
      for (const [index, { title, written }] of wasm!.entries()) {
        for (const [part, { values }] of written.entries())
          inCase(title, () => expectSame(native![index]!.written[part]!.values, values));
      }
    });
  }

  if (kernel.endsWith('Gradient') && noSlopes[kernel] === undefined) {
    it('is the slope of the call whose gradient it is', async () => {
      const slopes = slopesOf(kernel);
      expect(slopes.length, 'cases in test/engines/contract/slopes.ts').toBeGreaterThan(0);
      for (const slope of slopes) await expectSlope(slope);
    });
  }
});

/** Elements of each input that are moved by themselves: first and last among them. */
const movedElements = 5;

/** Pairs of what an input may be instead: one element moved, and all of them in a random direction, where none can hide. A spike moves to the other of its two states. */
function movesOf(
  input: TensorSpec,
  step: number,
  numbers: SeededNumbers,
): readonly (readonly [TensorSpec, TensorSpec])[] {
  const { storage, shape, values } = input;
  const { length } = values!;
  const isReal = storage === 'real';
  const places = Array.from({ length: movedElements }, (_, i) => Math.round((i * (length - 1)) / (movedElements - 1)));
  const single = [...new Set(places)].map((place) => {
    const ends = isReal ? [values![place]! - step, values![place]! + step] : [0, 1];
    return [input.with(place, ends[0]!), input.with(place, ends[1]!)] as const;
  });
  const direction = numbers.reals(length, step);
  const towards = (sign: number) => values!.map((value, i) => value + sign * direction[i]!);
  const all = [-1, 1].map((sign) => new TensorSpec(storage, shape, isReal ? towards(sign) : numbers.bits(length, 0.5)));
  return [...single, [all[0]!, all[1]!]];
}

/** Compares what a gradient says of each move with the difference of Σ δy·y, y from the reference engine. */
async function expectSlope({
  title,
  forward,
  outputGradient,
  gradients,
  inputs,
  step,
  tolerance,
}: Slope): Promise<void> {
  const bench = new Workbench(reference);
  const realised = new Realised(bench);
  for (const { kernel, call } of gradients) bench.kernels.record(kernels[kernel]!, realised.call(call, title));
  const numbers = new SeededNumbers(50);
  const moved = inputs.map(({ input }) =>
    movesOf(input, step, numbers).map((ends) => ({
      ends,
      outputs: ends.map((end) => record(bench, realised, forward, input, end)),
    })),
  );
  await bench.run();
  for (const [index, { role, gradient }] of inputs.entries()) {
    const found = await valuesOf(bench, gradient, realised);
    const largest = Math.max(...Array.from(found, Math.abs), 0.1);
    for (const { ends, outputs } of moved[index]!) {
      const [low, high] = [await outputs[0]!(), await outputs[1]!()];
      let difference = 0;
      for (let i = 0; i < low.length; i++) difference += (high[i]! - low[i]!) * outputGradient.values![i]!;
      // A spike's random end may be where it is.
      let [told, scale] = [0, 1e-6];
      for (let i = 0; i < found.length; i++) {
        const distance = ends[1].values![i]! - ends[0].values![i]!;
        told += found[i]! * distance;
        scale = Math.max(scale + Math.abs(found[i]! * distance), largest * Math.abs(distance));
      }
      inCase(`${title}, ${role}`, () => expectClose([told / scale, 1], [difference / scale, 1], tolerance));
    }
  }
  bench.dispose();
}

/** Records the forward call with one input exchanged; returns what reads its output. */
function record(
  bench: Workbench,
  unmoved: Realised,
  { kernel, call, output }: Slope['forward'],
  input: TensorSpec,
  other: TensorSpec,
): () => Promise<ArrayLike<number>> {
  const realised = new Realised(bench);
  // What is only read is there already.
  for (const [spec, tensor] of unmoved.tensors) if (spec.values) realised.tensors.set(spec, tensor);
  bench.kernels.record(kernels[kernel]!, realised.call(exchanged(call, input, other), 'moved'));
  return () => valuesOf(bench, output, realised);
}

function exchanged(call: CallSpec, input: TensorSpec, other: TensorSpec): CallSpec {
  return Object.fromEntries(
    Object.entries(call).map(([key, part]) => {
      if (part === input) return [key, other];
      const isPlain = typeof part === 'object' && part !== null && Object.getPrototypeOf(part) === Object.prototype;
      return [key, isPlain ? exchanged(part as CallSpec, input, other) : part];
    }),
  );
}

describe('a kernel', () => {
  it.each(Object.entries(kernels))('is known by its name: %s', (name, { kernel }) => expect(kernel).toBe(name));

  const folder = fileURLToPath(new URL('../../kernels/', import.meta.url));
  const sources = readdirSync(folder).map((file) => readFileSync(`${folder}${file}`, 'utf8'));
  const declared = Object.values(kernels).filter(
    ({ kernel, declaration }) => declaration !== undefined && !(kernel in wasmRecorders),
  );

  it.each(declared.map(({ kernel }) => kernel))(
    'reads its instruction in the order of its declaration: %s',
    (kernel) => {
      const source = sources.find((text) => text.includes(`export function ${kernel}(`))!;
      const orders = [...source.matchAll(/^enum \w+ \{\n([^}]*)\}/gm)].map(([, members]) =>
        [...members!.matchAll(/^ +(\w+)(?: = (\d+))?,$/gm)].map(([, member, number], index) =>
          number === undefined || Number(number) === index + 1 ? member : `${member} = ${number}`,
        ),
      );
      expect(orders).toContainEqual(declaredWords(kernels[kernel]!.declaration!));
    },
  );
});

describe.runIf(process.env.SPIKEFORMER_TIME_KERNELS)('the time of', () => {
  it.each(Object.keys(kernels))('%s', { timeout: 600_000 }, async (kernel) => {
    const one = timedCase(kernel);
    const times: string[] = [];
    for (const engine of allEngines()) {
      const bench = new Workbench(engine);
      const call = new Realised(bench).call(one.call, one.title);
      // What makes the spikes of the call runs with it; its time is taken off.
      const made = new Workbench(engine);
      new Realised(made).call(one.call, one.title);
      bench.kernels.record(kernels[kernel]!, call);
      await bench.run();
      await made.run();
      const [whole, without] = [await shortest(bench), await shortest(made)];
      times.push(`${engine.name} ×${engine.threads} ${Math.max(0, whole - without).toFixed(3)} ms`);
      bench.dispose();
      made.dispose();
    }
    console.log(`${kernel} (${one.title}): ${times.join(', ')}`);
  });
});

/** Milliseconds, the best of several. */
async function shortest(bench: Workbench): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 300;
  for (let run = 0; run < 5 || performance.now() < end; run++) {
    const start = performance.now();
    await bench.runAgain();
    best = Math.min(best, performance.now() - start);
    if (run >= 200) break;
  }
  return best;
}
