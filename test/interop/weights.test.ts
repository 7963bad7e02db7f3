/**
 * Where weights are in a file: the same small network under the names and in the dictionaries that training programs leave behind must always
 * be the same weights. Names are those of PyTorch's wrappers (`DataParallel`, `torch.compile`, `AveragedModel`), Lightning, timm and DeepSpeed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/interop/checkpoint.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { type CheckpointOptions, loadParameters } from '../../src/interop/loadParameters.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { resolveConfiguration } from '../../src/models/configurations.js';
import { metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import { parametersOf } from '../../src/operators/registry.js';
import { type FaultInputs, unpackFaultInputs } from '../faults/support.js';
import { pickled, pthOf } from './support.js';

type Tensors = Readonly<Record<string, TensorData>>;

/** Every parameter of a small network; all of its numbers are `value`. */
function network(value: number, depths: [number, number, number, number, number] = [1, 1, 1, 1, 1]): Tensors {
  const configuration = resolveConfiguration({
    embedDim: [4, 4, 8, 8],
    depths,
    classes: 2,
    stemKernel: 3,
    mlpRatio: 1,
  });
  const specs = parametersOf(metaSpikeformer(configuration)).filter(({ role }) => role !== 'batchCount');
  return Object.fromEntries(
    specs.map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value);
      return [name, { dtype: 'float32', shape, data }];
    }),
  );
}

const raw = network(0.5);
const averaged = network(0.25);
const one: TensorData = { dtype: 'float32', shape: [1], data: new Float32Array(1) };

function behind(prefix: string, tensors: Tensors): Tensors {
  return renamed(tensors, (name) => prefix + name);
}

function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [rename(name), tensor]));
}

const safetensors = (tensors: Tensors) =>
  openCheckpoint(fileFromBytes(encodeSafetensors(new Map(Object.entries(tensors))), 'net.safetensors'));
const pth = (content: object) => openCheckpoint(fileFromBytes(pthOf(content), 'net.pth'));

/** The number that all weights are, what was taken, and what is said. */
async function loaded(checkpoint: Checkpoint, options: CheckpointOptions = {}) {
  const { parameters, weights, notes, configuration } = await loadParameters(checkpoint, options);
  const values = new Set([...parameters.values()].map((numbers) => numbers[0]));
  expect(values.size).toBe(1);
  return {
    value: [...values][0],
    name: weights.name,
    others: weights.others,
    notes,
    depths: Reflect.get(configuration, 'depths'),
  };
}

async function complaint(checkpoint: Checkpoint, options: CheckpointOptions = {}): Promise<string> {
  return loadParameters(checkpoint, options).then(
    () => 'loaded',
    (error: Error) => error.message,
  );
}

const layouts: readonly (readonly [string, Tensors])[] = [
  ['data parallelism', behind('module.', raw)],
  ['torch.compile', behind('_orig_mod.', raw)],
  ['both, inside a module', behind('model._orig_mod.module.', raw)],
  ['an averaged model and its counter', { ...behind('module.', raw), n_averaged: one }],
  ["Lightning's module and its losses", { ...behind('model.', raw), 'criterion.weight': one, 'train_acc.tp': one }],
  ['a backbone', behind('backbone.', raw)],
  ['modules inside one another', behind('encoder.network.', raw)],
  ['a compiled block', renamed(raw, (name) => name.replace('block3.0.', 'block3.0._orig_mod.'))],
  ['a data-parallel block', renamed(raw, (name) => name.replace('block4.0.', 'block4.0.module.'))],
  ['counters of a profiler', { ...raw, total_ops: one, 'block3.0.total_params': one }],
  ['a loss beside a bare network', { ...raw, 'loss_fn.weight': one }],
  ['a student beside its teacher', { ...behind('teacher.', averaged), ...behind('student.', raw) }],
  ['a backbone and the head beside it', renamed(raw, (name) => (name.startsWith('head.') ? name : `backbone.${name}`))],
  [
    'a student and its teacher with heads beside their backbones',
    {
      ...renamed(averaged, (name) => (name.startsWith('head.') ? `teacher.${name}` : `teacher.backbone.${name}`)),
      ...renamed(raw, (name) => (name.startsWith('head.') ? `student.${name}` : `student.backbone.${name}`)),
    },
  ],
  ['extra state of modules', { ...raw, 'block3.0._extra_state': one, _extra_state: one }],
  ['numbers of the training', { ...raw, lr: one, seed: one, class_weights: one, pos_weight: one, best_epoch: one }],
  ['an averaged copy', { ...behind('ema_model.module.', averaged), ...behind('net.', raw) }],
];

describe('weights behind prefixes', () => {
  it.each(layouts)('of %s are the weights, in safetensors and in .pth', async (_, tensors) => {
    expect((await loaded(await safetensors(tensors))).value).toBe(0.5);
    expect((await loaded(await pth({ state_dict: tensors, epoch: 3 }))).value).toBe(0.5);
  });

  it('are still compared with the network: a parameter it does not have is named', async () => {
    expect(await complaint(await safetensors({ ...raw, pos_embed: one }))).toContain('1 extra: pos_embed');
    const inside = { ...behind('model.', raw), 'model.block3.0.attn.bias_table': one };
    expect(await complaint(await safetensors(inside))).toContain('1 extra: block3.0.attn.bias_table');
  });
});

describe('weights in dictionaries', () => {
  it.each(['model', 'net', 'module', 'weights', 'ema', 'model_state', 'state_dict_ema', 'anything at all'])(
    'under the key %s are found',
    async (key) => {
      expect(await loaded(await pth({ [key]: raw, epoch: 3 }))).toMatchObject({ value: 0.5, name: key, others: [] });
    },
  );

  it('are found deeper, in lists, and beside the state of an optimizer', async () => {
    expect((await loaded(await pth({ state: { net: raw }, optimizer: { state: { 0: { exp_avg: one } } } }))).name).toBe(
      'state.net',
    );
    expect((await loaded(await pth([raw, 3]))).value).toBe(0.5);
  });

  it('are the raw ones when averaged ones are there too, wherever they stand, and both are named', async () => {
    const both = await loaded(await pth({ model_ema: averaged, model: raw }));
    expect(both).toMatchObject({ value: 0.5, name: 'model', others: ['model_ema'] });
    expect(both.notes[0]).toBe('net.pth: the weights model were taken; --weights chooses another: model_ema');
    expect((await loaded(await pth({ ema: averaged, module: raw }))).name).toBe('module');
    expect((await loaded(await pth({ state_dict_ema: averaged, state_dict: raw }))).name).toBe('state_dict');
  });

  it('are those that were asked for, by their whole name or its end', async () => {
    const files = { state_dict: { ...behind('teacher.', averaged), ...behind('student.', raw) } };
    expect(await loaded(await pth(files), { weights: 'state_dict.teacher' })).toMatchObject({ value: 0.25 });
    expect(await loaded(await pth(files), { weights: 'teacher' })).toMatchObject({ value: 0.25 });
    expect(await complaint(await pth(files), { weights: 'ema' })).toBe(
      'net.pth: has no weights called ema; it has state_dict.student, state_dict.teacher',
    );
  });

  it('are the ones that fit when the likelier ones do not, and that is said', async () => {
    const { 'head.weight': _, ...broken } = raw;
    const result = await loaded(await pth({ model: broken, ema: averaged }));
    expect(result.value).toBe(0.25);
    expect(result.notes[0]).toContain('the weights ema were taken (model does not fit a network)');
  });
});

describe('a whole module in place of weights', () => {
  it('is named, also when the optimizer beside it has tensors', async () => {
    const model = pickled('cmylab.nets\nNet\n)R');
    expect(await complaint(await pth({ model, opt: { momentum: one } }))).toMatch(
      /not the weights of a Meta-SpikeFormer or MS-ResNet or Meta-SpikeFormer over joints: .*; model is an object of class mylab\.nets\.Net; save its state_dict\(\) instead$/,
    );
  });
});

describe('what stands beside weights', () => {
  const unread = {
    quantised: pickled('ctorch._utils\n_rebuild_qtensor\n)R'),
    sparse: pickled('ctorch._utils\n_rebuild_sparse_tensor\n)R'),
  };

  it('may be of any kind of tensor', async () => {
    expect((await loaded(await pth({ model: raw, ...unread, state: unread }))).value).toBe(0.5);
    expect((await loaded(await pth({ model: { ...raw, 'criterion.centre': unread.sparse } }))).value).toBe(0.5);
  });

  it('does not hide that a weight itself cannot be read', async () => {
    expect(await complaint(await pth({ model: { ...raw, 'head.weight': unread.quantised } }))).toBe(
      'net.pth: head.weight is made by torch._utils._rebuild_qtensor, which is not supported; save it as a plain tensor of float32',
    );
  });

  it('may be of any element type in safetensors, where a weight may not', async () => {
    const content = encodeSafetensors(new Map(Object.entries({ ...raw, loss_scale: { ...one, dtype: 'float32' } })));
    const replaceType = (name: string) => {
      const text = Buffer.from(content).toString('latin1');
      const at = text.indexOf('"F32"', text.indexOf(`"${name}"`));
      return Uint8Array.from(Buffer.from(`${text.slice(0, at)}"U32"${text.slice(at + 5)}`, 'latin1'));
    };
    const open = (name: string) => openCheckpoint(fileFromBytes(replaceType(name), 'net.safetensors'));
    expect((await loaded(await open('loss_scale'))).value).toBe(0.5);
    expect(await complaint(await open('head.weight'))).toContain('head.weight has the element type U32');
  });
});

describe('a network that lacks a part', () => {
  const without = (stage: string) =>
    Object.fromEntries(Object.entries(raw).filter(([name]) => !name.startsWith(stage)));

  it('is said to be no published one, and its empty stage is named', async () => {
    const { depths, notes } = await loaded(await safetensors(without('block4.')));
    expect(depths).toEqual([1, 1, 1, 1, 0]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(
      /^net\.safetensors: this is no published network: its shapes say 1,1,1,1,0 blocks, .*; block4 has no blocks;/,
    );
  });

  it('lacks parameters when depths are demanded, and they are listed', async () => {
    expect(await complaint(await safetensors(without('block4.')), { depths: [1, 1, 1, 1, 1] })).toMatch(
      /does not fit the network: \d+ missing: block4\.0\.\S+, block4\.0\./,
    );
    expect((await loaded(await safetensors(raw), { depths: [1, 1, 1, 1, 1] })).notes).toEqual([]);
  });

  it('lacks parameters when a size is demanded, even of the downsamplings that tell the widths', async () => {
    expect(await complaint(await safetensors(without('downsample4.')), { size: '15M' })).toMatch(
      /missing: .*mis-shaped: /,
    );
    expect(await complaint(await safetensors(without('downsample4.')))).toContain(
      'do not include downsample4.encode_conv.weight',
    );
  });

  it('with a gap in the numbers of its blocks has the missing block named', async () => {
    const gap = renamed(network(0.5, [1, 1, 1, 2, 1]), (name) => name.replace('block3.1.', 'block3.2.'));
    expect(await complaint(await safetensors(gap))).toMatch(/missing: block3\.1\./);
  });

  it('is what its description says, without a note', async () => {
    const configuration = { embedDim: [4, 4, 8, 8], depths: [1, 1, 1, 1, 1], classes: 2, stemKernel: 3, mlpRatio: 1 };
    const metadata = { 'meta-spikeformer': JSON.stringify({ configuration }) };
    const described = (tensors: Tensors) =>
      openCheckpoint(fileFromBytes(encodeSafetensors(new Map(Object.entries(tensors)), metadata), 'ours.safetensors'));
    expect((await loaded(await described(raw))).notes).toEqual([]);
    expect(await complaint(await described(without('block4.')))).toMatch(/missing: block4\.0\./);
  });
});

describe('a checkpoint in several files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meta-spikeformer-shards-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const names = Object.keys(raw);
  const half = Math.ceil(names.length / 2);
  const part = (from: number, to: number) =>
    Object.fromEntries(names.slice(from, to).map((name) => [name, raw[name]!]));
  const parts = [part(0, half), part(half, names.length)];
  const index = (places: readonly string[]) =>
    JSON.stringify({
      metadata: { total_size: 1 },
      weight_map: Object.fromEntries(names.map((name, at) => [name, places[at < half ? 0 : 1]])),
    });
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  it.each([
    ['model', 'safetensors', (tensors: Tensors) => encodeSafetensors(new Map(Object.entries(tensors)))],
    ['pytorch_model', 'bin', (tensors: Tensors) => pthOf(tensors)],
  ] as const)('%s.%s.index.json is one checkpoint', async (stem, ending, encode) => {
    const places = [1, 2].map((number) => `${stem}-0000${number}-of-00002.${ending}`);
    for (const [at, place] of places.entries()) write(place, encode(parts[at]!));
    const checkpoint = await openCheckpointFile(write(`${stem}.${ending}.index.json`, index(places)));
    expect((await loaded(checkpoint)).value).toBe(0.5);
    await checkpoint.close();
    const variant = write(`${stem}.${ending}.index.fp16.json`, index(places.map((place) => `./${place}`)));
    const second = await openCheckpointFile(variant);
    expect((await loaded(second)).value).toBe(0.5);
    await second.close();
    const single = await openCheckpointFile(join(folder, places[1]!));
    expect(await complaint(single)).toContain('its name says that this is part 2 of 2; name the .index.json beside it');
    await single.close();
  });

  it.each(['../outside.safetensors', '/etc/passwd', 'a/../../b', 'C:\\x', ''])(
    'does not open the part "%s"',
    async (place) => {
      const path = write('bad.safetensors.index.json', index([place, place]));
      await expect(openCheckpointFile(path)).rejects.toThrow('is not inside its folder');
    },
  );

  it.each([
    [
      'a tensor that is not where it says',
      index(['model-00001-of-00002.safetensors', 'model-00001-of-00002.safetensors']),
      'but it is not there',
    ],
    ['a part that is missing', index(['absent.safetensors', 'absent.safetensors']), 'absent.safetensors: cannot read'],
    ['itself for a part', index(Array(2).fill('wrong.safetensors.index.json')), 'an index, as a part'],
    ['no map', '{"a":1}', 'has no weight_map'],
    ['no JSON', '{', 'it is not JSON'],
  ])('with %s is refused', async (_, content, expected) => {
    await expect(openCheckpointFile(write('wrong.safetensors.index.json', content))).rejects.toThrow(expected);
  });
});

describe('files as training programs left them', () => {
  let faults: FaultInputs;
  beforeAll(async () => {
    faults = await unpackFaultInputs();
  });
  afterAll(() => faults.remove());

  const weightsOf = async (path: string) => {
    const checkpoint = await openCheckpointFile(path);
    return loadParameters(checkpoint, { heads: 4 }).finally(() => checkpoint.close());
  };

  it.each([
    ...[
      '04-averagedmodel',
      '05-lightning-model',
      '07-spikingjelly-net',
      '08-deepspeed-module',
      '10-ema-only',
      '14-onecycle',
      '15-swalr',
    ],
    ...['19-args-enum', '20-args-partial', '22-args-path-py313', '25-numpy-proto5', '36-omegaconf-typing'],
  ])('%s.pth has the weights of the control', async (name) => {
    const control = await weightsOf(faults.file('ckpt', '00-control.pth'));
    expect((await weightsOf(faults.file('ckpt', `${name}.pth`))).parameters).toEqual(control.parameters);
  });

  it.each(['n_averaged', 'prefix-model'])('%s.safetensors has the weights of the control', async (name) => {
    const control = await weightsOf(faults.file('st', 'control.safetensors'));
    expect((await weightsOf(faults.file('st', `${name}.safetensors`))).parameters).toEqual(control.parameters);
  });

  it('62-no-block4.pth has a stage without blocks, and says so', async () => {
    const { notes } = await weightsOf(faults.file('ckpt', '62-no-block4.pth'));
    expect(notes.join()).toContain('block4 has no blocks');
  });
});
