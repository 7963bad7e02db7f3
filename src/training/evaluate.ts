/** How good weights are on a data set, by a task's metric, with the inference engine: batch norms folded, spikes as they will be in use. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnyDataset } from '../data/datasets/dataset.js';
import type { Engine } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import { Inference } from '../inference/inference.js';
import { networkOf } from '../inference/network.js';
import { createLoader } from '../loader/loader.js';
import { batchShape, sampleLength } from '../modalities/input.js';
import { type AnyPreprocessing, inputOf } from '../modalities/inputs.js';
import { type AnyMetric, type AskedNetwork, defaultTask, headOf, taskNamed } from '../tasks/registry.js';

export interface EvaluatedNetwork extends AskedNetwork {
  readonly parameters: Parameters;
  readonly preprocessing: AnyPreprocessing;
}

/** Images that go through the network at once. */
const usualBatch = 64;
/** Of networks that ask themselves about a thousand regions of each. */
const smallBatch = 2;

/**
 * @param createEngine Called once; the engine is disposed of afterwards, since it keeps packed weights as long as it lives.
 * @returns the metric's figure; undefined when `isStopped` said, between two batches, to stop.
 */
export async function evaluateFigure(
  createEngine: () => Promise<Engine>,
  { parameters, preprocessing, ...description }: EvaluatedNetwork,
  dataset: AnyDataset,
  metric: AnyMetric,
  isStopped: () => boolean = () => false,
): Promise<number | undefined> {
  const engine = await createEngine();
  const network = networkOf(description, parameters, headOf(description.task, description.configuration));
  const follow = taskNamed(description.task ?? defaultTask).follow?.(description.configuration, network.graph, {});
  const batchSize = follow ? smallBatch : usualBatch;
  const loader = createLoader(dataset, { batchSize, preprocessing, shuffle: false, workers: 0 });
  const inference = new Inference({ name: 'evaluation', network, engine });
  const shape = inputOf(dataset.modality).shapeOf(preprocessing);
  const counter = metric.counter();
  try {
    for await (const drawn of loader.epoch(0)) {
      // Signals and timers get their turn.
      await nextTurn();
      if (isStopped()) return undefined;
      const batch = drawn.input.length / sampleLength(shape);
      const { outputs } = await inference.run({ shape: batchShape(shape, batch), data: drawn.input }, {}, follow);
      counter.add(outputs, drawn);
    }
  } finally {
    await loader.close();
    await inference.dispose();
  }
  return metric.figure(counter.counts());
}
