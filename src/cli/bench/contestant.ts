/**
 * One runner of a race, in a process of its own so that its memory and threads are its own: it loads a network and answers every
 * message `run` with the time that one pass took, or the mean of several short ones. Started by `race.ts`; not a command.
 */
import { readFile } from 'node:fs/promises';
import { loadModel } from '../../index.js';
import { type ContestantTask, type FromContestant, inputOf } from './messages.js';

interface Runner {
  /** One pass; returns logits. */
  run(): Promise<Float32Array>;
  readonly firingRate?: number;
}

interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dimensions: readonly number[]) => unknown;
  readonly InferenceSession: {
    create(
      file: string | Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<{ readonly logits: { readonly data: Float32Array } }> }>;
  };
}

async function ours(task: ContestantTask, precision: 'f32' | 'i16'): Promise<Runner> {
  const model = await loadModel({ checkpoint: task.checkpoint }, { threads: task.threads, precision });
  const { forms = [], firingRates: expected = [] } = task.tuning ?? {};
  await model.chooseForms(new Map(forms), new Map(expected));
  const input = { shape: task.shape, data: inputOf(task.shape) };
  const { firingRates } = await model.run(input, { record: { firingRates: true } });
  const rates = [...firingRates!.values()];
  const firingRate = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  return { firingRate, run: async () => (await model.run(input)).logits.data };
}

async function rival(task: ContestantTask, name: 'onnxruntime-node' | 'onnxruntime-web'): Promise<Runner> {
  const imported = (await import(name)) as { readonly default?: OnnxRuntime } & OnnxRuntime;
  const runtime = imported.default ?? imported;
  const native = name === 'onnxruntime-node';
  if (!native) runtime.env.wasm.numThreads = task.threads;
  const options = native
    ? { executionProviders: ['cpu'], intraOpNumThreads: task.threads, interOpNumThreads: 1 }
    : { executionProviders: ['wasm'] };
  const file = native ? task.onnx : new Uint8Array(await readFile(task.onnx));
  const session = await runtime.InferenceSession.create(file, { ...options, graphOptimizationLevel: 'all' });
  const input = new runtime.Tensor('float32', inputOf(task.shape), task.shape);
  return { run: async () => (await session.run({ input })).logits.data };
}

/**
 * A compiler's last stage begins only after some time at work, which passes of a small network do not fill: it runs for at least so long before the race, and in
 * every turn. One pass of a large network is longer.
 */
const warmUpMilliseconds = 500;
const turnMilliseconds = 50;

/** Runs so long at least, and one pass at least. */
async function runFor(milliseconds: number, runner: Runner) {
  const start = performance.now();
  for (let passes = 1; ; passes++) {
    const logits = await runner.run();
    const passed = performance.now() - start;
    if (passed >= milliseconds) return { logits, millisecondsPerPass: passed / passes };
  }
}

function send(message: FromContestant): void {
  process.send!(message);
}

/** What the operating system says this process used at most. Linux counts for `maxRSS` what the process that started this one had. */
async function peakMemoryMB(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return Number(kibibytes ?? process.resourceUsage().maxRSS) / 1024;
}

async function serve(task: ContestantTask): Promise<void> {
  const { contestant } = task;
  const runner =
    contestant === 'f32' || contestant === 'i16' ? await ours(task, contestant) : await rival(task, contestant);
  const { logits } = await runFor(warmUpMilliseconds, runner);
  send({ kind: 'ready', logits: [...logits], firingRate: runner.firingRate ?? null });
  process.on('message', async () => {
    const { millisecondsPerPass: milliseconds } = await runFor(turnMilliseconds, runner);
    send({ kind: 'time', milliseconds, peakMemoryMB: await peakMemoryMB() });
  });
}

if (process.send) {
  const task = JSON.parse(process.argv[2]!) as ContestantTask;
  serve(task).catch((error: unknown) => {
    send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  });
}
