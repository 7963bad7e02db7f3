/** `bench`: our engine against ONNX Runtime: the same network and weights, the same machine, the same minute. */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { chooseEngine, maximumThreads } from '../../runtime/engines.js';
import { type Contestant, contestants, type TaskTuning } from '../bench/messages.js';
import { type Entry, tuned, withRates, writeNetwork } from '../bench/network.js';
import { type Lane, race } from '../bench/race.js';
import type { Io } from '../io.js';
import { oneOf, parseOptions, wholeNumber } from '../options.js';
import { startProgress } from '../progress.js';
import type { Session } from '../session.js';
import { oneLine, table } from '../text.js';

const caseNames = ['31M-T1', '31M-T4', '55M-T1', 'cifar10-B1', 'cifar10-B64'] as const;

const listOf = <Output>(item: z.ZodType<Output, string>) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item).min(1));

const schema = z.strictObject({
  cases: listOf(oneOf(caseNames)).optional(),
  rates: listOf(wholeNumber(1, 90)).optional(),
  rounds: wholeNumber(1, 1000).optional(),
  threads: wholeNumber(1, maximumThreads).optional(),
  json: z.boolean().default(false),
});

type Options = z.output<typeof schema>;

/** One line of the document; docs/cli.md describes it. */
interface CaseResult {
  readonly model: string;
  readonly timeSteps: number;
  readonly batch: number;
  /** Measured: the mean over the neuron layers. */
  readonly firingRate: number | null;
  readonly precision: string;
  readonly rounds: number;
  /** How many RepConvs run as one 3×3, because that was measured to be faster at these firing rates. */
  readonly mergedRepConvs: number;
  readonly ours_ms: number;
  readonly rivals: Readonly<Record<string, { readonly ms: number; readonly ratio: number }>>;
  readonly peakMemoryMB: number;
  /** Between our logits and those of onnxruntime-node (or else onnxruntime-web). */
  readonly largestLogitDifference: number | null;
}

const defaultRates = [5, 15, 40];
const defaultRounds = 5;
/** Of short passes: the first few may be those of a compiler's first stage. */
const defaultRoundsOfBundled = 15;
/** Of cases of several time steps, whose passes take seconds with the slowest rival. */
const defaultRoundsOfSteps = 3;
/** Merging does 9 additions for each spike that a separate layer adds once, to be rid of one product: from these mean rates (per cent) on `tune` never merged anything. */
const rateTooHighToMerge = { f32: 15, i16: 30 };
const defaultThreads = 2;

export function registerBench(program: Command, session: Session): void {
  program
    .command('bench')
    .description('race this engine against ONNX Runtime on the same network')
    .option('--cases <LIST>', `of ${caseNames.join(', ')} (default: all)`)
    .option(
      '--rates <LIST>',
      `mean firing rates of the random networks in per cent (default: ${defaultRates.join(',')})`,
    )
    .option(
      '--rounds <N>',
      `turns of each contestant (default: ${defaultRounds}, T=4 ${defaultRoundsOfSteps}, cifar10 at batch 1 ${defaultRoundsOfBundled})`,
    )
    .option('--threads <N>', `threads of every contestant (default: ${defaultThreads})`)
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run({ io }: Session, options: Options): Promise<void> {
  const { threads = defaultThreads } = options;
  const folder = await mkdtemp(join(tmpdir(), 'spikeformer-bench-'));
  const abort = new AbortController();
  const ignore = io.onInterrupt(() => abort.abort());
  try {
    const cases: CaseResult[] = [];
    let missing = new Map<Contestant, string>();
    for (const entry of entriesOf(options)) {
      const rounds = options.rounds ?? roundsOf(entry);
      const found = await runCase(io, entry, folder, { rounds, threads, signal: abort.signal });
      missing = new Map([...missing, ...found.missing]);
      cases.push(...found.results);
      if (!options.json) printCase(io, found.results);
    }
    for (const [contestant, reason] of missing)
      io.stderr.write(`note: ${contestant} took no part: ${reason.split('\n')[0]}\n`);
    const engine = await chooseEngine();
    if (!options.json) io.stdout.write(`engine: ${engine.name} (${oneLine(engine.why)})\n`);
    const document = {
      command: 'bench',
      machine: machine(),
      engine,
      threads,
      rounds: options.rounds ?? defaultRounds,
      cases,
    };
    if (options.json) io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } finally {
    ignore();
    await rm(folder, { recursive: true, force: true });
  }
}

function roundsOf({ rate, batch, timeSteps }: Entry): number {
  if (rate === null && batch === 1) return defaultRoundsOfBundled;
  return timeSteps > 1 ? defaultRoundsOfSteps : defaultRounds;
}

function entriesOf({ cases = [...caseNames], rates = defaultRates }: Options): Entry[] {
  return cases.flatMap((name): Entry[] => {
    const [trained = '', batch] = name.split('-B');
    if (batch !== undefined) return [{ model: trained, timeSteps: 1, batch: Number(batch), rate: null }];
    const [model = '', steps = ''] = name.split('-T');
    return rates.map((rate) => ({ model, timeSteps: Number(steps), batch: 1, rate }));
  });
}

interface CaseOptions {
  readonly rounds: number;
  readonly threads: number;
  readonly signal: AbortSignal;
}

async function runCase(io: Io, entry: Entry, folder: string, { rounds, threads, signal }: CaseOptions) {
  const title = `${entry.model} T=${entry.timeSteps} batch ${entry.batch}${entry.rate === null ? '' : ` at ${entry.rate} %`}`;
  const progress = startProgress(io, `bench ${title}`, rounds, 'rounds');
  try {
    const { checkpoint, onnx, shape } = await writeNetwork(entry, folder, threads);
    const task = { checkpoint, onnx, shape, threads };
    const onRound = (round: number) => progress.update(round);
    const tunings: Tunings = new Map();
    for (const precision of ['f32', 'i16'] as const) {
      const merges = entry.rate === null || entry.rate < rateTooHighToMerge[precision];
      // Only i16 asks for rates where nothing is merged.
      if (!merges && precision === 'f32') continue;
      const measure = merges ? tuned : withRates;
      tunings.set(precision, await measure(checkpoint, shape, { threads, precision }));
    }
    const { lanes, missing } = await race({ rounds, task, tunings, contestants, onRound, signal });
    return { results: resultsOf(entry, lanes, tunings, rounds), missing };
  } finally {
    progress.stop();
  }
}

type Tunings = Map<Contestant, TaskTuning>;

function resultsOf(
  { model, timeSteps, batch }: Entry,
  lanes: readonly Lane[],
  tunings: Tunings,
  rounds: number,
): CaseResult[] {
  const ours = lanes.filter(({ contestant }) => contestant === 'f32' || contestant === 'i16');
  const others = lanes.filter((lane) => !ours.includes(lane));
  return ours.map((lane) => ({
    model,
    timeSteps,
    batch,
    firingRate: lane.firingRate,
    precision: lane.contestant,
    rounds,
    mergedRepConvs: tunings.get(lane.contestant)?.forms.filter(([, form]) => form === 'full').length ?? 0,
    ours_ms: lane.median,
    rivals: Object.fromEntries(
      others.map((other) => [other.contestant, { ms: other.median, ratio: other.median / lane.median }]),
    ),
    peakMemoryMB: Math.round(lane.peakMemoryMB),
    largestLogitDifference: others[0] ? largestDifference(lane.logits, others[0].logits) : null,
  }));
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

function machine() {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    processors: processors.length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

function printCase(io: Io, results: readonly CaseResult[]): void {
  const rows = results.map(
    ({ model, timeSteps, batch, firingRate, precision, ours_ms: ours, rivals, peakMemoryMB }) => [
      `${model} T=${timeSteps} ×${batch}`,
      firingRate === null ? '' : `${(100 * firingRate).toFixed(1)} %`,
      precision,
      `${ours.toFixed(1)} ms`,
      ...Object.values(rivals).map(({ ms, ratio }) => `${ms.toFixed(1)} ms, ${ratio.toFixed(2)}×`),
      `${peakMemoryMB} MB`,
    ],
  );
  const rivals = Object.keys(results[0]?.rivals ?? {}).map((name) => `${name} (ms, its time over ours)`);
  const head = ['case ×batch', 'firing rate (%)', 'precision', 'ours (ms)', ...rivals, 'peak memory (MB)'];
  for (const line of table([head, ...rows])) io.stdout.write(`${line}\n`);
}
