/** What goes into a model and what comes out of it, as types: the vocabulary of `model.ts`. */
import type { RecordedPictures } from '../data/events/recordedPictures.js';
import type { RgbImage } from '../data/image.js';
import type { SkeletonSample } from '../data/skeletons/preparations.js';
import type { SpikeCounts } from '../energy/spikeCounting.js';
import type { Engine } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import type { FieldTensor, Outputs, Recorded, RecordOptions } from '../inference/types.js';
import type { ChosenWeights } from '../interop/loadParameters.js';
import type { RecordedEvents } from '../modalities/events/eventsInput.js';
import type { SampleShape } from '../modalities/input.js';
import type { AnyPreprocessing } from '../modalities/inputs.js';
import type { ModalityName } from '../modalities/names.js';
import type { NetworkConfiguration } from '../models/architecture.js';
import type { PrepareOptions } from '../runtime/prepare.js';
import type { Original, RegionOptions } from '../tasks/task.js';

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
  readonly configuration: NetworkConfiguration;
  /** Classification unless it says otherwise. */
  readonly task?: string;
  /** Images unless it says otherwise. */
  readonly modality?: ModalityName;
  readonly parameters: Parameters;
  readonly engine: Engine;
  readonly provenance: Provenance;
  /** Of its modality. */
  readonly preprocessing: AnyPreprocessing;
  /** How the data of its training was read, such as in clips; nothing by default. */
  readonly reading?: object;
  /** Turns what a person has of a sample (a path, bytes, a canvas) into pixels or events; platforms differ. */
  readonly decode?: SampleReaders;
  /** Names of the classes, in the order of the logits. */
  readonly labels?: readonly string[];
  /** How the network is rewritten before it runs. */
  readonly prepare?: Omit<PrepareOptions, 'input'>;
}

/**
 * An image: a path (in a browser an address), an address as `URL`, a file, the bytes of a file (JPEG, PNG, …), or decoded pixels.
 */
export type ImageSource = string | URL | Blob | Uint8Array | ArrayBuffer | RgbImage;

/** As {@link ImageSource}, for a model that looks at recordings: a path, an address, a file, the bytes of a recording, or its events. */
export type RecordingSource = string | URL | Blob | Uint8Array | ArrayBuffer | RecordedEvents;

/** As {@link RecordingSource}, for a model that looks at recordings stored as pictures: the path of a folder, or its decoded pictures. */
export type PictureRecordingSource = string | URL | RecordedPictures;

/** As {@link ImageSource}, for a model that looks at skeletons: a path, an address, a file, the bytes of a sequence, or its joints. */
export type SkeletonSource = string | URL | Blob | Uint8Array | ArrayBuffer | SkeletonSample;

/** What a model is asked about: of its modality. */
export type SampleSource = ImageSource | RecordingSource | PictureRecordingSource | SkeletonSource;

/** How a platform reads samples, by their modality. */
export interface SampleReaders {
  readonly image: (image: ImageSource) => Promise<RgbImage>;
  readonly events: (recording: RecordingSource) => Promise<RecordedEvents>;
  readonly eventPictures: (recording: PictureRecordingSource) => Promise<RecordedPictures>;
  readonly skeletons: (sequence: SkeletonSource) => Promise<SkeletonSample>;
}

/** What goes into a model: `frames` time steps (undefined for images), `channels`, and `places`, height and width. */
export interface ModelInput extends SampleShape {
  readonly modality: ModalityName;
  /** How samples become floats: of images `PreprocessSettings`, of recordings `EventPreprocessing`, of those stored as pictures `PicturePreprocessing`, of skeletons `SkeletonPreprocessing`. */
  readonly preprocessing: AnyPreprocessing;
  /** How the data of the training was read, such as `{ clip: 0.5 }`; empty by default. */
  readonly reading: object;
  /** Height and width that the input is spoken of by. */
  readonly size: readonly [height: number, width: number];
}

export type { RegionOptions } from '../tasks/task.js';

export interface RunOptions {
  /** What to keep beside the logits. Recording costs memory: kept tensors cannot share theirs. */
  readonly record?: Omit<RecordOptions, 'observed'> & {
    /** What the spikes caused, as `EnergyMeter` adds it up, counted where they are made. */
    readonly counts?: boolean;
  };
  /** Of a detector with regions: which ones it is asked about. */
  readonly regions?: RegionOptions;
}

export interface RunResult extends Recorded {
  /** `[B, classes]`: the output `logits`; with distillation the mean of both heads. */
  readonly logits: FieldTensor;
  /** Everything that the network gives out, by name: `logits`, and with distillation `head` and `head_kd`, which it is the mean of. */
  readonly outputs: Outputs;
  /** With `record.counts`. */
  readonly counts?: SpikeCounts;
  /** Wall-clock time of the network itself, without decoding and layout. */
  readonly milliseconds: number;
}

export interface AnswerOptions {
  /** How many answers at most, of classes or boxes; all by default. */
  readonly top?: number;
  /** Answers of less probability are left out; by default the task's own threshold. */
  readonly threshold?: number;
}

/** Windows over an image, in pixels. */
export interface ImageWindows {
  /** Height and width, 8 to 2048 each; by default those of the model's input. */
  readonly size?: readonly [height: number, width: number];
  /** From one window to the next, downwards and to the right: at least 1, at most the window's side; by default two thirds of it. */
  readonly stride?: readonly [down: number, right: number];
}

/**
 * How all of an image is seen, where it would be cropped or fitted otherwise: `whole`, at once and at its own size, or in windows of one size, whose scores are averaged where they
 * overlap. Where the preprocessing resizes the shorter side, the image has that size.
 */
export type ImageView = 'whole' | ImageWindows;

/** What a network said of all of an image. */
export interface ViewedImage {
  /** In the image's own pixels, for `answers`. */
  readonly outputs: Outputs;
  /** The image's size, for `answers`. */
  readonly original: Original;
  /** What the network was shown, or the first of it: `[1, C, H, W]`. */
  readonly input: FieldTensor;
  /** What was asked to be recorded of the first run. */
  readonly recorded: Recorded;
  /** How often the network ran. */
  readonly runs: number;
  /** Wall-clock time of the network itself, all runs together. */
  readonly milliseconds: number;
  /** What the first run took beside that: nearly nothing for a size that is known, else compiling. */
  readonly compileMilliseconds: number;
}

/** How one sample is looked at, and how its answers are read. */
export interface AskOptions extends AnswerOptions {
  /** Of a segmentation: all of the image instead of what the preprocessing shows. */
  readonly view?: ImageView;
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
  /** As `meanLogits`, for every output by its name. */
  readonly meanOutputs: Outputs;
}
