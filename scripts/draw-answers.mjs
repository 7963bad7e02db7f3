// @ts-check
/**
 * Ten test images as a network sees and answers them, for the documentation: `node scripts/draw-answers.mjs MODEL DATA SHEET.webp`, after
 * `npm run build`. The ground is not the photograph, which is not ours to publish, but the spikes of an early layer; images are taken
 * evenly over the test part, whatever the answers are. Beside the answer stands what is wrong with it.
 */
import { basename } from 'node:path';
import sharp from 'sharp';
import { openTaskEvaluationData } from '../dist/api/evaluationData.js';
import { sideBySide } from '../dist/cli/drawing.js';
import { loadModel } from '../dist/index.js';
import { taskNamed } from '../dist/tasks/registry.js';

const [source, data, sheet] = process.argv.slice(2);
if (source === undefined || data === undefined || sheet === undefined) {
  process.stderr.write('usage: node scripts/draw-answers.mjs MODEL|CHECKPOINT DATA SHEET.webp\n');
  process.exit(2);
}
const pictures = 10;
/** Its neurons stand at half of the input's size and have seen little but edges. */
const groundLayer = 'ConvBlock1_1.0.Conv.lif2';

const named = /\.safetensors$/.test(source) ? { checkpoint: source } : { model: source };
const model = await loadModel(named, { threads: 1 });
const task = taskNamed(model.task);
const { comparing, telling } = task;
if (comparing === undefined) throw new Error(`${model.task}: has no pictures`);
const opened = await openTaskEvaluationData(task, data, { skipBad: true });
const [height, width] = model.input.size;
const frame = { width, height };

/** @param {{ shape: readonly number[], bits: Uint8Array }} spikes @returns {Uint8Array} grey, one for each position */
function shareThatFires({ shape, bits }) {
  const [, , channels, rows, columns] = /** @type {[number, number, number, number, number]} */ (shape);
  const area = rows * columns;
  const grey = new Uint8Array(area);
  for (let position = 0; position < area; position++) {
    let fired = 0;
    for (let channel = 0; channel < channels; channel++) {
      const at = channel * area + position;
      fired += ((bits[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    }
    grey[position] = Math.round(20 + (235 * fired) / channels);
  }
  return grey;
}

/**
 * What is wrong, as an answer that can be drawn.
 *
 * @param {any} answer
 * @param {any} truth
 */
function wrongOf(answer, truth) {
  if (!('mask' in answer)) {
    const missed = truth.filter((/** @type {any} */ one) => comparing?.agreement(answer, [one]) === 0);
    const invented = answer.filter((/** @type {any} */ one) => comparing?.agreement([one], truth) === 0);
    return [
      ...missed.map((/** @type {any} */ one) => ({ ...one, label: `missed ${one.label}` })),
      ...invented.map((/** @type {any} */ one) => ({ ...one, label: `unlabelled ${one.label}`, index: one.index + 3 })),
    ];
  }
  const mask = answer.mask.map((/** @type {number} */ found, /** @type {number} */ pixel) =>
    truth.mask[pixel] === 255 || truth.mask[pixel] === found ? 255 : 0,
  );
  return { ...answer, mask, segments: [{ label: 'wrong', index: 0, share: 1 }] };
}

const step = Math.floor(opened.size / pictures);
let image = 0;
/** @type {Uint8Array[]} */
const drawn = [];
for await (const batch of opened.batches({ batch: 1, preprocess: /** @type {any} */ (model.input.preprocessing) })) {
  if (image++ % step !== 0 || drawn.length === pictures) continue;
  const result = await model.run(
    { shape: [1, model.configuration.inputChannels, height, width], data: batch.input },
    { record: { spikes: true } },
  );
  const spikes = result.spikes?.get(groundLayer);
  if (spikes === undefined) throw new Error(`there is no layer ${groundLayer}`);
  const [rows, columns] = spikes.shape.slice(-2);
  const ground = await sharp(shareThatFires(spikes), {
    raw: { width: Number(columns), height: Number(rows), channels: 1 },
  })
    .resize(width, height, { kernel: 'nearest' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const picture = { width, height, data: new Uint8Array(ground.data) };
  const reading = { labels: opened.names, top: telling.most ?? opened.names.length, threshold: 0.5 };
  const [answer] = telling.decode(result.outputs, [frame], reading);
  const [truth] = comparing.truths(/** @type {any} */ (batch), frame, opened.names);
  const agreement = comparing.agreement(/** @type {any} */ (answer), /** @type {any} */ (truth));
  const sides = await sideBySide(picture, [
    {
      elements: telling.draw(/** @type {any} */ (answer), frame),
      caption: `answer, ${comparing.called} ${agreement.toFixed(2)}`,
    },
    { elements: telling.draw(wrongOf(answer, truth), frame), caption: 'differs from the truth' },
  ]);
  const name = basename(opened.sampleName(batch.indices[0] ?? 0)).replace(/\.\w+$/, '');
  drawn.push(sides);
  process.stdout.write(`${name}: ${comparing.called} ${agreement.toFixed(3)}\n`);
}
await model.dispose();

const columns = 2;
const { width: tileWidth = 0, height: tileHeight = 0 } = await sharp(drawn[0]).metadata();
const space = 8;
await sharp({
  create: {
    width: columns * (tileWidth + space) - space,
    height: Math.ceil(drawn.length / columns) * (tileHeight + space) - space,
    channels: 3,
    background: 'white',
  },
})
  .composite(
    drawn.map((input, i) => ({
      input: Buffer.from(input),
      left: (i % columns) * (tileWidth + space),
      top: Math.floor(i / columns) * (tileHeight + space),
    })),
  )
  .webp({ quality: 72 })
  .toFile(sheet);
