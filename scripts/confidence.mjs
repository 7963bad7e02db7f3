// @ts-check
/**
 * How far a figure of an evaluation may be from what more images would give: `node scripts/confidence.mjs MODEL|CHECKPOINT DATA FIGURE`, after `npm run build`. FIGURE is a path in
 * the JSON of `eval`, such as `meanIou` or `detection.averagePrecision50`. Images are drawn again with replacement a thousand times (Efron and Tibshirani 1993), and the middle
 * 95 % of the figures are told. What the test images have in common, a street or a microscope, no such interval knows.
 */
import { runAll } from '../dist/api/evaluate.js';
import { openTaskEvaluationData } from '../dist/api/evaluationData.js';
import { loadModel } from '../dist/index.js';
import { taskNamed } from '../dist/tasks/registry.js';

const [source, data, path] = process.argv.slice(2);
if (source === undefined || data === undefined || path === undefined) {
  process.stderr.write('usage: node scripts/confidence.mjs MODEL|CHECKPOINT DATA FIGURE\n');
  process.exit(2);
}
const draws = 1000;

const named = /\.safetensors$/.test(source) ? { checkpoint: source } : { model: source };
const model = await loadModel(named, { threads: 1 });
const { evaluating, ...task } = taskNamed(model.task);
if (evaluating.needsAll) throw new Error(`${model.task}: its figures are not sums over images`);
const opened = await openTaskEvaluationData({ evaluating, ...task }, data, { skipBad: true });
const { labels, hasLabels, configuration: network } = model;
/** @type {any[]} one for each image */
const parts = [];
await runAll(
  model,
  opened.batches({ batch: 1, preprocess: model.input.preprocessing }),
  (/** @type {any} */ { outputs }, /** @type {any} */ drawn) => {
    const one = evaluating.begin({ network, labels, hasLabels }, { name: data, names: opened.names });
    one.add(outputs, drawn);
    parts.push(one.fields());
  },
  {},
);
await model.dispose();

/** @param {any} fields @returns {number} */
function figureOf(fields) {
  const value = path?.split('.').reduce((place, key) => place?.[key], fields);
  if (typeof value !== 'number') throw new Error(`${path}: there is no such figure`);
  return value;
}

/** An image that is drawn twice counts as two. @param {any} fields @param {number} number */
function renumbered(fields, number) {
  if (fields.matches === undefined) return fields;
  const matches = fields.matches.matches.map((/** @type {any} */ each) => ({ ...each, image: number }));
  return { ...fields, matches: { images: [number], matches } };
}

let state = 1;
/** Uniform in [0, 1): a linear congruential generator (Knuth's MMIX would need 64 bits; this is Numerical Recipes'). */
function uniform() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const whole = figureOf(evaluating.merge(parts.map(renumbered)));
const figures = Array.from({ length: draws }, () => {
  const drawn = parts.map((_, i) => renumbered(parts[Math.floor(uniform() * parts.length)], i));
  return figureOf(evaluating.merge(drawn));
}).sort((a, b) => a - b);
const percent = (/** @type {number | undefined} */ share) => `${(100 * (share ?? 0)).toFixed(1)} %`;
process.stdout.write(
  `${path}: ${percent(whole)} on ${parts.length} images, 95 % between ${percent(figures[Math.round(0.025 * draws)])} and ${percent(figures[Math.round(0.975 * draws) - 1])}\n`,
);
