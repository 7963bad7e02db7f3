/**
 * What an image is answered does not depend on the images beside it: every batch size and order gives the bits that the image gives alone, in both precisions, whatever the
 * threads. Images of very different firing rates lie side by side, so that whatever is decided by how often neurons fire is decided differently for neighbours.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { type FieldTensor, loadModel, Model, metaSpikeformer, resolveConfiguration } from '../../src/index.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { calibrateFiringRates } from '../../src/runtime/calibrate.js';
import { createEngine } from '../../src/runtime/engines.js';

/** Noise of several strengths, and plain colours. */
function mixedImages(size: number): readonly Float32Array[] {
  const random = seededRandom(5);
  const length = 3 * size * size;
  const noise = (strength: number) => Float32Array.from({ length }, () => strength * random.normal());
  return [noise(1), noise(0), noise(0.2), noise(3), new Float32Array(length).fill(2.5)];
}

function batchOf(images: readonly Float32Array[], order: readonly number[], size: number): FieldTensor {
  const data = new Float32Array(order.length * images[0]!.length);
  for (const [place, image] of order.entries()) data.set(images[image]!, place * images[0]!.length);
  return { shape: [order.length, 3, size, size], data };
}

/** Scores of each image of a batch, and a fingerprint of its spikes. */
async function answers(model: Model, images: readonly Float32Array[], order: readonly number[], size: number) {
  const { logits, spikeWords } = await model.run(batchOf(images, order, size), { record: { spikeWords: true } });
  const classes = logits.shape[1]!;
  return order.map((_, place) => {
    const hash = createHash('sha256');
    for (const { shape, words } of spikeWords!.values()) {
      const [timeSteps, batch] = shape as [number, number];
      const own = words.length / (timeSteps * batch);
      for (let t = 0; t < timeSteps; t++)
        hash.update(words.slice((t * batch + place) * own, (t * batch + place + 1) * own));
    }
    return `${logits.data.slice(place * classes, (place + 1) * classes)} ${hash.digest('hex')}`;
  });
}

/** Begins with the longest batch: of what a model has packed for one, later ones may make use. */
const ordersFrom = (longest: number) => [
  Array.from({ length: longest }, (_, place) => (place * 3) % 5),
  [3, 1],
  [4, 0, 2],
  [2, 4, 3, 1, 0],
];

/** A network of odd sizes whose neurons fire so often that layers use tables, on maps of 15 to 900 positions. */
async function busyModel(timeSteps: number): Promise<Model> {
  const configuration = resolveConfiguration({
    embedDim: [24, 40, 200, 72],
    depths: [1, 1, 1, 1, 1],
    strides: [1, 2, 2, 2, 1],
    stemKernel: 3,
    heads: 4,
    classes: 7,
    timeSteps,
  });
  const graph = metaSpikeformer(configuration);
  const random = seededRandom(2);
  const data = Float32Array.from({ length: 2 * 30 * 30 * 3 }, () => random.normal());
  const engine = await createEngine({ threads: 1 });
  const source = { graph, parameters: initialiseParameters(graph, 1) };
  const parameters = await calibrateFiringRates(engine, source, { shape: [2, 30, 30, 3], data }, 0.3);
  const provenance = { name: 'busy', randomWeights: true, description: '' };
  return new Model({ configuration, parameters, engine, provenance, preprocessing: plainPreprocessing(30) });
}

/** Of `longest` images even a layer of one position per image, the head, has more positions than kernels for bytes ask for; of 70 than any kernel does. */
const networks = [
  { name: 'a network that fires at 30 %', size: 30, longest: 70, threads: [1, 3], load: busyModel },
  ...[
    { name: 'cifar10', size: 32 },
    { name: '15M-random', size: 32 },
  ].map(({ name, size }) => ({
    name,
    size,
    longest: 17,
    threads: [2],
    load: (timeSteps: number) => loadModel({ model: name }, { timeSteps, threads: 1 }),
  })),
];

describe.each(networks)('$name', ({ size, longest, threads, load }) => {
  describe.each([1, 4])('with T = %d', (timeSteps) => {
    let source: Model;
    const images = mixedImages(size);
    beforeAll(async () => {
      source = await load(timeSteps);
    });
    afterAll(() => source.dispose());

    /** @param rates With them the engine of precision i16 takes tables where neurons fire often. */
    async function expectSame(precision: 'f32' | 'i16', rates: ReadonlyMap<string, number> = new Map()): Promise<void> {
      const model = async (count: number) => {
        const made = source.reconfigured({}, await createEngine({ threads: count, precision }));
        if (rates.size > 0) await made.chooseForms(new Map(), rates);
        return made;
      };
      const alone = await model(1);
      const expected: string[] = [];
      for (const image of images.keys()) expected.push(...(await answers(alone, images, [image], size)));
      await alone.dispose();
      for (const count of threads) {
        const together = await model(count);
        for (const order of ordersFrom(longest)) {
          const found = await answers(together, images, order, size);
          expect(found, `${count} threads`).toEqual(order.map((image) => expected[image]));
        }
        await together.dispose();
      }
    }

    it('answers in f32 the same in every batch', () => expectSame('f32'));

    it('answers in i16 the same in every batch', () => expectSame('i16'));

    if (load !== busyModel) return;
    it('answers in i16 the same in every batch, told how often neurons fire', async () => {
      const record = { firingRates: true };
      const { firingRates } = await source.run(batchOf(images, [0], size), { record });
      await expectSame('i16', firingRates);
    });
  });
});
