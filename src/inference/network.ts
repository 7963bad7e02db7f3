/** What is run: a network as its architecture defines it, before anything is rewritten, and how it goes through time. */
import type { Graph, Parameters } from '../graph/graph.js';
import type { Head } from '../models/head.js';
import { graphOf, type NetworkDescription } from '../models/registry.js';
import type { Network } from '../runtime/passes/pass.js';

export interface TimedNetwork extends Network {
  /** T of the graph. */
  readonly timeSteps: number;
  /** The graph of one time step, for frames that come one by one. */
  readonly oneStep: () => Graph;
}

/**
 * @param head Instead of the architecture's own classifier.
 * @throws UsageError for an architecture that is not known.
 */
export function networkOf(
  { architecture, configuration }: NetworkDescription,
  parameters: Parameters,
  head?: Head,
): TimedNetwork {
  const of = (settings: NetworkDescription['configuration']) =>
    graphOf({ ...(architecture === undefined ? {} : { architecture }), configuration: settings }, head);
  return {
    graph: of(configuration),
    parameters,
    timeSteps: configuration.timeSteps,
    oneStep: () => of({ ...configuration, timeSteps: 1 }),
  };
}
