/** A small network for retrieval, with weights that nobody trained but that fire, as a file. */
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { resolveConfiguration, writeSafetensors } from '../../src/index.js';
import { describedBy } from '../../src/interop/modelDescription.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { askedGraph } from '../../src/tasks/registry.js';

/** @param dimensions Of its descriptors. @param seed Another one makes another model. */
export async function writeRetrievalNetwork(file: string, dimensions: number, seed = 5): Promise<void> {
  const configuration = resolveConfiguration({
    embedDim: [8, 8, 16, 16],
    depths: [1, 1, 1, 1, 1],
    strides: [2, 2, 2, 2, 1],
    stemKernel: 3,
    classes: dimensions,
  });
  const network = { architecture: 'meta-spikeformer', configuration, task: 'retrieval' };
  const graph = askedGraph(network);
  const parameters = demonstrationParameters(graph, seed);
  const tensors = new Map<string, TensorData>();
  for (const { name, shape } of parametersOf(graph)) {
    const data = parameters.get(name);
    if (data) tensors.set(name, { dtype: 'float32', shape, data });
  }
  const preprocessing = { ...imagenetPreprocessing, resize: 32, crop: [32, 32] } as const;
  const said = { ...network, modality: 'image', preprocessing, description: 'weights of a test', trainedTimeSteps: 1 };
  await writeSafetensors(file, tensors, describedBy(said));
}
