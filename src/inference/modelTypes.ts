/** What goes into a model and what comes out of it, as types: the vocabulary of whoever runs a network. */
import type { RgbImage } from '../data/image.js';
import type { PreprocessSettings } from '../data/preprocess.js';
import type { SpikeCounts } from '../energy/spikeCounting.js';
import type { Engine } from '../engines/kernels.js';
import type { Graph, Parameters } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { NeuronInput } from '../insight/membrane.js';
import type { ChosenWeights } from '../interop/loadParameters.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import type { Executable } from '../runtime/compile.js';
import type { PrepareOptions } from '../runtime/prepare.js';

/** Where a model's weights come from; printed wherever its answers are. */
export interface Provenance {
  readonly name: string;
  /** True for weights nobody trained: its answers mean nothing. */
  readonly randomWeights: boolean;
  readonly description: string;
  /** The time steps that the weights were trained at; undefined where the file does not say. */
  readonly trainedTimeSteps?: number;
  /** Which weights of a checkpoint were taken, and the names of the others. */
  readonly weights?: ChosenWeights;
  /** What a person should know of that choice, and of a network that nobody described; a line each. */
  readonly notes?: readonly string[];
}

export interface ModelParts {
  /** Meta-SpikeFormer unless it says otherwise. */
  readonly architecture?: string;
  readonly configuration: MetaSpikeformerConfiguration;
  readonly parameters: Parameters;
  readonly engine: Engine;
  readonly provenance: Provenance;
  readonly preprocessing: PreprocessSettings;
  /** Turns what a person has of an image (a path, bytes, a canvas) into pixels; platforms differ. */
  readonly decode?: (image: ImageSource) => Promise<RgbImage>;
  /** Names of the classes, in the order of the logits. */
  readonly labels?: readonly string[];
  /** How the network is rewritten before it runs. */
  readonly prepare?: Omit<PrepareOptions, 'input'>;
}

/**
 * An image: a path (in a browser an address), an address as `URL`, a file, the bytes of a file (JPEG, PNG, …), or decoded pixels.
 */
export type ImageSource = string | URL | Blob | Uint8Array | ArrayBuffer | RgbImage;

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

export interface RunOptions {
  /** What to keep beside the logits. Recording costs memory: kept tensors cannot share theirs. */
  readonly record?: {
    readonly spikes?: boolean;
    readonly activations?: boolean;
    readonly firingRates?: boolean;
    /** Spikes as the engine packs them, for counting. */
    readonly spikeWords?: boolean;
    /** What the spikes caused, as `EnergyMeter` adds it up, counted where they are made; not with `step`. */
    readonly counts?: boolean;
    /** Neuron layers whose input is kept, from which `membraneTrace` tells what a neuron did; not with `step`. */
    readonly inputCurrents?: readonly string[];
    /** Runs once more, layer by layer. Engines that cannot measure layers give nothing. */
    readonly timings?: boolean;
  };
}

export interface RunResult {
  /** `[B, classes]`: the output `logits`; with distillation the mean of both heads. */
  readonly logits: FieldTensor;
  /** Everything that the network gives out, by name: `logits`, and with distillation `head` and `head_kd`, which it is the mean of. */
  readonly outputs: ReadonlyMap<string, FieldTensor>;
  /** By the name of the neuron layer; with `record.spikes`. */
  readonly spikes?: ReadonlyMap<string, SpikeRecord>;
  /** By the name of the neuron layer; with `record.spikeWords`. */
  readonly spikeWords?: ReadonlyMap<string, PackedSpikes>;
  /** With `record.counts`. */
  readonly counts?: SpikeCounts;
  /** What flows into the neurons; with `record.inputCurrents`. */
  readonly inputCurrents?: ReadonlyMap<string, NeuronInput>;
  /** Outputs of the authors' modules, `[T, B, C, H, W]`; with `record.activations`. */
  readonly activations?: ReadonlyMap<string, FieldTensor>;
  /** Share of neurons that fire, by layer, over all time steps and images; with `record.firingRates`. */
  readonly firingRates?: ReadonlyMap<string, number>;
  /** Wall-clock time by kernel call, named after its layer; with `record.timings`. */
  readonly layerMilliseconds?: ReadonlyMap<string, number>;
  /** Wall-clock time of the network itself, without decoding and layout. */
  readonly milliseconds: number;
}

/** What must be known of a model to run it and to tell what its runs cost; every `Model` is one. */
export interface RunnableModel {
  readonly configuration: MetaSpikeformerConfiguration;
  /** The network as its architecture defines it. */
  readonly graph: Graph;
  /** By their names in the authors' `state_dict`. */
  readonly parameters: Parameters;
  run(input: FieldTensor, options?: RunOptions): Promise<RunResult>;
}

export interface Prediction {
  /** Index of the class. */
  readonly index: number;
  readonly label: string;
  /** Softmax of the logits. */
  readonly probability: number;
}

/** What one frame of a sequence gave. */
export interface StepResult extends RunResult {
  /** Frames since the state was reset, this one included. */
  readonly step: number;
  /** `[B, classes]`: the mean of the logits of all these frames; after T of them what `run` gives for the T frames at once. */
  readonly meanLogits: FieldTensor;
}

/** A sequence that is run frame by frame. */
export interface Stream {
  readonly shape: Shape;
  readonly executable: Executable;
  readonly records: readonly string[];
  readonly sum: Float64Array;
  steps: number;
}
