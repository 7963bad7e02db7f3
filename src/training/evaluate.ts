/** How good weights are on a data set, by a task's metric, with the inference engine: batch norms folded, spikes as they will be in use. */
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
import type { AnyMetric } from '../tasks/registry.js';
import type { Outputs } from '../tasks/task.js';

export interface EvaluatedNetwork {
  readonly configuration: MetaSpikeformerConfiguration;
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
  { configuration, parameters, preprocessing }: EvaluatedNetwork,
  dataset: Dataset,
  metric: AnyMetric,
  isStopped: () => boolean = () => false,
): Promise<number | undefined> {
  const engine = await createEngine();
  const loader = createLoader(dataset, { batchSize, preprocessing, shuffle: false, workers: 0 });
  const network = prepareNetwork({ graph: graphOf({ configuration }), parameters });
  const [height, width] = preprocessing.crop;
  const executables = new Map<number, Executable>();
  const counter = metric.counter();
  try {
    for await (const drawn of loader.epoch(0)) {
      if (isStopped()) return undefined;
      const channels = configuration.inputChannels;
      const batch = drawn.input.length / (channels * height * width);
      const executable = executables.get(batch) ?? compile(engine, network, [1, batch, height, width, channels]);
      executables.set(batch, executable);
      await executable.program.write(
        executable.tensor(executable.graph.input),
        toChannelsLast(drawn.input, batch, channels, height * width),
      );
      await executable.program.run();
      counter.add(await outputsOf(executable), drawn);
    }
  } finally {
    await loader.close();
    await engine.dispose();
  }
  return metric.figure(counter.counts());
}

/** What the last run gave out, by name. */
async function outputsOf({ graph, program, shapes, tensor }: Executable): Promise<Outputs> {
  const outputs = new Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>();
  for (const [name, { value }] of graph.outputs)
    outputs.set(name, { shape: shapes.get(value)!, data: await program.read(tensor(value)) });
  return outputs;
}

/** The scores `[B, classes]` of the last run. */
export function logitsOf({ graph, program, tensor }: Executable): Promise<Float32Array> {
  return program.read(tensor(outputOf(graph, logitsOutput).value));
}
