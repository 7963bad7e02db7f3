/**
 * What training asks of a network that is several graphs one after the other (`Graph.later`): about which regions of the first one's maps the later ones are asked, and what their answers
 * are worth. Training cuts regions out and carries gradients back; what regions are, the task says.
 */
import type { Judgement } from './judgement.js';

/** A map of the first graph that regions are cut from. */
export interface LearnedMap {
  /** The output that it is, real `[T, B, h, w, C]`. Nobody reads it; its gradient is what comes back from the regions. */
  readonly output: string;
  /** Pixels of the input for a pixel of the map. */
  readonly stride: number;
}

/** Regions that a later graph is asked about. */
export interface AskedRegions {
  readonly graph: string;
  /** `[N, 5]`: number of the image, left, top, right and bottom in pixels of the input. */
  readonly regions: Float32Array;
  /** `[N]`: which of the maps each is cut from. */
  readonly levels: ArrayLike<number>;
  /**
   * What answers about some of them are worth. Losses and sums add up over all calls.
   *
   * @param outputs As the engine lays them out, of more rows than asked for: the first `count` are about regions `first` to `first + count − 1`.
   * @param shapes Of the outputs.
   */
  judge(
    outputs: ReadonlyMap<string, Float32Array>,
    rows: { readonly first: number; readonly count: number },
    shapes: ReadonlyMap<string, readonly number[]>,
  ): Judgement;
}

/** What there is to judge by. */
export interface FirstAnswers<Batch> {
  /** Outputs of the first graph, but for the maps. */
  readonly outputs: ReadonlyMap<string, Float32Array>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly batch: Batch;
  /** Weight of this batch where several make one update. */
  readonly share: number;
  /** Height and width of the input. */
  readonly size: readonly [height: number, width: number];
}

export interface LaterObjective<Batch> {
  /** From the finest on. */
  readonly maps: readonly LearnedMap[];
  /** By the names of later graphs: height and width of what is cut out for it. A graph that takes one place gets it channel by channel. */
  readonly cells: ReadonlyMap<string, number>;
  ask(answers: FirstAnswers<Batch>): readonly AskedRegions[];
}
