/** What files say of themselves beside their weights: read back as written, refused where this version does not know it, and not needed. */
import { describe, expect, it } from 'vitest';
import { loadModel, MetaSpikeformerError } from '../../src/index.js';
import { CheckpointError } from '../../src/interop/errors.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import { describedBy, type ModelDescription } from '../../src/interop/modelDescription.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { pthParts } from '../../src/interop/pthWriter.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { describeNetwork, graphOf } from '../../src/models/registry.js';
import { parametersOf } from '../../src/operators/registry.js';
import { joined } from './support.js';

const networks = [
  describeNetwork('meta-spikeformer', { embedDim: [8, 16, 24, 32], heads: 4, classes: 2, timeSteps: 3 }),
  describeNetwork('ms-resnet', {
    widths: [4, 8, 8, 16],
    blocks: [1, 2, 1, 1],
    classes: 2,
    timeSteps: 3,
    threshold: 0.25,
  }),
];

function tensorsOf(network: (typeof networks)[number]): ReadonlyMap<string, TensorData> {
  const graph = graphOf(network);
  const parameters = initialiseParameters(graph, 1);
  const specs = parametersOf(graph).filter(({ role }) => role !== 'batchCount');
  return new Map(specs.map(({ name, shape }) => [name, { dtype: 'float32', shape, data: parameters.get(name)! }]));
}

const safetensors = (tensors: ReadonlyMap<string, TensorData>, metadata: Record<string, string> = {}) =>
  openCheckpoint(fileFromBytes(encodeSafetensors(tensors, metadata), 'net.safetensors'));

describe.each(networks)('a file of $architecture', (network) => {
  const tensors = tensorsOf(network);
  const description: ModelDescription = {
    ...network,
    task: 'classification',
    modality: 'image',
    labels: ['cat', 'dog'],
    description: 'a network',
    trainedTimeSteps: 3,
  };

  it('says what it is in every format, and is loaded as that', async () => {
    const files = [
      await safetensors(tensors, describedBy(description)),
      await openCheckpoint(fileFromBytes(joined(pthParts(tensors, { metadata: describedBy(description) })), 'net.pth')),
    ];
    for (const file of files) {
      const loaded = await loadParameters(file);
      expect(loaded).toMatchObject({ ...network, task: 'classification', modality: 'image', description });
      expect(loaded.notes).toEqual([]);
      for (const [name, { data }] of tensors) expect(loaded.parameters.get(name)).toEqual(data);
    }
  });

  it('needs to say nothing: shapes tell the network, and settings that they do not tell are given or the defaults', async () => {
    const { architecture, configuration } = await loadParameters(await safetensors(tensors), {
      timeSteps: 3,
      ...(network.architecture === 'ms-resnet' ? { threshold: 0.25 } : { heads: 4 }),
    });
    expect({ architecture, configuration }).toEqual(network);
  });

  it('is refused in one line when its architecture is not known', async () => {
    const said = safetensors(tensors, describedBy({ ...description, architecture: 'resnet' }));
    const error = await loadParameters(await said).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toBe(
      'net.safetensors: its metadata entry meta-spikeformer names the architecture resnet; this version knows meta-spikeformer, ms-resnet, meta-spikeformer-joints',
    );
  });

  it.each([
    ['task', 'divination', 'classification'],
    ['modality', 'smell', 'image'],
  ])('is refused in one line when its %s is not known', async (field, value, known) => {
    const metadata = describedBy({ ...description, [field]: value });
    const error = await loadModel({ checkpoint: encodeSafetensors(tensors, metadata) }, { threads: 1 }).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(MetaSpikeformerError);
    expect((error as Error).message).toContain(`names the ${field} ${value}; this version knows ${known}`);
    expect((error as Error).message).not.toContain('\n');
  });

  it('is refused when it is of another architecture than was asked for', async () => {
    const other = networks.find(({ architecture }) => architecture !== network.architecture)!.architecture;
    const said = safetensors(tensors, describedBy(description));
    await expect(loadParameters(await said, { architecture: other })).rejects.toThrow(
      `net.safetensors: it holds a network of the architecture ${network.architecture}, expected ${other}`,
    );
  });
});

it('a description of before architectures had names is of a Meta-SpikeFormer', async () => {
  const [network] = networks;
  const metadata = {
    'meta-spikeformer': JSON.stringify({ configuration: network!.configuration, labels: ['a', 'b'] }),
  };
  expect(await loadParameters(await safetensors(tensorsOf(network!), metadata))).toMatchObject(network!);
});
