/** What the library takes and what it refuses before anything runs: sources, options by name, numbers, names with control characters. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  defaultEnergyConstants,
  EnergyMeter,
  energyDocument,
  evaluate,
  type LoadOptions,
  loadModel,
  MetaSpikeformerError,
  type Model,
  type ModelSource,
  membraneTrace,
  onnxParts,
  openDataset,
  plainPreprocessing,
  resolveConfiguration,
  train,
  UsageError,
  writePth,
} from '../../src/index.js';
import { checkpoint, repository } from '../cli/support.js';

const photograph = join(repository, 'assets', 'photographs', 'cat.jpg');
const small = { imageSize: 16, threads: 1 } as const;

/** What a caller without types may write. */
const untyped = (value: unknown) => value as never;

describe('loadModel', () => {
  let bytes: Uint8Array<ArrayBuffer>;
  let expected: readonly string[];
  const answers = async (model: Model, image: Parameters<Model['classify']>[0] = photograph) => {
    const predictions = await model.classify(image, 3);
    await model.dispose();
    return predictions.map(({ index, probability }) => `${index} ${probability}`);
  };
  beforeAll(async () => {
    bytes = new Uint8Array(await readFile(checkpoint));
    expected = await answers(await loadModel({ checkpoint }, small));
  });

  it.each<[string, () => ModelSource['checkpoint']]>([
    ['a file: address', () => pathToFileURL(checkpoint)],
    ['bytes', () => bytes],
    ['an ArrayBuffer', () => bytes.buffer],
    ['a File', () => new File([bytes], 'mine.pth')],
    ['a Blob', () => new Blob([bytes])],
    ['a data: address', () => new URL(`data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`)],
  ])('takes a checkpoint as %s', async (_title, source) => {
    expect(await answers(await loadModel({ checkpoint: source() }, small))).toEqual(expected);
  });

  it('fetches a checkpoint, and says what the server answered when there is none', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/mine.pth') response.end(bytes);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const at = (path: string) => new URL(`http://127.0.0.1:${port}/${path}`);
    try {
      expect(await answers(await loadModel({ checkpoint: at('mine.pth') }, small))).toEqual(expected);
      await expect(loadModel({ checkpoint: at('none.pth') })).rejects.toThrow(/none\.pth: the server answered 404/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    await expect(loadModel({ checkpoint: at('mine.pth') })).rejects.toThrow(/cannot be fetched \(.*ECONNREFUSED/);
  });

  it('reads bytes as they were when it was called', async () => {
    const mine = bytes.slice();
    const loading = loadModel({ checkpoint: mine }, small);
    mine.fill(0);
    expect(await answers(await loading)).toEqual(expected);
  });

  it('classifies an image given as an address, a file or bytes', async () => {
    const image = new Uint8Array(await readFile(photograph));
    for (const source of [pathToFileURL(photograph), new File([image], 'cat.jpg'), image, image.buffer])
      expect(await answers(await loadModel({ checkpoint }, small), source)).toEqual(expected);
  });

  it.each([
    ['file.pth', 'found the text "file.pth", expected {checkpoint: "file.pth"}'],
    [new URL('file:///a.pth'), 'found an object of class URL, expected {checkpoint: …}'],
    [null, 'loadModel: found null, expected an object'],
    [{ chekpoint: 'a.pth' }, 'there is no option chekpoint; did you mean checkpoint?'],
    [{ checkpoint: 42 }, 'checkpoint: found 42, expected a path'],
    [{ checkpoint: null }, 'checkpoint: found null, expected a path'],
    [{ checkpoint: '' }, 'checkpoint: found the text "", expected a path'],
    [{ checkpoint: [1, 2] }, 'checkpoint: found a list'],
    [{ model: 3 }, 'model: found 3, expected a name'],
  ])('refuses %o as a source, and shows what it takes', async (source, message) => {
    const refused = loadModel(untyped(source));
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(message);
  });

  it.each([
    [{ timesteps: 4 }, 'loadModel: there is no option timesteps; did you mean timeSteps?'],
    [{ time_steps: 4 }, 'did you mean timeSteps?'],
    [{ numThreads: 2 }, 'did you mean threads?'],
    [{ quantised: true }, 'there are engine, threads, precision'],
    [{ prepare: { folded: false } }, 'prepare: there is no option folded; did you mean fold?'],
    [{ prepare: { repConv: 'both' } }, 'prepare: repConv: found the text "both"'],
    [{ preprocessing: { ...plainPreprocessing(16), means: [0, 0, 0] } }, 'did you mean mean?'],
    [{ engine: 'webgpu' }, 'engine: found the text "webgpu", expected native or wasm or reference'],
    [{ precision: 'i8' }, 'precision: found the text "i8", expected f32 or i16'],
    [{ fusedMultiplyAdd: 'no' }, 'fusedMultiplyAdd: found the text "no", expected true or false'],
    [{ threads: '2' }, 'threads: found the text "2"'],
    [null, 'loadModel: found null'],
  ])('refuses the options %o', async (options, message) => {
    const refused = loadModel({ checkpoint }, untyped(options) as LoadOptions);
    await expect(refused).rejects.toThrow(MetaSpikeformerError);
    await expect(refused).rejects.toThrow(message);
  });
});

describe('the bundled weights', () => {
  it('say how to be found when a bundler has moved the program away from them', async () => {
    const weightsAddress = pathToFileURL('/nowhere/models/photographs.safetensors');
    const lost = loadModel({}, { weightsAddress });
    await expect(lost).rejects.toThrow(UsageError);
    await expect(lost).rejects.toThrow(/not at file:\/\/\/nowhere.*weightsAddress: 'models\/photographs\.safetensors'/);
  });

  it('are taken from the address that is given', async () => {
    const weightsAddress = join(repository, 'models', 'cifar10.safetensors');
    const model = await loadModel({ model: 'cifar10' }, { weightsAddress, threads: 1 });
    expect(model.provenance).toMatchObject({ name: 'cifar10', trainedTimeSteps: 1 });
    await model.dispose();
    await expect(loadModel({ model: '15M-random' }, { weightsAddress })).rejects.toThrow('there is no file of them');
    await expect(loadModel({ checkpoint }, { weightsAddress })).rejects.toThrow('only goes with a model');
  });
});

describe('every function that takes options', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel({ checkpoint }, small);
  });
  afterAll(() => model.dispose());

  it.each<[string, () => unknown]>([
    ['createEngine', () => createEngine(untyped({ thread: 2 }))],
    ['resolveConfiguration', () => resolveConfiguration(untyped({ embedDim: [16, 32, 64, 80], timesteps: 2 }))],
    ['plainPreprocessing', () => plainPreprocessing(32, untyped({ standard: [1, 1, 1] }))],
    ['run', () => model.run({ shape: [1, 3, 16, 16], data: new Float32Array(768) }, untyped({ records: {} }))],
    [
      'run with a record',
      () =>
        model.run({ shape: [1, 3, 16, 16], data: new Float32Array(768) }, untyped({ record: { firingrates: true } })),
    ],
    [
      'step',
      () => model.step({ shape: [1, 3, 16, 16], data: new Float32Array(768) }, untyped({ record: { spike: true } })),
    ],
    ['tune', () => model.tune([], model.engine, untyped({ round: 3 }))],
    ['reconfigured', () => model.reconfigured(untyped({ timesteps: 2 }), model.engine)],
    ['evaluate', () => evaluate(model, untyped([]), [], untyped({ topK: 3, onprogress: null }))],
    ['onnxParts', () => onnxParts(model, untyped({ imagesize: [16, 16] }))],
    ['writePth', () => writePth('/nowhere/a.pth', new Map(), untyped({ wrapped: 'model' }))],
    ['openDataset', () => openDataset('/nowhere', untyped({ splits: 'test' }))],
    ['train', () => train(untyped({ recipes: {} }))],
    ['energyDocument', () => energyDocument(untyped({ subjects: {} }))],
    [
      'membraneTrace',
      () =>
        membraneTrace(
          { shape: [1, 1, 1, 1, 1], data: new Float32Array(1), tau: 2, threshold: 1 },
          untyped({ chanel: 0, position: 0 }),
        ),
    ],
  ])('refuses one that it does not have: %s', async (_title, call) => {
    const refused = (async () => call())();
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(/there is no option \w+; (did you mean \w+\?|there are )/);
  });

  it('takes energy constants in part, and refuses a field that there is none of', async () => {
    const input = { shape: [1, 3, 16, 16], data: Float32Array.from({ length: 768 }, (_, i) => Math.sin(i)) };
    const meterOf = async (constants: unknown) => {
      const meter = new EnergyMeter(model, untyped(constants));
      await meter.run(input);
      return meter.result();
    };
    expect(await meterOf({ name: 'own', accumulate: 0.5 })).toEqual(
      await meterOf({ ...defaultEnergyConstants, name: 'own', accumulate: 0.5 }),
    );
    await expect(meterOf({ acumulate: 0.5 })).rejects.toThrow(/no field acumulate \(did you mean accumulate\?\)/);
    await expect(meterOf({ memory: { weightsRead: 1 } })).rejects.toThrow(
      /memory\.weightsRead \(did you mean weightRead\?\)/,
    );
    await expect(meterOf(undefined)).rejects.toThrow(UsageError);
  });

  it('says what is missing from the findings of an energy document and from a neuron', () => {
    expect(() => energyDocument(untyped({ subject: {} }))).toThrow(/energyDocument: constants is undefined/);
    const input = { shape: [1, 1, 1, 1, 1], data: new Float32Array(1), tau: 2 };
    expect(() => membraneTrace(untyped(input), { channel: 0, position: 0 })).toThrow(/threshold: found undefined/);
  });

  it.each([-1, 0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3', null])('refuses %s classes to name', async (top) => {
    await expect(model.classify(photograph, untyped(top))).rejects.toThrow(
      /^top: found .*, expected a whole number from 1/,
    );
    expect(() => model.rank(new Float32Array(10), untyped(top))).toThrow(UsageError);
  });

  it.each([undefined, null, 42, {}, [photograph], true])('refuses %o as an image', async (image) => {
    const refused = model.classify(untyped(image));
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(/^image: found .*, expected a path or an address/);
  });

  it.each([undefined, null, 'x', [], {}, { shape: [1, 3, 16, 16] }, { shape: [1, 3, 16, 16], data: [0] }])(
    'refuses %o as an input',
    async (input) => {
      for (const refused of [model.run(untyped(input)), model.step(untyped(input))]) {
        await expect(refused).rejects.toThrow(/^input: found .*, expected \{shape, data\}/);
      }
    },
  );

  it('refuses a list of images that is none', async () => {
    await expect(model.inputOf(untyped(photograph))).rejects.toThrow('images: found the text');
    await expect(model.inputOf([])).rejects.toThrow('images: found none');
  });
});

describe('messages', () => {
  it('show control characters of names instead of sending them to the terminal', async () => {
    const hostile = 'a\u001b[31m\nb\u202e\u0007.pth';
    const errors = await Promise.all([
      loadModel({ checkpoint: hostile }).catch((error: unknown) => error),
      loadModel({ model: hostile }).catch((error: unknown) => error),
      openDataset(hostile).catch((error: unknown) => error),
      loadModel(untyped({ [hostile]: 1 })).catch((error: unknown) => error),
    ]);
    for (const error of errors) {
      expect((error as Error).message).toContain('a\\u001b[31m\\u000ab\\u202e\\u0007');
      expect((error as Error).message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });
});
