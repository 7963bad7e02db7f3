/**
 * How often neurons fire for the images that come, and which form of each RepConv is faster then, measured: both networks are compiled, run on the same input in turn, and
 * timed layer by layer. Rates are what a rule about shapes cannot know; engines choose kernels by them, too.
 */
import type { Engine } from '../engines/kernels.js';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { formatShape } from '../graph/shape.js';
import { operatorOf } from '../operators/registry.js';
import { medianOf } from '../runtime/median.js';
import { mergeByEngine } from '../runtime/mergeByEngine.js';
import { foldBatchNorm } from '../runtime/passes/foldBatchNorm.js';
import { findRepConvs, type RepConv } from '../runtime/passes/mergeRepConv.js';
import { spikeValues } from '../runtime/spikeValues.js';
import { Inference } from './inference.js';
import { canMeasure, type MeasuredCall } from './measuring.js';
import type { TimedNetwork } from './network.js';
import type { TakenInput } from './takenInput.js';

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

export interface Tuning {
  readonly repConvs: readonly RepConvChoice[];
  /** Share of neurons that fire, by the name of their layer: the mean over the images. */
  readonly firingRates: ReadonlyMap<string, number>;
  /** How the engine then computes the layers that are fed by spikes, in its words, by layer. */
  readonly kernels: ReadonlyMap<string, string>;
}

export interface TuneOptions {
  /** Runs of each network; default `defaultTuneRounds`. */
  readonly rounds?: number;
  readonly onRound?: (round: number, rounds: number) => void;
}

/** A merged layer must be so much faster: it takes nine times the memory. */
const worthMerging = 0.95;
export const defaultTuneRounds = 5;

/**
 * @param engine One whose weights may be thrown away: it keeps both forms of every layer.
 * @param network As the authors define it.
 * @param inputs Images of the kind that will come, all of one shape; each round takes the next.
 * @throws UsageError for an engine that cannot measure its layers, no inputs or inputs of several shapes, and a number of rounds that cannot be.
 */
export async function tuneRepConvs(
  engine: Engine,
  network: TimedNetwork,
  inputs: readonly TakenInput[],
  { rounds = defaultTuneRounds, onRound }: TuneOptions = {},
): Promise<Tuning> {
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
  if (spikeValues(network.graph).length === 0)
    throw new UsageError(
      'tune: the neurons of this network give out numbers, so there are no firing rates to choose by',
    );
  requireMeasuring(engine);
  const folded = { ...network, ...foldBatchNorm(network) };
  const repConvs = findRepConvs(folded.graph);
  const merged = await mergeByEngine(engine, folded, new Set(repConvs.map(({ name }) => name)));
  const lane = (form: TunedForm) => ({
    form,
    inference: new Inference({ name: 'tune', network: folded, engine, prepare: { repConv: form, merged } }),
    times: new Map<string, number[]>(),
    last: [] as readonly MeasuredCall[],
  });
  const [separate, whole] = [lane('none'), lane('full')];
  const lanes = [separate, whole];
  try {
    const firingRates = await measureFiringRates(separate.inference, inputs.slice(0, rounds));
    for (const { inference } of lanes) await inference.chooseRates(firingRates);
    // Round 0 wakes threads and fills caches.
    for (let round = 0; round <= rounds; round++) {
      const input = inputs[round % inputs.length]!;
      for (const lane of lanes) {
        lane.last = (await lane.inference.measure(input))!;
        if (round > 0) addTimes(lane.times, lane.last, repConvs);
      }
      if (round > 0) onRound?.(round, rounds);
    }
    const choices = repConvs.map((repConv) => {
      const { name, channels } = repConv;
      const [none, full] = lanes.map(({ times }) => medianOf(times.get(name)!)) as [number, number];
      const form = full < worthMerging * none ? 'full' : 'none';
      const firingRate = firingRates.get(neuronsBefore(network.graph, repConv))!;
      return { layer: name, channels, firingRate, milliseconds: { none, full }, form } satisfies RepConvChoice;
    });
    const merges = new Set(choices.filter(({ form }) => form === 'full').map(({ layer }) => layer));
    const calls = lanes.flatMap(({ form, last }) =>
      last.filter(({ name }) => merges.has(repConvOf(name, repConvs) ?? '') === (form === 'full')),
    );
    const spikeFed = calls.filter(({ kernel }) => kernel === 'spikeConvolution');
    return { repConvs: choices, firingRates, kernels: new Map(spikeFed.map(({ name, method }) => [name, method])) };
  } finally {
    for (const { inference } of lanes) await inference.release();
  }
}

/** An engine that cannot be tuned is refused before it has run. */
function requireMeasuring(engine: Engine): void {
  const empty = engine.record().finish();
  const can = canMeasure(empty);
  empty.dispose();
  if (!can) throw new UsageError('this engine cannot measure its layers, so nothing can be tuned; use the wasm engine');
}

/** The neurons whose spikes a RepConv reads, through views. */
function neuronsBefore(graph: Graph, { pointwise1 }: RepConv): string {
  const producers = new Map(graph.nodes.map((node) => [node.name, node]));
  let node = producers.get(pointwise1.inputs[0]!);
  while (node && !operatorOf(node).neuron) node = producers.get(node.inputs[0]!);
  return node!.name;
}

/** The RepConv that a call is part of, if it is. */
function repConvOf(call: string, repConvs: readonly RepConv[]): string | undefined {
  return repConvs.find(({ name }) => call.startsWith(`${name}.`))?.name;
}

/** Adds one time for each RepConv: of all its calls in this run. */
function addTimes(times: Map<string, number[]>, calls: readonly MeasuredCall[], repConvs: readonly RepConv[]): void {
  for (const { name } of repConvs) {
    const own = calls.filter((call) => repConvOf(call.name, repConvs) === name);
    times.set(name, [...(times.get(name) ?? []), own.reduce((sum, call) => sum + call.milliseconds, 0)]);
  }
}

/** @returns the mean over the inputs, which are of one shape. */
async function measureFiringRates(
  inference: Inference,
  inputs: readonly TakenInput[],
): Promise<ReadonlyMap<string, number>> {
  const means = new Map<string, number>();
  for (const input of inputs) {
    const { firingRates } = await inference.runTaken(input, { firingRates: true });
    for (const [layer, rate] of firingRates!) means.set(layer, (means.get(layer) ?? 0) + rate / inputs.length);
  }
  return means;
}
