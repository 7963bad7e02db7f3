/** What must be known of a model to tell what its runs cost; every `Model` is one. */
import type { Graph, Parameters } from '../graph/graph.js';
import type { FieldTensor, Outputs } from '../inference/types.js';
import type { NetworkConfiguration } from '../models/architecture.js';
import type { SpikeCounts } from './spikeCounting.js';

export interface MeteredModel {
  readonly configuration: NetworkConfiguration;
  /** The network as its architecture defines it. */
  readonly graph: Graph;
  /** By their names in the authors' `state_dict`. */
  readonly parameters: Parameters;
  /** Runs a batch of images `[B, C, H, W]` or sequences `[T, B, C, H, W]`; what its spikes caused is counted. */
  run(
    input: FieldTensor,
    options: { readonly record: { readonly counts: true } },
  ): Promise<{ readonly outputs: Outputs; readonly counts?: SpikeCounts }>;
}
