/**
 * Heads: what stands behind a backbone and answers. A head is a function that appends nodes and outputs to the graph behind the backbone's
 * features, so that a backbone serves any task; each architecture has a classifier of its own as the default.
 */
import type { GraphBuilder } from '../graph/graph.js';
import { stridesOf } from '../graph/strides.js';

/** The strides that a detector with regions believes in: those of its maps, or those of the authors' configuration. */
export const detectionStridesNames = ['real', 'published'] as const;
export type DetectionStrides = (typeof detectionStridesNames)[number];

/** The last map of one of the backbone's stages. */
export interface StageMap {
  /** As the authors call the stage. */
  readonly name: string;
  /** The value's name in the graph: membrane potentials `[T, B, H/stride, W/stride, channels]`, sizes rounded up. */
  readonly value: string;
  readonly channels: number;
  /** Pixels of the image between two neighbours of the map, as the graph's convolutions make them. */
  readonly stride: number;
}

/** What a backbone offers to a head. */
export interface Features {
  /** From the finest to the coarsest; two stages may have the same stride. */
  readonly maps: readonly StageMap[];
  /** The value of the last map. */
  readonly features: string;
  /** Of `features`. */
  readonly channels: number;
  readonly timeSteps: number;
  /**
   * Appends neurons like the backbone's own, and returns the name of their spikes.
   *
   * @param graph Another one than the backbone's: a later one (`Graph.later`).
   */
  neurons(name: string, input: string, graph?: GraphBuilder): string;
}

/** Appends nodes behind the features and gives outputs out. */
export type Head = (graph: GraphBuilder, backbone: Features) => void;

/** No head: the backbone gives out its features, and has no parameters but its own. */
export const behindNothing: Head = (graph, { features }) => graph.output('features', features);

/** A stage's map with the stride that the graph so far has at it. */
export function stageMap(graph: GraphBuilder, name: string, value: string, channels: number): StageMap {
  const [rows] = stridesOf(graph).get(value)!;
  return { name, value, channels, stride: rows };
}
