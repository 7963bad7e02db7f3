/** Accuracy of weights on a data set, with the inference engine: batch norms folded, spikes as they will be in use. */
import type { Dataset } from '../data/datasets/dataset.js';
import { createLoader } from '../data/loader/loader.js';
import type { PreprocessSettings } from '../data/preprocess.js';
import type { Engine } from '../engines/kernels.js';
import type { Parameters } from '../graph/graph.js';
import { logitsOutput, outputOf } from '../graph/outputs.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { graphOf } from '../models/registry.js';
import { compile, type Executable } from '../runtime/compile.js';
import { toChannelsLast } from '../runtime/layout.js';
import { prepareNetwork } from '../runtime/prepare.js';

export interface EvaluatedNetwork {
  readonly configuration: MetaSpikeformerConfiguration;
  readonly parameters: Parameters;
  readonly preprocessing: PreprocessSettings;
}

/** Images that go through the network at once. */
const batchSize = 64;

/**
 * @param createEngine Called once; the engine is disposed of afterwards, since it keeps packed weights as long as it lives.
 * @returns the share of images whose likeliest class is right; undefined when `isStopped` said, between two batches, to stop.
 */
export async function evaluateAccuracy(
  createEngine: () => Promise<Engine>,
  { configuration, parameters, preprocessing }: EvaluatedNetwork,
  dataset: Dataset,
  isStopped: () => boolean = () => false,
): Promise<number | undefined> {
  const engine = await createEngine();
  const loader = createLoader(dataset, { batchSize, preprocessing, shuffle: false, workers: 0 });
  const network = prepareNetwork({ graph: graphOf({ configuration }), parameters });
  const [height, width] = preprocessing.crop;
  const executables = new Map<number, Executable>();
  let correct = 0;
  try {
    for await (const { input, labels } of loader.epoch(0)) {
      if (isStopped()) return undefined;
      const batch = labels.length;
      const channels = configuration.inputChannels;
      const executable = executables.get(batch) ?? compile(engine, network, [1, batch, height, width, channels]);
      executables.set(batch, executable);
      await executable.program.write(
        executable.tensor(executable.graph.input),
        toChannelsLast(input, batch, channels, height * width),
      );
      await executable.program.run();
      correct += countCorrect(await logitsOf(executable), labels, configuration.classes);
    }
  } finally {
    await loader.close();
    await engine.dispose();
  }
  return correct / dataset.size;
}

/** The scores `[B, classes]` of the last run. */
export function logitsOf({ graph, program, tensor }: Executable): Promise<Float32Array> {
  return program.read(tensor(outputOf(graph, logitsOutput).value));
}

/** Ties count as wrong, so that a network that says nothing is not right by chance of order. */
export function countCorrect(logits: Float32Array, labels: Int32Array, classes: number): number {
  let correct = 0;
  for (const [image, label] of labels.entries()) {
    const row = logits.subarray(image * classes, (image + 1) * classes);
    if (row.every((logit, index) => index === label || logit < row[label]!)) correct++;
  }
  return correct;
}
