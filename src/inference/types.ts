/** What goes into a run of a network and what comes out of it, as types: the vocabulary of everyone who runs one. */
import type { Shape } from '../graph/shape.js';

/** A tensor in the field's layout. */
export interface FieldTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

export interface SpikeRecord {
  /** `[T, B, C, H, W]`, `[T, B, C, N]` or `[T, B, C]`. */
  readonly shape: Shape;
  /** One bit per neuron in C-order, most significant bit first. */
  readonly bits: Uint8Array;
}

/** Spikes channels last, 32 channels to a word, the first in the lowest bit, each position beginning a new word. */
export interface PackedSpikes {
  /** `[T, B, H, W, C]`, `[T, B, N, C]` or `[T, B, C]`. */
  readonly shape: Shape;
  readonly words: Uint32Array;
}

/** Input of a neuron layer over all time steps, and the constants of its neurons. */
export interface NeuronInput {
  /** `[T, B, C, H, W]`, `[T, B, C, N]` or `[T, B, C]`. */
  readonly shape: Shape;
  readonly data: Float32Array;
  /** τ, in time steps. */
  readonly tau: number;
  /** θ: the membrane at which the neuron fires. */
  readonly threshold: number;
  /** The name of the neurons' operator; `lif` when not given. */
  readonly neuron?: string;
}

/** What to keep of a single frame beside the outputs. Recording costs memory: kept tensors cannot share theirs. */
export interface FrameRecordOptions {
  readonly spikes?: boolean;
  readonly activations?: boolean;
  readonly firingRates?: boolean;
  /** Spikes as the engine packs them, for counting. */
  readonly spikeWords?: boolean;
  /** What the observer sees, if the network has one. */
  readonly observed?: boolean;
}

/** What to keep of a run beside the outputs. */
export interface RecordOptions extends FrameRecordOptions {
  /** Neuron layers whose input is kept, from which `membraneTrace` tells what a neuron did; not frame by frame. */
  readonly inputCurrents?: readonly string[];
  /** Runs once more, layer by layer. Engines that cannot measure layers give nothing. */
  readonly timings?: boolean;
}

/** What was asked for; the rest is undefined. */
export interface Recorded {
  /** By the name of the neuron layer; with `record.spikes`. */
  readonly spikes?: ReadonlyMap<string, SpikeRecord>;
  /** By the name of the neuron layer; with `record.spikeWords`. */
  readonly spikeWords?: ReadonlyMap<string, PackedSpikes>;
  /** What flows into the neurons; with `record.inputCurrents`. */
  readonly inputCurrents?: ReadonlyMap<string, NeuronInput>;
  /** Outputs of the authors' modules, `[T, B, C, H, W]`, `[T, B, C, N]` or `[T, B, C]`; with `record.activations`. */
  readonly activations?: ReadonlyMap<string, FieldTensor>;
  /** Share of neurons that fire, by layer, over all time steps and images; with `record.firingRates`. */
  readonly firingRates?: ReadonlyMap<string, number>;
  /** Wall-clock time by kernel call, named after its layer; with `record.timings`. */
  readonly layerMilliseconds?: ReadonlyMap<string, number>;
}

/** The named outputs of a network. What they mean is not known here. */
export type Outputs = ReadonlyMap<string, FieldTensor>;

export interface Answer<Observed = never> extends Recorded {
  /** Everything that the network gives out, by name, in the order of the graph. */
  readonly outputs: Outputs;
  /** With `record.observed`. */
  readonly observed?: Observed;
  /** Wall-clock time of the network itself, without decoding and layout. */
  readonly milliseconds: number;
}

/** What one frame of a sequence gave. */
export interface FrameAnswer<Observed = never> extends Answer<Observed> {
  /** Frames since the state was reset, this one included. */
  readonly step: number;
  /** By output, the mean over all these frames; after T of them what the T frames give at once, for outputs that are a mean over time. */
  readonly meanOutputs: Outputs;
}
