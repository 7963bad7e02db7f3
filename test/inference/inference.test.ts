/** Running a network: what is compiled is kept and given up again, runs wait for their turn, and observers see each run. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine, Program } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { Inference } from '../../src/inference/inference.js';
import { networkOf } from '../../src/inference/network.js';
import type { Observer } from '../../src/inference/observer.js';
import { resolveConfiguration } from '../../src/models/configurations.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { graphOf } from '../../src/models/registry.js';

const configuration = resolveConfiguration({
  embedDim: [8, 8, 16, 16],
  heads: 4,
  depths: [1, 0, 0, 0, 0],
  strides: [1, 2, 1, 1, 1],
  stemKernel: 3,
  classes: 3,
  timeSteps: 2,
  distillation: true,
});
const network = networkOf({ configuration }, demonstrationParameters(graphOf({ configuration }), 5));

const image = (size: number, seed = 1) => ({
  shape: [1, 3, size, size],
  data: Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(seed * (i + 1))),
});

/** The engine, and how many of its programs live. */
function counting(engine: Engine) {
  const alive = new Set<Program>();
  const record = () => {
    const kernels = engine.record();
    const finish = kernels.finish.bind(kernels);
    kernels.finish = () => {
      const program = finish();
      alive.add(program);
      const dispose = program.dispose.bind(program);
      program.dispose = () => {
        alive.delete(program);
        dispose();
      };
      return program;
    };
    return kernels;
  };
  const { name, threads } = engine;
  return { alive, engine: { name, threads, record, dispose: () => engine.dispose() } };
}

let inference: Inference;
let alive: ReadonlySet<Program>;

beforeEach(async () => {
  const counted = counting(await createReferenceEngine());
  alive = counted.alive;
  inference = new Inference({ name: 'test', network, engine: counted.engine });
});
afterEach(() => inference.dispose());

describe('a network that is run', () => {
  it('answers by the names of its outputs, the first being the mean of both heads', async () => {
    const { outputs } = await inference.run(image(8));
    expect([...outputs.keys()]).toEqual(['logits', 'head', 'head_kd']);
    const [logits, head, second] = [...outputs.values()].map(({ data }) => [...data]) as [number[], number[], number[]];
    expect(logits).toEqual(head.map((value, i) => expect.closeTo((value + second[i]!) / 2, 6)));
  });

  it('is compiled once for a shape, and gives up the shape that was not used for longest', async () => {
    for (const size of [8, 8, 8]) await inference.run(image(size));
    expect(alive.size).toBe(1);
    for (const size of [12, 16, 20]) await inference.run(image(size));
    const [first, second] = alive;
    // Used again, so the second is now the oldest.
    await inference.run(image(8));
    await inference.run(image(24));
    expect(alive.size).toBe(4);
    expect(alive.has(first!)).toBe(true);
    expect(alive.has(second!)).toBe(false);
    await inference.release();
    expect(alive.size).toBe(0);
    await inference.run(image(8));
  });

  it('answers each of many calls for its own input', async () => {
    const alone: (readonly number[])[] = [];
    for (const seed of [1, 2, 3]) alone.push([...(await inference.run(image(8, seed))).outputs.get('head')!.data]);
    expect(new Set(alone.map(String)).size).toBe(3);
    const together = await Promise.all([1, 2, 3].map((seed) => inference.run(image(8, seed))));
    expect(together.map(({ outputs }) => [...outputs.get('head')!.data])).toEqual(alone);
  });

  it('leaves an input that was taken by others as it is, and goes on after a refusal', async () => {
    const data = Float32Array.from({ length: 192 }, (_, i) => Math.cos(i));
    const before = [...data];
    const taken = { shape: [1, 1, 8, 8, 3], data };
    const { outputs } = await inference.runTaken(taken);
    await inference.run(image(8));
    await expect(inference.run(image(8), { inputCurrents: ['nothing'] })).rejects.toThrow(
      /nothing: .* no neuron layer/,
    );
    await inference.run(image(8, 4));
    expect([...data]).toEqual(before);
    expect((await inference.runTaken(taken)).outputs).toEqual(outputs);
  });

  it('gives the mean of every output frame by frame', async () => {
    const frames = [image(8, 1), image(8, 2)];
    const data = Float32Array.from(frames.flatMap((frame) => [...frame.data]));
    const whole = await inference.run({ shape: [2, 1, 3, 8, 8], data });
    await inference.step(frames[0]!);
    const { step, meanOutputs } = await inference.step(frames[1]!);
    expect(step).toBe(2);
    for (const [name, { data: mean }] of meanOutputs)
      expect([...mean]).toEqual([...whole.outputs.get(name)!.data].map((value) => expect.closeTo(value, 5)));
  });
});

describe('an observer', () => {
  it('is told of every value where it is made, and asked after each run that wants it', async () => {
    const seen: string[] = [];
    let runs = 0;
    const observer: Observer<number> = {
      begin: (shape, input) => {
        expect(shape).toEqual([1, 1, 8, 8, 3]);
        expect(input).toBe('input');
        return { observe: (value) => void seen.push(value), read: async () => ++runs };
      },
    };
    const watched = new Inference({ name: 'test', network, engine: await createReferenceEngine(), observer });
    expect((await watched.run(image(8))).observed).toBeUndefined();
    expect(seen).toEqual([]);
    expect((await watched.run(image(8), { observed: true })).observed).toBe(1);
    expect((await watched.run(image(8), { observed: true })).observed).toBe(2);
    // Recorded once, whatever the number of runs.
    expect(seen[0]).toBe('input');
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining([...spikeLayers()]));
    await watched.dispose();
  });
});

function spikeLayers(): readonly string[] {
  return network.graph.nodes.filter(({ operator }) => operator === 'lif').map(({ name }) => name);
}
