/** What the pane of recordings and the worker with the engine say to each other. Types only: both sides import it and neither grows. */
import type { EventFormatName, Sensor } from '../../../src/index.browser.js';
import type { ModelInfo, ScoredClass, SpikesView } from '../engine/messages.js';

export type NetworkSource =
  /** Null: the first that comes with the page. */
  { readonly kind: 'registered'; readonly name: string | null } | { readonly kind: 'file'; readonly file: File };

/** What is looked at more closely: a layer in all windows, null the first, and the frame of one window. */
export interface EventFocus {
  readonly layer: string | null;
  /** From 0. */
  readonly window: number;
}

export type ToEvents =
  | { readonly kind: 'open'; readonly source: NetworkSource }
  | { readonly kind: 'recording'; readonly file: Blob; readonly name: string }
  | { readonly kind: 'focus'; readonly focus: EventFocus };

/** As the worker, which serves both panes, gets it. */
export interface ToEventWorker {
  readonly kind: 'events';
  readonly message: ToEvents;
}

export interface EventNetwork
  extends Pick<ModelInfo, 'name' | 'description' | 'parameters' | 'labels' | 'hasLabels' | 'layers' | 'warnings'> {
  /** How many windows an answer is about. */
  readonly timeSteps: number;
  /** How a recording is cut, in words. */
  readonly windows: string;
  /** Height and width of its frames. */
  readonly size: readonly [number, number];
  readonly threads: number;
}

/** Events in the order of time; columns as in the library. */
export interface RecordingView {
  readonly name: string;
  readonly format: EventFormatName;
  /** As the file says, else as its events reach. */
  readonly sensor: Sensor;
  readonly length: number;
  readonly t: Float64Array;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
  readonly p: Uint8Array;
}

/** What the network says after a window, and what that took. */
export interface WindowView {
  /** In microseconds of the recording. */
  readonly from: number;
  readonly to: number;
  readonly events: number;
  /** The five most probable. */
  readonly classes: readonly ScoredClass[];
  /** Of all classes, in their order. */
  readonly probabilities: Float32Array;
  readonly milliseconds: { readonly frame: number; readonly network: number };
  readonly millijoules: number;
  /** Share of neurons that fired, by layer. */
  readonly rates: Float32Array;
}

/** What the network receives of a window, `[channels, height, width]`. */
export interface FrameValues {
  readonly window: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

export type FromEvents =
  | { readonly kind: 'progress'; readonly what: string; readonly share: number | null }
  /** The networks that come with the page; `ready` follows for one of them. */
  | { readonly kind: 'networks'; readonly names: readonly string[] }
  | { readonly kind: 'ready'; readonly network: EventNetwork }
  | { readonly kind: 'recording'; readonly recording: RecordingView }
  /** The network begins with a recording; what it said before is of another. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'windows'; readonly windows: readonly WindowView[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'looked'; readonly spikes: SpikesView | null; readonly frame: FrameValues | null }
  /** Something that a person should know, in one line. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'failed'; readonly what: 'model' | 'recording'; readonly message: string };
