/**
 * The energy of a model on images that flow through it: spikes and operations counted layer by layer and step by step, then joules in several
 * conventions. What is counted and how is `energy/`'s business; here spikes meet layers. Platform-neutral.
 */
import type { EnergyConstants } from '../energy/constants.js';
import { type CountedLayer, countedLayers } from '../energy/layers.js';
import {
  accessesOfLayer,
  accessesOfNeurons,
  energyOfAccesses,
  type MemoryAccesses,
  sumOfAccesses,
} from '../energy/memoryAccesses.js';
import { type PaperEnergy, paperEnergy } from '../energy/paperConvention.js';
import {
  additionsOfAttention,
  additionsOfConvolution,
  multiplicationsOfConvolution,
} from '../energy/synapticOperations.js';
import { UsageError } from '../errors.js';
import { metaSpikeformer } from '../models/metaSpikeformer.js';
import { countSpikes } from '../runtime/layout.js';
import type { FieldTensor, Model, PackedSpikes } from './model.js';
import { type NeuroBenchFigures, NeuroBenchMeter, pixelsOf } from './neuroBenchMeter.js';

export interface LayerOperations {
  readonly name: string;
  /** Additions that spikes caused, by time step, summed over the images. */
  readonly additions: number[];
  /** Multiplications of numbers, by time step, summed over the images. */
  readonly multiplications: number[];
}

export interface NeuronActivity {
  readonly name: string;
  /** Neurons per image. */
  readonly neurons: number;
  /** By time step, summed over the images. */
  readonly spikes: number[];
}

export interface EnergyMeasurement {
  readonly images: number;
  readonly timeSteps: number;
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
  };
}

/** Counts while batches are run. */
export class EnergyMeter {
  readonly #model: Model;
  readonly #constants: EnergyConstants;
  readonly #neurons = new Map<string, NeuronActivity>();
  readonly #operations = new Map<string, LayerOperations>();
  #layers: readonly CountedLayer[] | undefined;
  #neuroBench: NeuroBenchMeter | undefined;
  #images = 0;
  #size: readonly number[] = [];

  constructor(model: Model, constants: EnergyConstants) {
    this.#model = model;
    this.#constants = constants;
  }

  /**
   * Runs a batch and counts. @returns its logits.
   *
   * @throws UsageError when the images are not of the size of those before.
   */
  async run(input: FieldTensor): Promise<FieldTensor> {
    const { logits, spikeWords } = await this.#model.run(input, { record: { spikeWords: true } });
    this.count(input, spikeWords!);
    return logits;
  }

  /**
   * Counts a run that was made already.
   *
   * @param spikeWords What `Model.run` recorded for this input with `record.spikeWords`.
   * @throws As `run`.
   */
  count(input: FieldTensor, spikeWords: ReadonlyMap<string, PackedSpikes>): void {
    const size = input.shape.slice(-2);
    this.#layers ??= this.#layersFor(size as unknown as readonly [number, number]);
    if (size.some((length, axis) => length !== this.#size[axis]))
      throw new UsageError(`energy: images of ${size.join(' × ')} after images of ${this.#size.join(' × ')}`);
    const batch = input.shape.at(-4)!;
    this.#images += batch;
    for (const [name, packed] of spikeWords) this.#countSpikes(name, packed, batch);
    for (const layer of this.#layers) this.#countOperations(layer, spikeWords, batch);
    for (let t = 0; t < this.#model.configuration.timeSteps; t++)
      for (let image = 0; image < batch; image++)
        this.#neuroBench!.count(pixelsOf(input, t, image), (source) =>
          this.#wordsOf(spikeWords, source, batch, t, image),
        );
  }

  result(): EnergyMeasurement {
    if (!this.#layers || this.#images === 0) throw new UsageError('energy: no image was run');
    const { timeSteps } = this.#model.configuration;
    const images = this.#images;
    const { accumulate, multiplyAccumulate } = this.#constants;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const picojoulesOf = ({ additions, multiplications }: LayerOperations) =>
      accumulate * sum(additions) + multiplyAccumulate * sum(multiplications);
    const layers = [...this.#operations.values()];
    const neurons = [...this.#neurons.values()];
    const picojoules = layers.reduce((total, layer) => total + picojoulesOf(layer), 0);
    const shown = images * timeSteps;
    const rateOf = (name: string) => {
      const { neurons: count, spikes } = this.#neurons.get(name)!;
      return sum(spikes) / (count * shown);
    };
    const everyNeuron = neurons.reduce((total, layer) => total + layer.neurons, 0);
    const everySpike = neurons.reduce((total, { spikes }) => total + sum(spikes), 0);
    const additionsOfAttention = this.#layers
      .filter(({ kind }) => kind === 'attention')
      .reduce((total, { name }) => total + sum(this.#operations.get(name)!.additions), 0);
    return {
      images,
      timeSteps,
      neurons,
      layers,
      exactMillijoules: (picojoules / images) * 1e-9,
      paper: paperEnergy(this.#layers, rateOf, timeSteps, this.#constants),
      neuroBench: this.#neuroBench!.result(images, everySpike / (everyNeuron * shown), additionsOfAttention),
      memory: this.#memory(this.#layers, picojoulesOf, everyNeuron * shown),
    };
  }

  #memory(
    counted: readonly CountedLayer[],
    picojoulesOf: (layer: LayerOperations) => number,
    updates: number,
  ): EnergyMeasurement['memory'] {
    const images = this.#images;
    const shown = images * this.#model.configuration.timeSteps;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const { memory } = this.#constants;
    const rows = counted.map(({ name, kind, sources, spikeFed }) => {
      const operations = this.#operations.get(name)!;
      const read = spikeFed ? sources.reduce((total, source) => total + this.#neurons.get(source)!.neurons, 0) : 0;
      const accesses = accessesOfLayer({
        kind,
        additions: sum(operations.additions),
        multiplications: sum(operations.multiplications),
        neuronsRead: read * shown,
      });
      return { name, accesses, picojoules: picojoulesOf(operations) + energyOfAccesses(accesses, memory) };
    });
    const ofNeurons = accessesOfNeurons(updates);
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
    };
  }

  #layersFor(size: readonly [number, number]): readonly CountedLayer[] {
    this.#size = size;
    this.#neuroBench = new NeuroBenchMeter(this.#model, size);
    return countedLayers(metaSpikeformer(this.#model.configuration), size);
  }

  #countSpikes(name: string, { shape, words }: PackedSpikes, batch: number): void {
    const timeSteps = shape[0]!;
    const neurons = shape.slice(2).reduce((a, b) => a * b, 1);
    const known = this.#neurons.get(name) ?? { name, neurons, spikes: new Array<number>(timeSteps).fill(0) };
    this.#neurons.set(name, known);
    const perStep = words.length / timeSteps;
    for (let t = 0; t < timeSteps; t++) known.spikes[t]! += countSpikes(words.subarray(t * perStep, (t + 1) * perStep));
    if (shape[1] !== batch) throw new Error(`${name}: spikes of ${shape[1]} images in a batch of ${batch}`);
  }

  #countOperations(layer: CountedLayer, spikes: ReadonlyMap<string, PackedSpikes>, batch: number): void {
    const { timeSteps } = this.#model.configuration;
    const zeros = () => new Array<number>(timeSteps).fill(0);
    const known = this.#operations.get(layer.name) ?? {
      name: layer.name,
      additions: zeros(),
      multiplications: zeros(),
    };
    this.#operations.set(layer.name, known);
    for (let t = 0; t < timeSteps; t++) {
      if (!layer.spikeFed) {
        // Numbers arrive at every step, whether or not anything fired.
        known.multiplications[t]! += batch * (layer.geometry ? multiplicationsOfConvolution(layer.geometry) : 0);
        continue;
      }
      for (let image = 0; image < batch; image++)
        known.additions[t]! += additionsOf(layer, (source) => this.#wordsOf(spikes, source, batch, t, image));
    }
  }

  /** The spikes of a neuron layer for one image and time step. */
  #wordsOf(
    spikes: ReadonlyMap<string, PackedSpikes>,
    source: string,
    batch: number,
    t: number,
    image: number,
  ): Uint32Array {
    const { words } = spikes.get(source)!;
    const length = words.length / (this.#model.configuration.timeSteps * batch);
    const start = (t * batch + image) * length;
    return words.subarray(start, start + length);
  }
}

function additionsOf(layer: CountedLayer, wordsOf: (source: string) => Uint32Array): number {
  if (layer.geometry) return additionsOfConvolution(wordsOf(layer.sources[0]!), layer.geometry);
  const [query, key, value] = layer.sources as [string, string, string];
  const { counting, selecting } = additionsOfAttention(wordsOf(query), wordsOf(key), wordsOf(value), layer.attention!);
  return counting + selecting;
}
