/**
 * Which form of each RepConv is faster here, measured: both networks are compiled, run on the same input in turn, and timed layer by
 * layer. That the firing rates are those of real images is what a rule about shapes cannot know.
 */
import type { Engine, Program } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { formatShape, type Shape } from '../graph/shape.js';
import { compile, type Executable } from './compile.js';
import { countSpikes } from './layout.js';
import { medianOf } from './median.js';
import { mergeByEngine } from './mergeByEngine.js';
import { foldBatchNorm } from './passes/foldBatchNorm.js';
import { findRepConvs, type RepConv } from './passes/mergeRepConv.js';
import type { Network } from './passes/pass.js';
import { prepareNetwork } from './prepare.js';

/** The forms that may win: half merged costs nine times the additions of `none` and keeps its dense layer. */
export type TunedForm = 'none' | 'full';

/** What was measured of one RepConv, and what follows. */
export interface RepConvChoice {
  readonly layer: string;
  readonly channels: number;
  /** Share of the neurons in front of it that fired. */
  readonly firingRate: number;
  /** Medians over the rounds, of all kernel calls of the RepConv together. */
  readonly milliseconds: Readonly<Record<TunedForm, number>>;
  readonly form: TunedForm;
}

export interface TuneOptions {
  /** Runs of each network; default `defaultTuneRounds`. */
  readonly rounds?: number;
  readonly onRound?: (round: number, rounds: number) => void;
}

/** A merged layer must be so much faster: it takes nine times the memory. */
const worthMerging = 0.95;
export const defaultTuneRounds = 5;

/** `[T or 1, B, H, W, C]`. */
export interface TuneInput {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/**
 * @param engine One whose weights may be thrown away: it keeps both forms of every layer.
 * @param network As the authors define it.
 * @param inputs Images of the kind that will come, all of one shape; each round takes the next.
 * @throws UsageError for an engine that cannot measure its layers, no inputs or inputs of several shapes, and a number of rounds that cannot be.
 */
export async function tuneRepConvs(
  engine: Engine,
  network: Network,
  inputs: readonly TuneInput[],
  { rounds = defaultTuneRounds, onRound }: TuneOptions = {},
): Promise<RepConvChoice[]> {
  const [first] = inputs;
  if (!first) throw new UsageError('tune: no inputs; give at least one');
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new UsageError(`tune: ${rounds} rounds, expected a whole number, 1 or more`);
  const { shape } = first;
  const other = inputs.find((input) => formatShape(input.shape) !== formatShape(shape));
  if (other)
    throw new UsageError(
      `tune: inputs of shape ${formatShape(shape)} and ${formatShape(other.shape)} [T or 1, B, H, W, C]; give inputs of one shape`,
    );
  const folded = foldBatchNorm(network);
  const repConvs = findRepConvs(folded.graph);
  const merged = await mergeByEngine(engine, folded, new Set(repConvs.map(({ name }) => name)));
  const kind = shape[0]! > 1 ? 'frames' : 'image';
  const neurons = new Map(repConvs.map((repConv) => [repConv.name, neuronsBefore(network.graph, repConv)]));
  const lanes = (['none', 'full'] as const).map((form) => {
    const prepared = prepareNetwork(folded, { repConv: form, merged, input: kind });
    const executable = compile(engine, prepared, shape, form === 'none' ? new Set(neurons.values()) : []);
    return { form, executable, program: measuring(executable), times: new Map<string, number[]>() };
  });
  try {
    const [separate] = lanes as [(typeof lanes)[number]];
    const fired = new Map<string, number>();
    // Round 0 wakes threads and fills caches.
    for (let round = 0; round <= rounds; round++) {
      const { data } = inputs[round % inputs.length]!;
      for (const { executable, program, times } of lanes) {
        await program.write(executable.tensor(network.graph.input), data);
        const calls = await program.profile();
        if (round > 0) addTimes(times, calls, repConvs);
      }
      if (round === 0) continue;
      for (const layer of new Set(neurons.values()))
        fired.set(layer, (fired.get(layer) ?? 0) + (await rateOf(separate.executable, layer)) / rounds);
      onRound?.(round, rounds);
    }
    return repConvs.map(({ name, channels }) => {
      const [none, full] = lanes.map(({ times }) => medianOf(times.get(name)!)) as [number, number];
      const form = full < worthMerging * none ? 'full' : 'none';
      const firingRate = fired.get(neurons.get(name)!)!;
      return { layer: name, channels, firingRate, milliseconds: { none, full }, form };
    });
  } finally {
    for (const { executable } of lanes) executable.dispose();
  }
}

interface MeasuringProgram extends Program {
  profile(): Promise<readonly { readonly name: string; readonly milliseconds: number }[]>;
}

function measuring({ program }: Executable): MeasuringProgram {
  if ('profile' in program) return program as MeasuringProgram;
  throw new UsageError('this engine cannot measure its layers, so nothing can be tuned; use the wasm engine');
}

/** The neurons whose spikes a RepConv reads, through views. */
function neuronsBefore(graph: Graph, { pointwise1 }: RepConv): string {
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  let node = producers.get(pointwise1.inputs[0]!);
  while (node && node.operator !== 'lif') node = producers.get(node.inputs[0]!);
  return node!.name;
}

/** Adds one time for each RepConv: of all its calls in this run. */
function addTimes(
  times: Map<string, number[]>,
  calls: readonly { readonly name: string; readonly milliseconds: number }[],
  repConvs: readonly RepConv[],
): void {
  for (const { name } of repConvs) {
    const own = calls.filter((call) => call.name.startsWith(`${name}.`));
    times.set(name, [...(times.get(name) ?? []), own.reduce((sum, call) => sum + call.milliseconds, 0)]);
  }
}

async function rateOf(executable: Executable, layer: string): Promise<number> {
  const words = await executable.program.readSpikes(executable.tensor(layer));
  return countSpikes(words) / executable.shapes.get(layer)!.reduce((a, b) => a * b, 1);
}
