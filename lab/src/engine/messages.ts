/** What the page and the worker with the engine say to each other. Types only: both sides import it and neither grows. */

import type { AttentionHead, EnergyConstants, MembraneTrace, NeuronLayer } from '../../../src/index.browser.js';
import type { DenseView, Place } from '../dense/denseView.js';

export type Precision = 'f32' | 'i16';
export type SpikeKernel = 'table' | 'dense';

/** Null: as the model has it, or as many threads as there are processors. */
export interface EngineSettings {
  readonly timeSteps: number | null;
  readonly threshold: number | null;
  readonly precision: Precision;
  readonly kernel: SpikeKernel;
  readonly threads: number | null;
}

/** What weights do not tell; absent: what the file says, else the authors' values. */
export interface Unseen {
  readonly heads?: number;
  readonly strides?: [number, number, number, number, number];
  /** Side of the square that images become. */
  readonly imageSize?: number;
}

export type ModelSource =
  | { readonly kind: 'registered'; readonly name: string }
  | { readonly kind: 'file'; readonly file: File; readonly unseen: Unseen };

/** What is being looked at more closely; spikes of everything else stay in the worker. */
export interface Focus {
  readonly layer: string | null;
  /** Position null: the middle of the map. */
  readonly neuron: { readonly channel: number; readonly position: number | null };
  /** Such as `block3.0.attn`. */
  readonly attention: string | null;
}

/** A frame of the camera, which belongs to whoever it was sent to. */
export type Frame = VideoFrame | ImageBitmap;

export type ToWorker =
  | { readonly kind: 'open'; readonly source: ModelSource; readonly settings: EngineSettings }
  | { readonly kind: 'settings'; readonly settings: EngineSettings }
  | { readonly kind: 'focus'; readonly focus: Focus }
  /** A photograph, or a frame of the camera. */
  | { readonly kind: 'image'; readonly image: Blob | Frame; readonly live: boolean }
  /** A picture of a gallery, to be described by a network for retrieval. */
  | { readonly kind: 'describe'; readonly id: number; readonly image: Blob };

export interface ModelInfo {
  readonly name: string;
  readonly description: string;
  readonly randomWeights: boolean;
  readonly parameters: number;
  readonly labels: readonly string[];
  readonly hasLabels: boolean;
  readonly heads: number;
  readonly strides: readonly number[];
  readonly layers: readonly NeuronLayer[];
  /** Height and width of what the network receives. */
  readonly inputSize: readonly [number, number];
  /** Share of the shorter side of an image that the network sees. */
  readonly field: number;
  /** Whether the whole image is to be seen, and not the square that the network sees: where answers have places, or what it sees is no centred square. */
  readonly whole: boolean;
  /** Whether it answers with descriptors, which are compared with those of other pictures. */
  readonly describes: boolean;
  /** What the weights come with, before anyone changed it. */
  readonly own: { readonly timeSteps: number; readonly threshold: number };
  readonly timeSteps: number;
  readonly threshold: number;
  /** What to know before believing the answers, a sentence each. */
  readonly warnings: readonly string[];
  readonly precision: Precision;
  readonly kernel: SpikeKernel;
  readonly threads: number;
  /** Threads that could be had: one without shared memory. */
  readonly availableThreads: number;
  readonly sharedMemory: boolean;
  readonly loadMilliseconds: number;
}

export interface ScoredClass {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
  readonly logit: number;
}

export interface AttentionView {
  readonly name: string;
  readonly size: readonly [height: number, width: number];
  /** By time step, then by head. */
  readonly steps: readonly (readonly AttentionHead[])[];
}

/** The spikes of one layer. */
export interface SpikesView {
  readonly layer: string;
  /** The layer's name as people say it. */
  readonly title: string;
  /** All time steps, channels last, 32 to a word; see `PackedSpikes` of the library. */
  readonly words: Uint32Array;
  readonly timeSteps: number;
  readonly channels: number;
  readonly size: readonly [height: number, width: number];
  /** The one that is marked. */
  readonly neuron: { readonly channel: number; readonly position: number } | null;
}

export interface FocusView extends SpikesView {
  readonly neuron: { readonly channel: number; readonly position: number };
  readonly trace: MembraneTrace;
}

export interface FrameView {
  readonly live: boolean;
  /** Which configuration of the engine it was: counts up with each `ready`. */
  readonly configuration: number;
  /** Counts images; what is shown of one image in several ways has one number. */
  readonly image: number;
  /** The image's size in pixels, and where the network looked. */
  readonly size: { readonly width: number; readonly height: number };
  readonly place: Place;
  /** A mask or boxes; null for a classifier. */
  readonly dense: DenseView | null;
  /** Of length 1, of a network for retrieval; null for another. */
  readonly descriptor: Float32Array<ArrayBuffer> | null;
  /** The five most probable of a classifier. */
  readonly classes: readonly ScoredClass[];
  readonly milliseconds: { readonly decode: number; readonly network: number };
  /** Share of neurons that fired, `[layers, T]`. */
  readonly rates: Float32Array;
  /** What the network received, as pixels again. */
  readonly input: { readonly width: number; readonly height: number; readonly rgba: Uint8ClampedArray<ArrayBuffer> };
  readonly focus: FocusView | null;
  readonly attention: AttentionView | null;
}

export interface EnergyView {
  readonly configuration: number;
  readonly image: number;
  /** Millijoules. */
  readonly paper: number;
  readonly exact: number;
  readonly ann: number;
  /** Reads and writes of memory, by the model of docs/energy.md; not in the three above. */
  readonly memory: number;
  readonly constants: EnergyConstants;
}

/** The answer about a picture of a gallery: its descriptor, or why there is none. */
export interface DescribedView {
  readonly id: number;
  readonly configuration: number;
  readonly descriptor: Float32Array<ArrayBuffer> | null;
  readonly problem: string | null;
}

/** What the page says itself when the worker is gone. */
export interface Stopped {
  readonly kind: 'failed';
  readonly what: 'model';
  readonly message: string;
}

export type FromWorker =
  /** Networks that come with the library. */
  | { readonly kind: 'networks'; readonly names: readonly string[] }
  | { readonly kind: 'progress'; readonly what: string; readonly share: number | null }
  | { readonly kind: 'ready'; readonly configuration: number; readonly model: ModelInfo }
  | { readonly kind: 'frame'; readonly frame: FrameView }
  | { readonly kind: 'looked'; readonly focus: FocusView | null; readonly attention: AttentionView | null }
  | { readonly kind: 'energy'; readonly energy: EnergyView }
  | { readonly kind: 'described'; readonly described: DescribedView }
  | { readonly kind: 'failed'; readonly what: 'model' | 'image' | 'frame'; readonly message: string };
