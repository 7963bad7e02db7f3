/**
 * The energy of a model on images that flow through it: spikes and operations counted layer by layer and step by step, then joules in several
 * conventions. What is counted and how is `energy/`'s business; here spikes meet layers. Platform-neutral.
 */

import { UsageError } from '../errors.js';
import { graphsOf } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import type { FieldTensor } from '../inference/types.js';
import { spikeValues } from '../runtime/spikeValues.js';
import { type EnergyConstants, parseEnergyConstants } from './constants.js';
import { type CountedLayer, layersOf, layersOfAll } from './layers.js';
import {
  accessesOfAnnLayer,
  accessesOfLayer,
  accessesOfNeurons,
  accessesOfRelus,
  energyOfAccesses,
  type MemoryAccesses,
  sumOfAccesses,
} from './memoryAccesses.js';
import type { MeteredModel } from './meteredModel.js';
import { type NeuroBenchFigures, neuroBenchFigures } from './neuroBenchFigures.js';
import { type PaperEnergy, paperEnergy } from './paperConvention.js';
import type { NeuronActivity, SpikeCounts } from './spikeCounting.js';
import { multiplicationsOfConvolution } from './synapticOperations.js';

export interface LayerOperations {
  readonly name: string;
  /** Additions that spikes caused, by time step, summed over the images; one step for layers behind a mean over time. */
  readonly additions: number[];
  /** Multiplications of numbers, by time step, summed over the images. */
  readonly multiplications: number[];
}

export interface AnnMemory {
  readonly accesses: MemoryAccesses;
  readonly accessMillijoules: number;
  readonly operationMillijoules: number;
  readonly millijoules: number;
}

interface MeteredNeurons extends NeuronActivity {
  readonly spikes: number[];
  /** Images so far; regions, where they look at some. */
  asked: number;
}

/** What is counted together: the first graph, or one that is asked about regions. */
interface MeteredGraph {
  /** Undefined for the first. */
  readonly name: string | undefined;
  readonly layers: readonly CountedLayer[];
  /** Images so far, or regions. */
  asked: number;
}

export interface EnergyMeasurement {
  readonly images: number;
  /** Of a network that looks at regions: how many of an image in the mean, by the name of the graph that looks at them. */
  readonly regions?: Readonly<Record<string, number>>;
  readonly timeSteps: number;
  /** Where neurons look at regions, their number for an image is that for its regions, in the mean. */
  readonly neurons: readonly NeuronActivity[];
  readonly layers: readonly LayerOperations[];
  /** Millijoules per image from the counted operations. */
  readonly exactMillijoules: number;
  /** The paper's convention with the measured rates. */
  readonly paper: PaperEnergy;
  readonly neuroBench: NeuroBenchFigures;
  /** Per image: accesses of all layers and neurons, their energy, and theirs with that of the counted operations. */
  readonly memory: {
    readonly accesses: MemoryAccesses;
    readonly accessMillijoules: number;
    readonly millijoules: number;
    /** By layer, operations and accesses together, in the order of `layers`; then one entry for all neurons. */
    readonly layers: readonly { readonly name: string; readonly millijoules: number }[];
    /** The same network with ReLU, one pass, operations within the map. */
    readonly ann: AnnMemory;
  };
}

/** Adds up what batches caused. */
export class EnergyMeter {
  readonly #model: MeteredModel;
  readonly #constants: EnergyConstants;
  readonly #neurons = new Map<string, MeteredNeurons>();
  /** What gates let through: it drives layers, but no neurons of its own made it. */
  readonly #gates = new Map<string, MeteredNeurons>();
  readonly #operations = new Map<string, LayerOperations>();
  readonly #effective = { macs: 0, acs: 0 };
  #graphs: readonly MeteredGraph[] | undefined;
  #images = 0;
  #size: readonly number[] = [];

  /** @throws UsageError naming the field of the constants that is wrong or unknown. */
  constructor(model: MeteredModel, constants: EnergyConstants) {
    this.#model = model;
    this.#constants = parseEnergyConstants(constants, 'EnergyMeter: constants');
  }

  /**
   * Runs a batch and counts. @returns its logits; of a network that is no classifier its first output.
   *
   * @throws UsageError when the images are not of the size of those before.
   */
  async run(input: FieldTensor): Promise<FieldTensor> {
    const { outputs, counts } = await this.#model.run(input, { record: { counts: true } });
    this.count(counts!);
    return outputs.get(logitsOutput) ?? [...outputs.values()][0]!;
  }

  /**
   * Adds a run that was made already.
   *
   * @param counts What `Model.run` recorded with `record.counts`.
   * @throws As `run`.
   */
  count(counts: SpikeCounts): void {
    const { images, size } = counts;
    this.#graphs ??= this.#graphsFor(size);
    if (size.some((length, axis) => length !== this.#size[axis]))
      throw new UsageError(
        `energy: found images of ${size.join(' × ')} after images of ${this.#size.join(' × ')}; expected one size`,
      );
    this.#images += images;
    this.#countGraph(undefined, counts);
    for (const { graph, counts: own } of counts.later ?? []) this.#countGraph(graph, own);
  }

  #countGraph(name: string | undefined, counts: SpikeCounts): void {
    const { images, neurons, gates = [], additions, effectiveAcs, effectiveMacs } = counts;
    const graph = this.#graphs!.find((one) => one.name === name)!;
    graph.asked += images;
    for (const one of neurons) addActivity(this.#neurons, one, images);
    for (const one of gates) addActivity(this.#gates, one, images);
    for (const layer of graph.layers) this.#countOperations(layer, additions.get(layer.name), images);
    this.#effective.acs += effectiveAcs;
    this.#effective.macs += effectiveMacs;
  }

  result(): EnergyMeasurement {
    if (!this.#graphs || this.#images === 0) throw new UsageError('energy: no image was run');
    const { timeSteps } = this.#model.configuration;
    const images = this.#images;
    const { accumulate, multiplyAccumulate } = this.#constants;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const picojoulesOf = ({ additions, multiplications }: LayerOperations) =>
      accumulate * sum(additions) + multiplyAccumulate * sum(multiplications);
    const layers = [...this.#operations.values()];
    const neurons = this.#activities();
    const later = this.#graphs.filter(({ name }) => name !== undefined);
    const regions = new Map(later.map(({ name, asked }) => [name!, asked / images]));
    const counted = layersOfAll(this.#model.graph, this.#size as [number, number], regions);
    const picojoules = layers.reduce((total, layer) => total + picojoulesOf(layer), 0);
    const rateOf = (name: string) => {
      const { neurons: count, spikes } = this.#source(name);
      const answers = count * images * spikes.length;
      return answers === 0 ? 0 : sum(spikes) / answers;
    };
    const everyNeuron = neurons.reduce((total, layer) => total + layer.neurons, 0);
    const everyAnswer = neurons.reduce((total, layer) => total + images * layer.neurons * layer.spikes.length, 0);
    const everySpike = neurons.reduce((total, { spikes }) => total + sum(spikes), 0);
    const additionsOfAttention = counted
      .filter(({ kind }) => kind === 'attention')
      .reduce((total, { name }) => total + sum(this.#operations.get(name)!.additions), 0);
    return {
      images,
      ...(later.length > 0 ? { regions: Object.fromEntries(regions) } : {}),
      timeSteps,
      neurons,
      layers,
      exactMillijoules: (picojoules / images) * 1e-9,
      paper: paperEnergy(counted, rateOf, timeSteps, this.#constants),
      neuroBench: neuroBenchFigures(this.#model, this.#size as [number, number], {
        images,
        firingRate: everySpike / everyAnswer,
        effectiveAcs: this.#effective.acs,
        effectiveMacs: this.#effective.macs,
        attentionAdditions: additionsOfAttention,
        perImage: new Map(counted.map(({ name, perImage = 1 }) => [name, perImage])),
      }),
      memory: this.#memory(counted, picojoulesOf, everyNeuron),
    };
  }

  #memory(
    counted: readonly CountedLayer[],
    picojoulesOf: (layer: LayerOperations) => number,
    everyNeuron: number,
  ): EnergyMeasurement['memory'] {
    const images = this.#images;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const { memory } = this.#constants;
    const rows = counted.map(({ name, kind, sources, spikeFed }) => {
      const operations = this.#operations.get(name)!;
      const read = spikeFed ? sources.reduce((total, source) => total + answersOf(this.#source(source)), 0) : 0;
      const accesses = accessesOfLayer({
        kind,
        additions: sum(operations.additions),
        multiplications: sum(operations.multiplications),
        neuronsRead: read * images,
      });
      return { name, accesses, picojoules: picojoulesOf(operations) + energyOfAccesses(accesses, memory) };
    });
    const spiking = new Set(graphsOf(this.#model.graph).flatMap((graph) => spikeValues(graph)));
    const activities = this.#activities();
    const spikers = activities.filter(({ name }) => spiking.has(name));
    const fired = spikers.reduce((total, layer) => total + images * answersOf(layer), 0);
    const answered = activities.reduce((total, layer) => total + images * answersOf(layer), 0);
    const ofNeurons = sumOfAccesses([accessesOfNeurons(fired), accessesOfRelus(answered - fired)]);
    const last = { name: 'neurons', accesses: ofNeurons, picojoules: energyOfAccesses(ofNeurons, memory) };
    const all = [...rows, last];
    const accesses = sumOfAccesses(
      all.map((row) => row.accesses),
      images,
    );
    const perImage = (picojoules: number) => (picojoules / images) * 1e-9;
    return {
      accesses,
      accessMillijoules: energyOfAccesses(accesses, memory) * 1e-9,
      millijoules: perImage(all.reduce((total, row) => total + row.picojoules, 0)),
      layers: all.map(({ name, picojoules }) => ({ name, millijoules: perImage(picojoules) })),
      ann: annMemory(counted, everyNeuron, this.#constants),
    };
  }

  /** By image. */
  #activities(): readonly NeuronActivity[] {
    return [...this.#neurons.values()].map((known) => this.#byImage(known));
  }

  #byImage({ name, neurons, spikes, asked }: MeteredNeurons): NeuronActivity {
    return { name, neurons: (neurons * asked) / this.#images, spikes };
  }

  /** Neurons that were never asked, since there was no region, are none. */
  #source(name: string): NeuronActivity {
    const known = this.#neurons.get(name) ?? this.#gates.get(name);
    return known ? this.#byImage(known) : { name, neurons: 0, spikes: [] };
  }

  #graphsFor(size: readonly [number, number]): readonly MeteredGraph[] {
    this.#size = size;
    const { graph } = this.#model;
    const later = [...(graph.later ?? [])].map(([name, part]) => ({
      ...{ name, asked: 0 },
      layers: layersOf(part.graph, part.size, 'merged'),
    }));
    const graphs = [{ name: undefined, asked: 0, layers: layersOf(graph, size, 'merged') }, ...later];
    // In the order of the network, also where no region is found.
    for (const { layers } of graphs) for (const layer of layers) this.#countOperations(layer, undefined, 0);
    return graphs;
  }

  /** @param caused Additions by time step; none for a layer that is fed by numbers, which arrive at every step, whether or not anything fired. */
  #countOperations(layer: CountedLayer, caused: readonly number[] | undefined, images: number): void {
    const { timeSteps } = this.#model.configuration;
    const { name, geometry } = layer;
    const steps = layer.once ? 1 : timeSteps;
    const zeros = () => new Array<number>(steps).fill(0);
    const known = this.#operations.get(name) ?? { name, additions: zeros(), multiplications: zeros() };
    this.#operations.set(name, known);
    const ofOne = geometry ? multiplicationsOfConvolution(geometry) : layer.operations;
    const within = layer.spikeFed ? 0 : images * ofOne;
    for (let t = 0; t < steps; t++) {
      if (layer.spikeFed) known.additions[t]! += caused?.[t] ?? 0;
      else known.multiplications[t]! += within;
    }
  }
}

/** How often the neurons of an image are asked: once at every time step, behind a mean over time once. */
function answersOf({ neurons, spikes }: NeuronActivity): number {
  return neurons * spikes.length;
}

function addActivity(
  known: Map<string, MeteredNeurons>,
  { name, neurons, spikes }: NeuronActivity,
  asked: number,
): void {
  const sum = known.get(name) ?? { name, neurons, spikes: spikes.map(() => 0), asked: 0 };
  known.set(name, sum);
  sum.asked += asked;
  for (const [t, fired] of spikes.entries()) sum.spikes[t]! += fired;
}

/** @param relus Neurons per image. */
function annMemory(layers: readonly CountedLayer[], relus: number, constants: EnergyConstants): AnnMemory {
  const multiplied = layers.map(({ kind, geometry, operations, perImage = 1 }) => ({
    kind,
    multiplications: geometry ? perImage * multiplicationsOfConvolution(geometry) : operations,
  }));
  const accesses = sumOfAccesses([
    ...multiplied.map(({ kind, multiplications }) => accessesOfAnnLayer(kind, multiplications)),
    accessesOfRelus(relus),
  ]);
  const operations = multiplied.reduce((total, { multiplications }) => total + multiplications, 0);
  const operationMillijoules = constants.multiplyAccumulate * operations * 1e-9;
  const accessMillijoules = energyOfAccesses(accesses, constants.memory) * 1e-9;
  return { accesses, accessMillijoules, operationMillijoules, millijoules: operationMillijoules + accessMillijoules };
}
