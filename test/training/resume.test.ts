/** Stopping and going on: at every place where a run can be told to stop, under other settings, on other data, beside another run. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnyDataset } from '../../src/data/datasets/dataset.js';
import { openCheckpointFile, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import { ownIdentity } from '../../src/interop/processIdentity.js';
import { temporaryNameFor } from '../../src/interop/temporaryFiles.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { MetricsLog } from '../../src/training/metricsLog.js';
import { train } from '../../src/training/trainingRun.js';
import { filesOf, places, shades, smallest, smallRun, stoppingAt } from './runSupport.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-resume-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]) => join(folder, ...parts);

describe('a run that is told to stop', () => {
  it.each([
    ['of two stages', smallest()],
    ['of one epoch', smallest('epochs=1', 'smallerFirst=[]')],
    ['with moments of 16 bits', smallest('epochs=1', 'smallerFirst=[]', 'optimizer.moments=bfloat16')],
    ['with a whitened stem, of two stages', smallest('whitenedStem=true')],
    ['at rounded weights, of two stages', smallest('roundedWeights=true')],
    ['with measured statistics, of two stages', smallest('measuredStatistics=2')],
    [
      'of pairs, with measured statistics',
      smallest(
        'task=retrieval',
        'model.classes=5',
        'smallerFirst=[]',
        'epochs=3',
        'batchSize=4',
        'measuredStatistics=9',
      ),
      places(8),
    ],
    ['that ends within an epoch', smallest('epochs=1.5', 'smallerFirst=[]', 'saveEvery=100')],
    [
      'that remembers descriptors, of two stages',
      smallest('task=retrieval', 'loss.queue=3', 'model.classes=5', 'batchSize=4', 'epochs=3'),
      places(8),
    ],
  ])(
    '%s: at every place where it looks, goes on to the same files bit for bit',
    async (_name, recipe, dataset: AnyDataset = shades(6)) => {
      const never = stoppingAt(Number.POSITIVE_INFINITY);
      await train(smallRun(at('whole'), { recipe, dataset, signal: never.signal }));
      const expected = filesOf(at('whole'));
      expect(never.asked()).toBeGreaterThanOrEqual(3);
      for (let turn = 1; turn <= never.asked(); turn++) {
        const output = at(`stopped ${turn}`);
        const first = await train(smallRun(output, { recipe, dataset, signal: stoppingAt(turn).signal }));
        expect(first.finished, `stopped at ${turn}`).toBe(false);
        const second = await train(smallRun(output, { recipe, dataset, resume: true }));
        expect(second.finished).toBe(true);
        expect(filesOf(output), `stopped at ${turn}`).toEqual(expected);
      }
    },
    120_000,
  );

  it('hears after every step, and while it evaluates, whether it shall stop: Ctrl-C and timers get their turn', async () => {
    let turn = 0;
    let spinning = true;
    const spin = () => {
      turn++;
      if (spinning) setImmediate(spin);
    };
    spin();
    const turns = new Set<number>();
    const signal = {
      get aborted() {
        turns.add(turn);
        return false;
      },
    } as AbortSignal;
    const recipe = smallest('epochs=1', 'smallerFirst=[]', 'logEvery=1000', 'saveEvery=1000', 'data.holdOut=256');
    await train(smallRun(at('run'), { recipe, dataset: shades(316), signal }));
    spinning = false;
    expect(turns.size).toBeGreaterThanOrEqual(29 + 4);
  });

  it('is finished when it is told so after its last work', async () => {
    const controller = new AbortController();
    const recipe = smallest('epochs=1', 'smallerFirst=[]');
    const onProgress = ({ kind }: { kind: string }) => {
      if (kind === 'epoch') controller.abort();
    };
    const result = await train(smallRun(at('run'), { recipe, onProgress, signal: controller.signal }));
    expect(result.finished).toBe(true);
  });

  it('writes the line of an epoch once, though killed between that line and the state', async () => {
    const recipe = smallest('epochs=1', 'smallerFirst=[]');
    await train(smallRun(at('run'), { recipe, signal: stoppingAt(3).signal }));
    const before = readFileSync(at('run', 'metrics.jsonl'), 'utf8');
    writeFileSync(at('run', 'metrics.jsonl'), `${before}{"kind":"epoch","step":2,"epoch":0}\n{"half":`);
    await train(smallRun(at('run'), { recipe, resume: true }));
    const lines = readFileSync(at('run', 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines.filter((line) => line.includes('"epoch","step"'))).toHaveLength(1);
  });
});

it('keeps moments of 16 bits in half the bytes, and nothing else', async () => {
  const sizes = async (output: string) => {
    const state = await openCheckpointFile(at(output, 'state.safetensors'));
    const kinds = [...state.tensors].map(([name, { dtype }]) => [name.split('.')[0], dtype] as const);
    await state.close();
    return new Map(kinds);
  };
  await train(smallRun(at('whole'), { recipe: smallest('epochs=1') }));
  await train(smallRun(at('rounded'), { recipe: smallest('epochs=1', 'optimizer.moments=bfloat16') }));
  const expected = await sizes('whole');
  expect(expected.get('optimizer')).toBe('float32');
  expect(await sizes('rounded')).toEqual(new Map([...expected, ['optimizer', 'bfloat16']]));
});

describe('resuming', () => {
  beforeEach(() => train(smallRun(at('run'), { signal: stoppingAt(3).signal })));
  const resumed = (more = {}) => train(smallRun(at('run'), { resume: true, ...more }));

  it('takes settings that cannot change weights', async () => {
    const recipe = smallest('saveEvery=3', 'logEvery=2', 'name=other', 'data.workers=1');
    expect(await resumed({ recipe })).toEqual(await train(smallRun(at('whole'))));
    const weights = ['last', 'best'].map((name) => tensorBytes(at('run', `${name}.safetensors`)));
    expect(weights).toEqual(['last', 'best'].map((name) => tensorBytes(at('whole', `${name}.safetensors`))));
  });

  it('refuses others, naming each with what it was', async () => {
    const recipe = smallest('epochs=3', 'model.tau=3', 'optimizer.name=lamb', 'saveEvery=7');
    const refused = resumed({ recipe });
    await expect(refused).rejects.toThrow(
      /another recipe.*model\.tau: 2 → 3; epochs: 2 → 3; optimizer\.name: "adamw" → "lamb"/,
    );
    await expect(refused).rejects.not.toThrow(/saveEvery: /);
  });

  it.each([
    ['an image gone', shades(5), /1 image gone \(odd\/image 5\)/],
    ['an image more', shades(7), /1 image new \(even\/image 6\)/],
    ['an image replaced', shades(6, ['even', 'odd'], 3), /1 image replaced by others \(odd\/image 3\)/],
    ['a class by another name', shades(6, ['even', 'uneven']), /1 class gone \(odd\); 1 class new \(uneven\)/],
  ])('refuses data with %s, unless told that it changed', async (_name, dataset, message) => {
    await expect(resumed({ dataset })).rejects.toThrow(message);
    expect((await resumed({ dataset, acceptChangedData: true })).finished).toBe(true);
    expect((await resumed({ dataset })).finished).toBe(true);
  });

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 1000), /its header claims|has 1000/],
    ['empty', () => Buffer.alloc(0), /is empty/],
    ['something else', () => Buffer.from('no state '.repeat(99)), /is not a checkpoint/],
  ])('refuses a state that is %s, and advises what helps', async (_name, spoiled, found) => {
    const path = at('run', 'state.safetensors');
    writeFileSync(path, spoiled(readFileSync(path)));
    await expect(resumed()).rejects.toThrow(found);
    await expect(resumed()).rejects.toThrow(/cannot be resumed from: .*begin anew with another --output$/);
    await expect(resumed()).rejects.not.toThrow(/download|\.pth or/);
  });

  it('goes on from a state of a version that kept no fingerprint', async () => {
    const path = at('run', 'state.safetensors');
    const state = await openCheckpointFile(path);
    const tensors = new Map<string, TensorData>();
    for (const [name, { dtype, shape, readBytes }] of state.tensors)
      if (!name.startsWith('data.')) tensors.set(name, { dtype, shape, data: await readBytes() });
    const { progress, recipe } = state.metadata;
    await state.close();
    await writeSafetensors(path, tensors, { progress: progress!, recipe: recipe! });
    expect((await resumed()).finished).toBe(true);
    await expect(resumed({ dataset: shades(5) })).rejects.toThrow(/1 image gone/);
  });
});

describe('the decay of a run whose rate waits for it', () => {
  const staged = ['schedule.minimum=0.001', 'schedule.warmUpEpochs=0.5'];
  const stable = (...more: string[]) => smallest('schedule.kind=warmUpStableDecay', ...staged, ...more);
  const decided = stable('epochs=4', 'schedule.decayEpochs=2', 'schedule.decay=squareRoot');

  it.each([
    ['at the end of an epoch', 3],
    ['within an epoch', 5],
  ])('may be decided later, %s: the files are those of a run that knew it from the start', async (_name, place) => {
    await train(smallRun(at('known'), { recipe: decided }));
    await train(smallRun(at('later'), { recipe: stable('epochs=1000'), signal: stoppingAt(place).signal }));
    const result = await train(smallRun(at('later'), { recipe: decided, resume: true }));
    expect(result.finished).toBe(true);
    expect(filesOf(at('later'))).toEqual(filesOf(at('known')));
  });

  it('may follow a run that was over, and one with a constant rate', async () => {
    await train(smallRun(at('known'), { recipe: decided }));
    await train(smallRun(at('later'), { recipe: smallest('schedule.kind=constant', ...staged, 'epochs=2') }));
    await train(smallRun(at('later'), { recipe: decided, resume: true }));
    expect(filesOf(at('later'))).toEqual(filesOf(at('known')));
  });

  it.each([
    ['that would have begun already', stable('epochs=3', 'schedule.decayEpochs=2')],
    ['of another rate', stable('epochs=4', 'schedule.learningRate=0.02')],
    ['that would have ended already', stable('epochs=1')],
    ['with other settings', stable('epochs=4', 'schedule.decayEpochs=1', 'optimizer.weightDecay=0.1')],
  ])('is refused when it is one %s', async (_name, recipe) => {
    await train(smallRun(at('run'), { recipe: stable('epochs=1000'), signal: stoppingAt(6).signal }));
    await expect(train(smallRun(at('run'), { recipe, resume: true }))).rejects.toThrow(
      /another recipe or other settings: .*where the rates of the steps so far stay the same/,
    );
  });

  it('cannot follow a run that ended within an epoch', async () => {
    await train(smallRun(at('run'), { recipe: stable('epochs=1.5') }));
    await expect(train(smallRun(at('run'), { recipe: stable('epochs=3'), resume: true }))).rejects.toThrow(
      /epochs: 1.5 → 3/,
    );
  });
});

/** What follows a safetensors file's header. */
function tensorBytes(path: string): string {
  const bytes = readFileSync(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))).toString('base64');
}

describe('numbers that are not finite', () => {
  it('end a run at the step where they appear, naming the parameter, and are never written', async () => {
    const wild = train(smallRun(at('run'), { recipe: smallest('schedule.learningRate=1e39') }));
    await expect(wild).rejects.toThrow(/holds -?Infinity.*lower the learning rate/);
    expect(readdirSync(at('run'))).not.toContain('last.safetensors');
    expect(readFileSync(at('run', 'metrics.jsonl'), 'utf8')).toBe('');
    const state = await openCheckpointFile(at('run', 'state.safetensors'));
    for (const tensor of state.tensors.values())
      if (tensor.dtype === 'float32') expect((await tensor.readFloat32()).every(Number.isFinite)).toBe(true);
    await state.close();
  });

  it('are not begun with when there are more or fewer of them than the network has', async () => {
    const startFrom = new Map([['downsample2.encode_bn.running_var', new Float32Array(3).fill(1)]]);
    await expect(train(smallRun(at('run'), { startFrom }))).rejects.toThrow(
      /downsample2\.encode_bn\.running_var has 3 values; give \d+/,
    );
  });

  it('are not begun with', async () => {
    const startFrom = new Map([['downsample2.encode_bn.running_var', Float32Array.of(1, Number.NaN, 1, 1)]]);
    await expect(train(smallRun(at('run'), { startFrom }))).rejects.toThrow(
      /downsample2\.encode_bn\.running_var holds NaN/,
    );
  });
});

describe('a folder', () => {
  const lock = (more: object) =>
    JSON.stringify({ token: 'x', since: '2026-01-01T00:00:00Z', ...ownIdentity(), ...more });

  it('takes one training at a time', async () => {
    const outcomes = await Promise.allSettled([1, 2].map(() => train(smallRun(at('run')))));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(String((refused[0] as PromiseRejectedResult).reason)).toMatch(
      /run\.lock: another training \(process \d+ on .*another --output/,
    );
    expect(readdirSync(at('run'))).not.toContain('run.lock');
  });

  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  it.each([
    ['is free with the lock of a process that is gone', { pid: dead }, true],
    ['is free with the lock of a process whose number was given again', { started: '1' }, true],
    ['is free with the lock of an earlier boot', { machine: ownIdentity().machine.replace(/^\S+/, 'before') }, true],
    ['is taken with the lock of a live process', {}, false],
    ['is taken with the lock of another host', { machine: 'elsewhere x', host: `not ${hostname()}` }, false],
  ])('%s', async (_name, holder, free) => {
    mkdirSync(at('run'));
    writeFileSync(at('run', 'run.lock'), lock(holder));
    const run = train(smallRun(at('run'), { recipe: smallest('epochs=1') }));
    if (free) expect((await run).finished).toBe(true);
    else await expect(run).rejects.toThrow(/another training/);
    expect(existsSync(at('run', 'run.lock'))).toBe(!free);
  });

  it('loses what killed writers left, and nothing of live ones', async () => {
    mkdirSync(at('run'));
    const live = temporaryNameFor(at('run', 'export.onnx'));
    const killed = temporaryNameFor(at('run', 'export.onnx')).replace(`.${process.pid}-`, `.${dead}-`);
    const old = at('run', 'state.safetensors.01234567-89ab-cdef-0123-456789abcdef.tmp');
    const foreign = at('run', 'notes.tmp');
    for (const path of [live, killed, old, foreign]) writeFileSync(path, 'x');
    await train(smallRun(at('run'), { recipe: smallest('epochs=1') }));
    expect([live, killed, old, foreign].map((path) => existsSync(path))).toEqual([true, false, false, true]);
  });

  it.each([
    'state.safetensors',
    'last.safetensors',
    'best.safetensors',
    'metrics.jsonl',
    'curve.svg',
    'recipe.json',
    'run.lock',
  ])('in which %s is a folder is refused before anything runs', async (name) => {
    mkdirSync(at('run', name), { recursive: true });
    await expect(train(smallRun(at('run')))).rejects.toThrow(`${name}: is a folder`);
    expect(readdirSync(at('run'))).toEqual([name]);
  });

  it('that is a file, below one or nowhere is refused', async () => {
    writeFileSync(at('file'), '');
    await expect(train(smallRun(at('file')))).rejects.toThrow(/is a file, not a folder/);
    await expect(train(smallRun(at('file', 'a', 'b')))).rejects.toThrow(/is inside .*file, which is a file/);
    await expect(train(smallRun('/proc/none'))).rejects.toThrow(/--output \/proc\/none: /);
  });

  it.runIf(existsSync('/dev/full'))('on a full disk is said to be full', async () => {
    symlinkSync('/dev/full', at('metrics.jsonl'));
    await expect(new MetricsLog(folder, { title: 'run', better: (a, b) => a > b }).append({ step: 1 })).rejects.toThrow(
      /metrics\.jsonl: cannot write: no space left/,
    );
  });
});
