/** How good weights are on a data set, by a task's metric, with the inference engine: batch norms folded, spikes as they will be in use. */
import type { ImageDataset } from '../data/datasets/images.js';
import type { PreprocessSettings } from '../data/preprocess.js';
import type { Engine } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import { Inference } from '../inference/inference.js';
import { networkOf } from '../inference/network.js';
import { createLoader } from '../loader/loader.js';
import { type AnyMetric, type AskedNetwork, headOf } from '../tasks/registry.js';

export interface EvaluatedNetwork extends AskedNetwork {
  readonly parameters: Parameters;
  readonly preprocessing: PreprocessSettings;
}

/** Images that go through the network at once. */
const batchSize = 64;

/**
 * @param createEngine Called once; the engine is disposed of afterwards, since it keeps packed weights as long as it lives.
 * @returns the metric's figure; undefined when `isStopped` said, between two batches, to stop.
 */
export async function evaluateFigure(
  createEngine: () => Promise<Engine>,
  { parameters, preprocessing, ...description }: EvaluatedNetwork,
  dataset: ImageDataset,
  metric: AnyMetric,
  isStopped: () => boolean = () => false,
): Promise<number | undefined> {
  const engine = await createEngine();
  const loader = createLoader(dataset, { batchSize, preprocessing, shuffle: false, workers: 0 });
  const network = networkOf(description, parameters, headOf(description.task, description.configuration));
  const inference = new Inference({ name: 'evaluation', network, engine });
  const { inputChannels } = network.graph;
  const [height, width] = preprocessing.crop;
  const counter = metric.counter();
  try {
    for await (const drawn of loader.epoch(0)) {
      if (isStopped()) return undefined;
      const batch = drawn.input.length / (inputChannels * height * width);
      const { outputs } = await inference.run({ shape: [batch, inputChannels, height, width], data: drawn.input });
      counter.add(outputs, drawn);
    }
  } finally {
    await loader.close();
    await inference.dispose();
  }
  return metric.figure(counter.counts());
}
