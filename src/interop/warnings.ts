/** What a person should know of a model before believing its answers. One sentence each; the command line, the report and the lab print them. */

import type { NetworkConfiguration } from '../models/architecture.js';
import type { ModelDescription } from './modelDescription.js';

/** What a model's provenance says of its training and of the choice of its weights. */
interface Origin {
  /** The time steps that the weights were trained at; undefined where the file does not say. */
  readonly trainedTimeSteps?: number;
  readonly notes?: readonly string[];
}

/** @returns nothing for a network that is used as it was trained, of a published or described shape, and whose weights are the only ones in their file. */
export function warningsOf(model: {
  readonly provenance: Origin;
  readonly configuration: Pick<NetworkConfiguration, 'timeSteps'>;
}): readonly string[] {
  const { trainedTimeSteps, notes = [] } = model.provenance;
  const { timeSteps } = model.configuration;
  if (trainedTimeSteps === undefined || trainedTimeSteps === timeSteps) return notes;
  return [
    ...notes,
    `T = ${timeSteps}, but these weights were trained at T = ${trainedTimeSteps}; at other time steps the network is less accurate`,
  ];
}

/** Files of before this was written down say the time steps of their network, which are those of its training. */
export function trainedAt({
  trainedTimeSteps,
  configuration,
}: Pick<ModelDescription, 'trainedTimeSteps' | 'configuration'>): Pick<Origin, 'trainedTimeSteps'> {
  const written: unknown = configuration && Reflect.get(configuration, 'timeSteps');
  const timeSteps = trainedTimeSteps === undefined ? written : trainedTimeSteps;
  return typeof timeSteps === 'number' ? { trainedTimeSteps: timeSteps } : {};
}
