/**
 * The energy of a model on images that flow through it: spikes and operations counted layer by layer and step by step, then joules in two
 * conventions. What is counted and how is `energy/`'s business; here spikes meet layers. Platform-neutral.
 */
import type { EnergyConstants } from '../energy/constants.js';
import { type CountedLayer, countedLayers } from '../energy/layers.js';
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
}

/** Counts while batches are run. */
export class EnergyMeter {
  readonly #model: Model;
  readonly #constants: EnergyConstants;
  readonly #neurons = new Map<string, NeuronActivity>();
  readonly #operations = new Map<string, LayerOperations>();
  #layers: readonly CountedLayer[] | undefined;
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
    const size = input.shape.slice(-2);
    this.#layers ??= this.#layersFor(size as unknown as readonly [number, number]);
    if (size.some((length, axis) => length !== this.#size[axis]))
      throw new UsageError(`energy: images of ${size.join(' × ')} after images of ${this.#size.join(' × ')}`);
    const { logits, spikeWords } = await this.#model.run(input, { record: { spikeWords: true } });
    const batch = input.shape.at(-4)!;
    this.#images += batch;
    for (const [name, packed] of spikeWords!) this.#countSpikes(name, packed, batch);
    for (const layer of this.#layers) this.#countOperations(layer, spikeWords!, batch);
    return logits;
  }

  result(): EnergyMeasurement {
    if (!this.#layers || this.#images === 0) throw new UsageError('energy: no image was run');
    const { timeSteps } = this.#model.configuration;
    const images = this.#images;
    const { accumulate, multiplyAccumulate } = this.#constants;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    let picojoules = 0;
    for (const { additions, multiplications } of this.#operations.values())
      picojoules += accumulate * sum(additions) + multiplyAccumulate * sum(multiplications);
    const rateOf = (name: string) => {
      const { neurons, spikes } = this.#neurons.get(name)!;
      return sum(spikes) / (neurons * images * timeSteps);
    };
    return {
      images,
      timeSteps,
      neurons: [...this.#neurons.values()],
      layers: [...this.#operations.values()],
      exactMillijoules: (picojoules / images) * 1e-9,
      paper: paperEnergy(this.#layers, rateOf, timeSteps, this.#constants),
    };
  }

  #layersFor(size: readonly [number, number]): readonly CountedLayer[] {
    this.#size = size;
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
      const wordsOf = (source: string, image: number) => {
        const { words } = spikes.get(source)!;
        const length = words.length / (timeSteps * batch);
        const start = (t * batch + image) * length;
        return words.subarray(start, start + length);
      };
      for (let image = 0; image < batch; image++)
        known.additions[t]! += additionsOf(layer, (source) => wordsOf(source, image));
    }
  }
}

function additionsOf(layer: CountedLayer, wordsOf: (source: string) => Uint32Array): number {
  if (layer.geometry) return additionsOfConvolution(wordsOf(layer.sources[0]!), layer.geometry);
  const [query, key, value] = layer.sources as [string, string, string];
  const { counting, selecting } = additionsOfAttention(wordsOf(query), wordsOf(key), wordsOf(value), layer.attention!);
  return counting + selecting;
}
