/**
 * What energy is counted from, counted by the engine while the network runs: calls recorded right behind the neurons, on all threads, and one reading of a few numbers after
 * each run. What is to be counted is `countingPlan`'s business.
 */
import {
  byteLengthOf,
  type Counters,
  type Kernels,
  type MemoryBlock,
  type Program,
  type Tensor,
} from '../engines/kernels.js';
import { elementCount, type Shape } from '../graph/shape.js';
import type { Observe } from '../runtime/compile.js';
import type { CountedMap, CountingPlan, NumbersPlan, ReachedMap } from './countingPlan.js';
import type { CountedLayer } from './layers.js';
import type { ConnectionTable } from './positionClasses.js';

export interface NeuronActivity {
  readonly name: string;
  /** Neurons per image. */
  readonly neurons: number;
  /** By time step, summed over the images; of neurons that give out numbers how many are not 0. One behind a mean over time. */
  readonly spikes: readonly number[];
}

/** What a run's spikes caused, summed over its images. */
export interface SpikeCounts {
  readonly images: number;
  /** Height and width of the images. */
  readonly size: readonly [number, number];
  /** In the order in which they fire. */
  readonly neurons: readonly NeuronActivity[];
  /** What gates let through, where there are any: bits that are spikes of their inputs, not of neurons of their own. */
  readonly gates?: readonly NeuronActivity[];
  /** Additions by layer that is fed by spikes and by time step; names as `countedLayers` has them. */
  readonly additions: ReadonlyMap<string, readonly number[]>;
  /** Of the network as it is trained, over all time steps: pairs of an activation and a weight that are both not zero, of layers fed by spikes and of the others. */
  readonly effectiveAcs: number;
  readonly effectiveMacs: number;
  /** Of graphs that were asked about regions afterwards, by name: their `images` are regions. Nothing above counts them. */
  readonly later?: readonly { readonly graph: string; readonly counts: SpikeCounts }[];
}

interface Totals {
  readonly neurons: Map<string, NeuronActivity>;
  readonly gates: Map<string, NeuronActivity>;
  readonly additions: Map<string, readonly number[]>;
  effectiveAcs: number;
  effectiveMacs: number;
}

type Read = (counters: Counters) => Promise<readonly number[]>;
/** Adds what a call counted to the totals of a run. */
type Reader = (read: Read, totals: Totals) => Promise<void>;

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The counting of one recording. */
export class SpikeCounting {
  readonly #plan: CountingPlan;
  readonly #input: string;
  readonly #readers: Reader[] = [];
  #images = 0;
  readonly #rooms = new Map<'active' | 'reached', MemoryBlock>();

  /** @param input The name of the network's input. */
  constructor(plan: CountingPlan, input: string) {
    this.#plan = plan;
    this.#input = input;
  }

  /** For `compile`: records the calls. */
  readonly observe: Observe = (value, kernels, tensorOf) => {
    const numbers = this.#plan.numbers.get(value);
    if (numbers) this.#countNumbers(kernels, value, tensorOf(value), numbers);
    const source = this.#plan.sources.get(value);
    if (source) {
      const spikes = tensorOf(value);
      this.#countNeurons(kernels, value, spikes, source.maps, source.areNeurons ? 'neurons' : 'gates');
      for (const table of source.missing)
        this.#weigh(kernels, value, spikes, table, (totals, pairs) => {
          totals.effectiveAcs -= pairs;
        });
      for (const map of source.reached) this.#countReached(kernels, value, spikes, map);
    }
    const attention = this.#plan.attentions.find(({ name }) => name === value);
    if (attention) this.#countAttention(kernels, attention, tensorOf);
  };

  /** What the program's last run counted. */
  async read(program: Program): Promise<SpikeCounts> {
    const { size, timeSteps, always, alwaysOnce } = this.#plan;
    const images = this.#images;
    const effectiveMacs = images * (timeSteps * always + alwaysOnce);
    const totals: Totals = {
      neurons: new Map(),
      gates: new Map(),
      additions: new Map(),
      effectiveAcs: 0,
      effectiveMacs,
    };
    for (const reader of this.#readers) await reader((counters) => program.readCounters(counters), totals);
    const { neurons, gates, ...counted } = totals;
    const through = gates.size > 0 ? { gates: [...gates.values()] } : {};
    return { ...counted, ...through, images, size, neurons: [...neurons.values()] };
  }

  #countNumbers(kernels: Kernels, name: string, input: Tensor, { areNeurons, tables, reached }: NumbersPlan): void {
    const [steps, images, ...rest] = input.shape as [number, number, ...number[]];
    if (name === this.#input) this.#images = images;
    if (!areNeurons && tables.length === 0 && reached.length === 0) return;
    // What is the same at every step counts at every step, what is behind a mean over time once.
    const shown = this.#plan.once.has(name) ? 1 : this.#plan.timeSteps / steps;
    const channels = rest.at(-1)!;
    const positions = elementCount(rest) / channels;
    const active = this.#tensor(kernels, input.shape, 'active');
    kernels.counting.markNonZero({ name, images: steps * images, positions, channels, input, output: active });
    if (areNeurons) this.#countNeurons(kernels, name, active, [], 'neurons');
    for (const table of tables)
      this.#weigh(kernels, name, active, table, (totals, pairs) => {
        totals.effectiveMacs += shown * pairs;
      });
    for (const map of reached) this.#countReached(kernels, name, active, map, shown);
  }

  #countNeurons(
    kernels: Kernels,
    name: string,
    input: Tensor,
    maps: readonly CountedMap[],
    whose: 'neurons' | 'gates',
  ): void {
    const [timeSteps, images, ...rest] = input.shape as [number, number, ...number[]];
    const channels = rest.at(-1)!;
    const neurons = elementCount(rest);
    const plain: CountedMap = {
      rowClasses: [0],
      columnClasses: new Array<number>(neurons / channels).fill(0),
      additions: new Map(),
      trainedAdditions: [0],
    };
    for (const { rowClasses, columnClasses, additions, trainedAdditions } of maps.length > 0 ? maps : [plain]) {
      const classes = trainedAdditions.length;
      const counters = kernels.counting.counters(timeSteps * classes);
      const call = { name, timeSteps, images, channels, input, rowClasses, columnClasses, counters };
      kernels.counting.countSpikes(call);
      this.#readers.push(async (read, totals) => {
        const counts = await read(counters);
        const steps = Array.from({ length: timeSteps }, (_, t) => counts.slice(t * classes, (t + 1) * classes));
        const weighed = (perSpike: readonly number[]) =>
          steps.map((step) => sum(step.map((count, index) => count * perSpike[index]!)));
        // Neurons without a state answer a still image once for all time steps; behind a mean over time there is one.
        const length = this.#plan.once.has(name) ? 1 : this.#plan.timeSteps;
        const shown = Array.from({ length }, (_, t) => sum(steps[t % timeSteps]!));
        totals[whose].set(name, { name, neurons, spikes: shown });
        for (const [layer, perSpike] of additions) totals.additions.set(layer, weighed(perSpike));
        totals.effectiveAcs += sum(weighed(trainedAdditions));
      });
    }
  }

  #countReached(
    kernels: Kernels,
    name: string,
    input: Tensor,
    { geometry, masks, connections }: ReachedMap,
    shown = 1,
  ): void {
    const { outputHeight, outputWidth, outputChannels } = geometry;
    const images = input.shape[0]! * input.shape[1]!;
    const output = this.#tensor(kernels, [images, outputHeight, outputWidth, outputChannels], 'reached');
    kernels.counting.reach({ name, geometry: { ...geometry, images }, input, output, masks });
    this.#weigh(kernels, name, output, connections, (totals, pairs) => {
      totals.effectiveMacs += shown * pairs;
    });
  }

  #weigh(
    kernels: Kernels,
    name: string,
    input: Tensor,
    { classOf: classes, weights }: ConnectionTable,
    add: (totals: Totals, pairs: number) => void,
  ): void {
    const channels = input.shape.at(-1)!;
    const images = elementCount(input.shape) / channels / classes.length;
    const counters = kernels.counting.counters(1);
    kernels.counting.weighSpikes({ name, images, channels, input, classes, weights, counters });
    this.#readers.push(async (read, totals) => add(totals, (await read(counters))[0]!));
  }

  #countAttention(kernels: Kernels, layer: CountedLayer, tensorOf: (value: string) => Tensor): void {
    const { name, attention, sources, sums } = layer;
    for (const sum of sums!) {
      if (sum.of === 'rows') {
        const source = sources[sum.input]!;
        this.#readers.push(async (_read, totals) => {
          const { spikes } = (totals.neurons.get(source) ?? totals.gates.get(source))!;
          addTo(
            totals.additions,
            name,
            spikes.map((count) => count * sum.width),
          );
        });
        continue;
      }
      const { channels, heads, tokens } = attention!;
      const [one, other] = [tensorOf(sources[sum.one]!), tensorOf(sources[sum.other]!)];
      const [timeSteps, images] = one.shape as [number, number];
      const counters = kernels.counting.counters(timeSteps);
      const call = { name, timeSteps, tokens: images * tokens, channels, heads, one, other, counters };
      kernels.counting.countCoincidences(call);
      this.#readers.push(async (read, totals) => addTo(totals.additions, name, await read(counters)));
    }
  }

  /** Spikes that are counted at once and then overwritten by the next. */
  #tensor(kernels: Kernels, shape: Shape, use: 'active' | 'reached'): Tensor {
    const bytes = byteLengthOf(shape, 'spikes');
    const known = this.#rooms.get(use);
    const block = known && known.byteLength >= bytes ? known : kernels.allocate(bytes);
    this.#rooms.set(use, block);
    return { shape, storage: 'spikes', block, byteOffset: 0 };
  }
}

/** By time step. */
function addTo(additions: Map<string, readonly number[]>, layer: string, counts: readonly number[]): void {
  const before = additions.get(layer);
  additions.set(
    layer,
    counts.map((count, t) => count + (before?.[t] ?? 0)),
  );
}
