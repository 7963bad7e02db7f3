/**
 * What is asked of a network, as the rest of the program sees it: which outputs learn and how, how good answers are, and what a person is
 * told. One folder beside this file for each task, and a line in `registry.ts`. Training, evaluation and the commands know tasks by this
 * interface only.
 */
import type { ZodObject, ZodRawShape, ZodType, z } from 'zod';
import type { Placement } from '../data/geometry/placement.js';
import type { Size } from '../data/resize.js';
import type { TargetStore } from '../data/targets/stores.js';
import type { Graph } from '../graph/graph.js';
import type { DetectionStrides, Head } from '../models/head.js';
import type { BetweenTensor, Follow } from '../models/later.js';
import type { Judgement, Sums } from './judgement.js';
import type { LaterObjective } from './laterObjective.js';

export type { Judgement, Sums } from './judgement.js';

/** The settings of a schema, defaults filled in. */
export type SettingsOf<Shape extends ZodRawShape> = z.output<ZodObject<Shape>>;

/** What a task knows of the network that answers. */
export interface AnsweringNetwork {
  /** How many numbers it answers with for each sample: the classes of a classifier. */
  readonly classes: number;
  readonly timeSteps: number;
  /** Whether it has a second head that learns from a teacher. */
  readonly distillation?: boolean;
  /** Channels of its feature pyramid, where it has one. */
  readonly pyramidChannels?: number | undefined;
  /** Of a detector with regions: the width of the head that classifies them. */
  readonly regionChannels?: number | undefined;
  /** Where its anchors and regions lie. */
  readonly detectionStrides?: DetectionStrides | undefined;
}

/** Image files and what lies beside them. */
export interface AnnotatedFiles {
  /** What messages call the folder. */
  readonly name: string;
  /** Names of the image files, sorted. */
  readonly images: readonly string[];
  /** A text file of this name in the folder; undefined when there is none. Throws DataError when it cannot be read. */
  text(name: string): Promise<string | undefined>;
}

/**
 * Where the answers that a network learns stand: in the names of folders (and in data sets of class numbers), in annotations beside image
 * files, in masks, a class for every pixel, or in boxes, of data sets whose layouts are known. `read` checks everything that is annotated and throws
 * DataError with all that is wrong, before any work.
 */
export type TargetReading<Store> =
  | { readonly from: 'classFolders' }
  | { readonly from: 'annotations'; read(files: AnnotatedFiles): Promise<Store> }
  | { readonly from: 'masks' }
  | { readonly from: 'boxes' }
  | { readonly from: 'places' };

/** Something in a recipe that does not fit, and the field that says so. */
export interface TaskProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** As much of a recipe as a task may compare its settings with; what is not right by itself is undefined. */
export interface RecipeAround {
  readonly model: { readonly [Key in keyof AnsweringNetwork]?: AnsweringNetwork[Key] | undefined } | undefined;
  /** Whether samples of a batch are mixed (mixup, CutMix). */
  readonly mixes: boolean;
}

/** A network that answers beside the one that learns. */
export interface TeacherRequest {
  /** A checkpoint of ours, or an ONNX file. */
  readonly path: string;
  /** What the teacher's images are normalised with; null: what its checkpoint says, else the student's. */
  readonly normalisation: { readonly mean: readonly number[]; readonly std: readonly number[] } | null;
}

/**
 * A loss that engines have a kernel for: the cross entropy of the softmax of each row of an output, its mean over the rows, as
 * `training/losses/crossEntropy.ts` has it. Loss and gradient are those of `judge` but for the rounding of a float32.
 */
export interface RowsOfScores<Batch> {
  /** Its last axis is the classes. */
  readonly output: string;
  readonly classes: number;
  readonly labelSmoothing: number;
  /** What the rows are compared with. */
  compared(batch: Batch): {
    /** Class numbers, one for each row. */
    readonly labels: Int32Array;
    /** A label that says that a row has no answer: it is left out of the mean. */
    readonly leftOut?: number;
    /** Soft targets of mixed samples, laid out as the output; then labels are only counted by. */
    readonly targets?: Float32Array;
  };
  /** As `Judgement.sums`, from the likeliest class of each row. */
  sums(likeliest: Float32Array, batch: Batch): Sums;
}

/** What training minimises. `Batch` is what the loader gives beside the samples, and the teacher's answers if one was asked for. */
export interface Objective<Batch> {
  /** The network with the outputs that `judge` reads, and without what only others need. */
  prepare(graph: Graph): Graph;
  /** What it keeps between steps, by name: part of the run's state, saved and restored in place. Absent where each step stands for itself. */
  readonly memory?: ReadonlyMap<string, Float32Array>;
  /** Those outputs that `judge` only counts by; the others learn. */
  readonly observed: readonly string[];
  /**
   * Where the outputs are large (a score for each class and pixel), a loss that the engine computes in place of `judge`: outputs are not read
   * back from it, nor gradients written.
   */
  readonly onEngine?: RowsOfScores<Batch>;
  /** For a network that is several graphs one after the other; given what `prepare` made. Absent where there is one graph. */
  later?(graph: Graph): LaterObjective<Batch>;
  /**
   * @param outputs As the engine lays them out: channels last, the samples of a batch one after the other, and its time steps around them
   *   where `prepare` asked for an output before its mean over time.
   * @param share Weight of this batch where several make one update.
   * @param shapes Of the outputs, as they are laid out.
   */
  judge(
    outputs: ReadonlyMap<string, Float32Array>,
    batch: Batch,
    share: number,
    shapes: ReadonlyMap<string, readonly number[]>,
  ): Judgement;
}

/** What a network gave out for a batch, by the output's name, in the field's layout `[B, ...]`. */
export type Outputs = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** Counts while batches arrive. */
export interface Counter<Batch, Counts> {
  add(outputs: Outputs, batch: Batch): void;
  counts(): Counts;
}

/** How good answers are. `Counts` is plain data that can be added up over batches, shards and machines. */
export interface Metric<Batch, Counts> {
  /** The name of the figure that weights are chosen by, such as `accuracy`: it stands in metrics, states and documents. */
  readonly name: string;
  counter(): Counter<Batch, Counts>;
  /** The counts over the samples of all parts together. Throws UsageError when they do not belong together. */
  merge(parts: readonly Counts[]): Counts;
  /** Undefined without samples. */
  figure(counts: Counts): number | undefined;
  /** Whether the figure `a` is better than `b`. */
  better(a: number, b: number): boolean;
  /** A figure over what was trained on, out of sums that come with the loss: this one, or another of the name that is given. */
  readonly progress: {
    readonly name?: string;
    readonly sums: readonly string[];
    figure(sums: Sums, samples: number): number;
  };
  readonly words: FigureWords;
}

/** The name of a field that holds a figure: `heldOut` and `accuracy` become `heldOutAccuracy`. */
export function qualified(what: string, figureName: string): string {
  return `${what}${figureName.charAt(0).toUpperCase()}${figureName.slice(1)}`;
}

/** A figure as a person reads it. */
export interface FigureWords {
  /** `93.10 %` */
  short(figure: number): string;
  /** As `short`, for the figure that training shows while it learns, where that is another one. */
  training?(figure: number): string;
  /** `93.10 % of the held-out images` */
  on(figure: number, samples: string): string;
  /** Of a checkpoint's description: `93.10 % of 500 held-out images right`. */
  described(figure: number, samples: string): string;
}

/** A sample as it came in: answers are in its coordinates. */
export interface Original {
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Where it lay in what the network saw; absent: it was all of it. */
  readonly placement?: Placement | undefined;
}

/** How a person wants to be answered. */
export interface Reading {
  /** What the network's outputs are called, in their order. */
  readonly labels: readonly string[];
  /** How many answers at most. */
  readonly top: number;
  /** Answers of less probability are left out. */
  readonly threshold: number;
}

/** What a terminal can show. */
export interface TextStyle {
  bold(text: string): string;
  dim(text: string): string;
  cyan(text: string): string;
  /** A horizontal bar for a share of 0 to 1, padded to one width. */
  bar(share: number): string;
}

/** What a network says about samples, and how a person is told. */
export interface Telling<Answer> {
  /** What this task takes of `Reading` beside the labels. */
  readonly takes: readonly ('top' | 'threshold')[];
  /** How many answers a sample may have, all of them named where nothing is said; absent: as many as classes, of which a few are named. */
  readonly most?: number;
  /** One answer for each sample. */
  decode(outputs: Outputs, originals: readonly Original[], reading: Reading): readonly Answer[];
  /** The fields that an image has in a JSON document. */
  json(answer: Answer): object;
  /** Lines for a terminal. */
  print(answer: Answer, style: TextStyle): readonly string[];
  /** The class that leads and how probable it is, for pictures of decisions over time; absent where answers are no classes. */
  leading?(answer: Answer): { readonly className: string; readonly probability: number };
  /** Whether what `draw` gives covers the picture, so that a file of pixels serves a person better than one of shapes. */
  readonly coversPicture?: boolean;
  /** SVG elements to be laid over the sample, in its pixels. */
  draw(answer: Answer, original: Original): string;
}

/** The model that is evaluated, as far as its answers have to be understood. */
export interface NamedAnswers {
  readonly network: AnsweringNetwork;
  readonly labels: readonly string[];
  /** False when nobody named them and `labels` only numbers them. */
  readonly hasLabels: boolean;
}

/** The data of an evaluation: what messages call it, and the names of its answers, such as its classes. */
export interface NamedTargets {
  readonly name: string;
  readonly names: readonly string[];
}

/** An evaluation under way. */
export interface Evaluation<Batch, Fields> {
  /** What a person should know before it begins, a line each. */
  readonly notes: readonly string[];
  add(outputs: Outputs, batch: Batch): void;
  /** What has been counted so far. */
  fields(): Fields;
}

/** What an evaluation says in its document and to a person. `Fields` is plain data: what the document has of this task. */
export interface Evaluating<Batch, Fields extends object> {
  /** How the document's fields are checked when it is read again. */
  readonly schema: ZodType<Fields>;
  /** Figures need every sample at once: an evaluation cannot be done in shards. */
  readonly needsAll?: boolean;
  /** Answers are a ranking, which `rerank` improves by looking at all of it once more. */
  readonly reranks?: boolean;
  /** Throws UsageError when the model and the data do not fit. */
  begin(model: NamedAnswers, data: NamedTargets, asked?: { readonly rerank?: boolean }): Evaluation<Batch, Fields>;
  /** What several networks say together about one batch, with the same outputs; absent where their answers cannot be added up. */
  combine?(outputs: readonly Outputs[]): Outputs;
  /** What one network says of several looks at one batch, with the same outputs; absent where answers have places in the image, or looks were not tried. */
  combineLooks?(outputs: readonly Outputs[]): Outputs;
  /** Counts that cannot be true, for example after editing by hand; undefined when all is well. */
  inconsistency(fields: Fields, images: number, names: readonly string[]): string | undefined;
  /** What must be the same in all parts of an evaluation: what it is called when it differs, and the value. */
  same(fields: Fields): readonly (readonly [what: string, value: unknown])[];
  /** The fields over the samples of all parts together. */
  merge(parts: readonly Fields[]): Fields;
  /** What the data holds beside images: ` in 10 class folders`. */
  holds(names: readonly string[]): string;
  /** The figures, a line each. */
  lines(fields: Fields, images: number): readonly string[];
}

/** An answer beside what is true, sample by sample, so that a person can look at the worst; absent where neither can be drawn. */
export interface Comparing<Batch, Answer> {
  /** What messages call the agreement: `mean IoU`. */
  readonly called: string;
  /** What is true of each sample of a batch, as an answer in the pixels of the network's input. */
  truths(batch: Batch, frame: Original, labels: readonly string[]): readonly Answer[];
  /** How good an answer is, from 0 to 1. */
  agreement(answer: Answer, truth: Answer): number;
}

/** For answers that have a place for every pixel: what is known of all of an image, seen at once or in windows, as outputs that the rest of the task understands. */
export interface PixelScores {
  /** The output that has scores at the size of the network's input, `[B, classes, H, W]`. */
  readonly output: string;
  /**
   * @param scores Of one image, all of it, at the size that the network saw.
   * @param own The image's size. Outputs are in its pixels.
   */
  inOwnPixels(scores: { readonly shape: readonly number[]; readonly data: Float32Array }, own: Size): Outputs;
}

/** What a person may say of the regions of a run, where a network asks itself about some. */
export interface RegionOptions {
  /** These instead of what it proposes: `[N, 5]`, number of the image, left, top, right and bottom in pixels of the input. */
  readonly regions?: BetweenTensor;
  /** Those that masks are made of, instead of what was detected. */
  readonly maskRegions?: BetweenTensor;
  /** How many proposals of a level of the pyramid are compared with each other; default 1000. */
  readonly candidates?: number;
  /** How many proposals of an image are left; default 1000. */
  readonly proposals?: number;
}

export interface Task<
  Shape extends ZodRawShape,
  Store extends TargetStore,
  Batch,
  Counts,
  Answer,
  Fields extends object,
> {
  /** As recipes, checkpoints and documents call it. */
  readonly name: string;
  /** What stands behind the backbone; undefined: the architecture's own classifier. */
  head(network: AnsweringNetwork): Head | undefined;
  /** Whether parameters of its head are among these, so that a file that names no task is known by them. */
  recognises?(shapes: ReadonlyMap<string, readonly number[]>): boolean;
  /**
   * For a network that is several graphs one after the other (`Graph.later`): what happens between them. Undefined, or absent, where there is one graph.
   *
   * @param graph The first.
   * @throws UsageError for options that cannot be.
   */
  follow?(network: AnsweringNetwork, graph: Graph, options: RegionOptions): Follow | undefined;
  /** How targets are read; a batch of them is `data/targets`' business, and so is how they move with a picture. */
  readonly targets: {
    readonly reading: TargetReading<Store>;
    /** The names of the answers: as many as the network has numbers. */
    names(store: Store): readonly string[];
    /** What messages and documents call them, in the plural. */
    readonly called: string;
    /** Why a network cannot learn from targets of its kind, and what to do; undefined where it can, or where nothing is said. */
    unfit?(
      store: Store,
      network: { readonly [Key in keyof AnsweringNetwork]?: AnsweringNetwork[Key] | undefined },
    ): TaskProblem | undefined;
    /** The network's numbers are not those names: it may have as many as it likes, and its checkpoint names none. */
    readonly numbersAreFree?: boolean;
  };
  /** Fields of a recipe's `loss`, each with a default. */
  readonly settings: ZodObject<Shape>;
  /** What in a recipe contradicts the settings. */
  contradictions(settings: SettingsOf<Shape>, around: RecipeAround): readonly TaskProblem[];
  /** Undefined when nobody else answers. */
  teacher(settings: SettingsOf<Shape>): TeacherRequest | undefined;
  objective(settings: SettingsOf<Shape>, network: AnsweringNetwork): Objective<Batch>;
  metric(network: AnsweringNetwork): Metric<Batch, Counts>;
  readonly telling: Telling<Answer>;
  readonly evaluating: Evaluating<Batch, Fields>;
  readonly comparing?: Comparing<Batch, Answer>;
  /** Absent where images can only be seen as the preprocessing shows them. */
  readonly pixelScores?: PixelScores;
}
