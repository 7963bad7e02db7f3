/** Small untrained networks of dense tasks as files, for tests of what commands do with their answers and not of the answers. */
import { writeSafetensors } from '../../src/interop/checkpointFiles.js';
import { describedBy } from '../../src/interop/modelDescription.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { parametersOf } from '../../src/operators/registry.js';
import { askedGraph } from '../../src/tasks/registry.js';
import { parseRecipe, recipeNetwork } from '../../src/training/recipe.js';
import { startingParameters } from '../../src/training/startingParameters.js';

export const denseClasses = ['sky', 'road', 'car'];

/** @param crop Height and width of the network's input. */
export async function writeDenseNetwork(
  path: string,
  task: 'segmentation' | 'detection',
  { resize, crop }: { readonly resize: number | 'fit' | null; readonly crop: readonly [number, number] },
): Promise<string> {
  const preprocessing = {
    resize,
    crop: [...crop],
    interpolation: 'bicubic',
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
  };
  const recipe = parseRecipe(
    {
      name: 'small',
      task,
      model: {
        embedDim: [8, 8, 16, 16],
        depths: [1, 1, 1, 1, 1],
        strides: [2, 2, 2, 2, 1],
        stemKernel: 3,
        pyramidChannels: 8,
        classes: denseClasses.length,
        timeSteps: 1,
      },
      batchNormBias: { neurons: 1, branches: 0, last: 1 },
      data: { preprocessing },
      epochs: 1,
      batchSize: 1,
      optimizer: { name: 'adamw', weightDecay: 0 },
      schedule: { kind: 'cosine', learningRate: 0.001, minimum: 0, warmUpEpochs: 0 },
    },
    'test',
  );
  const network = recipeNetwork(recipe);
  const parameters = startingParameters(recipe);
  const tensors = new Map<string, TensorData>();
  for (const { name, shape } of parametersOf(askedGraph(network))) {
    const data = parameters.get(name);
    if (data !== undefined) tensors.set(name, { dtype: 'float32', shape, data });
  }
  const { architecture, configuration } = network;
  const said = { architecture, configuration, task, preprocessing, labels: denseClasses, trainedTimeSteps: 1 };
  await writeSafetensors(path, tensors, describedBy(said));
  return path;
}
