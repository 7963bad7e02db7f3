/**
 * What the rest of the project knows of a network's architecture: how its configuration is checked, which sizes were published, how its
 * graph is built, and how it is recognised in a checkpoint. One file per architecture implements it; `registry.ts` knows them all.
 */
import type { ZodType } from 'zod';
import type { Graph } from '../graph/graph.js';

/** Shapes by parameter name, as a checkpoint gives them. */
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

/** A published network of an architecture. */
export interface Variant<C> {
  readonly configuration: Partial<C>;
  /** Where its figures come from. */
  readonly provenance: string;
  /** Height and width of the images it was made for. */
  readonly inputSize: readonly [height: number, width: number];
}

export interface Architecture<C> {
  readonly name: string;
  /** Everything that distinguishes one network from another; fills defaults in. */
  readonly schema: ZodType<C>;
  /** Published variants by name. */
  readonly sizes: Readonly<Record<string, Variant<C>>>;
  /** @param configuration Valid: as it came through `schema`. */
  build(configuration: C): Graph;
  /** Undefined when these are not the parameters of such a network; what leaves no trace in shapes has its default. */
  recognise(shapes: ParameterShapes): C | undefined;
}
