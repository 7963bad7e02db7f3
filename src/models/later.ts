/**
 * What happens between the graphs of a network that is several one after the other (`Graph.later`), as types: whoever runs networks offers it, and who knows what their outputs mean, the task,
 * decides. A detector's heads are asked about regions that its first graph proposed.
 */

/** A tensor in the field's layout. */
export interface BetweenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

type NamedTensors = ReadonlyMap<string, BetweenTensor>;

/** A map and how coarse it is. */
export interface RegionMap {
  /** `[T, B, C, h, w]` */
  readonly map: BetweenTensor;
  /** Pixels of the image for a pixel of the map. */
  readonly stride: number;
}

/** Regions to be cut out of maps and resampled to one size. */
export interface RegionRequest {
  /** Of one T, B and C. */
  readonly maps: readonly RegionMap[];
  /** `[N, 5]`: number of the image, left, top, right and bottom in its pixels; they may reach beyond it. */
  readonly regions: Float32Array;
  /** `[N]`: which map each is cut from. */
  readonly levels: ArrayLike<number>;
  /** Height and width of the result. */
  readonly cells: number;
}

/** What may be asked for between the graphs. */
export interface Between {
  /** Height and width of the input. */
  readonly size: readonly [height: number, width: number];
  /** Images in the input. */
  readonly batch: number;
  /** RoIAlign at every time step. @returns `[T, N, C, cells, cells]`, of at least one region. */
  cut(request: RegionRequest): Promise<BetweenTensor>;
  /** Runs a later graph on `[T, N, C, H, W]`, N at least 1. */
  run(graph: string, input: BetweenTensor): Promise<NamedTensors>;
  /** Adds to the activations of the answer, where they are recorded. */
  keep(name: string, activation: BetweenTensor): void;
}

/** From what the first graph gave out to the answer. */
export type Follow = (first: NamedTensors, between: Between) => Promise<NamedTensors>;
