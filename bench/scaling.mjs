// @ts-check
/**
 * How the cost of a network grows with time steps, batch, image size, firing rate and threads, and where the time goes: figures as JSON, and plots.
 * `node bench/scaling.mjs [--size 31M] [--output docs/plots]`, after `npm run build`. Random weights calibrated to a firing rate.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import {
  imagenetPreprocessing,
  Model,
  metaSpikeformer,
  metaSpikeformerSizes,
  resolveConfiguration,
} from '../dist/index.js';
import { initialiseParameters } from '../dist/models/initialise.js';
import { calibrateFiringRates } from '../dist/runtime/calibrate.js';
import { createEngine } from '../dist/runtime/engines.js';

const { values } = parseArgs({
  options: { size: { type: 'string', default: '31M' }, output: { type: 'string', default: 'docs/plots' } },
});
const size = /** @type {keyof typeof metaSpikeformerSizes} */ (values.size);
const defaults = {
  timeSteps: 1,
  batch: 1,
  image: 224,
  rate: 0.15,
  threads: 2,
  precision: /** @type {'f32' | 'i16'} */ ('f32'),
};

/** @type {Map<string, import('../dist/graph/graph.js').Parameters>} */
const calibrated = new Map();

/** @param {number} timeSteps @param {number} rate */
async function parametersFor(timeSteps, rate) {
  const key = `${timeSteps} ${rate}`;
  const known = calibrated.get(key);
  if (known) return known;
  const graph = metaSpikeformer(resolveConfiguration({ ...metaSpikeformerSizes[size], timeSteps }));
  const engine = await createEngine();
  const shape = [1, defaults.image, defaults.image, 3];
  const source = { graph, parameters: initialiseParameters(graph, 1) };
  const parameters = await calibrateFiringRates(engine, source, { shape, data: inputOf(shape) }, rate);
  await engine.dispose();
  calibrated.set(key, parameters);
  return parameters;
}

/** @param {Partial<typeof defaults>} changes */
async function measure(changes, layers = false) {
  const { timeSteps, batch, image, rate, threads, precision } = { ...defaults, ...changes };
  const model = new Model({
    configuration: resolveConfiguration({ ...metaSpikeformerSizes[size], timeSteps }),
    parameters: await parametersFor(timeSteps, rate),
    engine: await createEngine({ threads, precision }),
    provenance: { name: size, randomWeights: true, description: '' },
    preprocessing: imagenetPreprocessing,
  });
  const shape = [batch, 3, image, image];
  const input = { shape, data: inputOf(shape) };
  await model.run(input);
  const times = [];
  for (let i = 0; i < 7; i++) times.push((await model.run(input)).milliseconds);
  const median = times.sort((a, b) => a - b)[3] ?? 0;
  const timings = layers ? (await model.run(input, { record: { timings: true } })).layerMilliseconds : undefined;
  await model.dispose();
  return { milliseconds: Number(median.toFixed(1)), layers: timings };
}

/** @type {Record<string, { title: string, unit: string, points: { x: number, f32: number, i16: number }[] }>} */
const series = {};
/** @param {string} name @param {string} title @param {string} unit @param {number[]} xs @param {(x: number) => Partial<typeof defaults>} change */
async function sweep(name, title, unit, xs, change) {
  const points = [];
  for (const x of xs) {
    const f32 = await measure({ ...change(x), precision: 'f32' });
    const i16 = await measure({ ...change(x), precision: 'i16' });
    points.push({ x, f32: f32.milliseconds, i16: i16.milliseconds });
    console.log(JSON.stringify({ name, x, f32: f32.milliseconds, i16: i16.milliseconds }));
  }
  series[name] = { title, unit, points };
}

/** A small line chart; text and lines take the page's colour. @param {(typeof series)[string]} chart */
function plot({ title, unit, points }) {
  const [width, height, left, bottom] = [420, 260, 52, 40];
  const largestX = Math.max(...points.map(({ x }) => x));
  const largestY = Math.max(...points.map(({ f32, i16 }) => Math.max(f32, i16))) * 1.1;
  const x = (/** @type {number} */ value) => left + (value / largestX) * (width - left - 16);
  const y = (/** @type {number} */ value) => height - bottom - (value / largestY) * (height - bottom - 34);
  const lines = /** @type {const} */ (['f32', 'i16']).map((key) => {
    const colour = key === 'f32' ? '#3b6fd4' : '#d4763b';
    const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point[key]).toFixed(1)}`).join(' ');
    const dots = points.map(
      (point) => `<circle cx="${x(point.x).toFixed(1)}" cy="${y(point[key]).toFixed(1)}" r="3" fill="${colour}"/>`,
    );
    const last = points.at(-1);
    const label = last
      ? `<text x="${x(last.x) - 4}" y="${y(last[key]) - 8}" text-anchor="end" fill="${colour}">${key}</text>`
      : '';
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${label}`;
  });
  const ticks = points.map(
    (point) => `<text x="${x(point.x)}" y="${height - bottom + 16}" text-anchor="middle">${point.x}</text>`,
  );
  const levels = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = (share * largestY) / 1.1;
    return `<line x1="${left}" x2="${width - 16}" y1="${y(value)}" y2="${y(value)}" stroke="#8884"/><text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(0)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#777">
<text x="${left}" y="18" font-size="14">${title}</text>
${levels.join('\n')}
${ticks.join('\n')}
<text x="${(left + width) / 2}" y="${height - 6}" text-anchor="middle">${unit}</text>
${lines.join('\n')}
</svg>
`;
}

await sweep('time-steps', `${size}, ms by time steps`, 'T', [1, 2, 4, 8], (timeSteps) => ({ timeSteps }));
await sweep('batch', `${size}, ms by batch`, 'images', [1, 2, 4, 8], (batch) => ({ batch }));
await sweep('image-size', `${size}, ms by image size`, 'pixels', [96, 160, 224, 320], (image) => ({ image }));
await sweep('firing-rate', `${size}, ms by firing rate`, 'per cent', [2, 5, 10, 15, 25, 40], (rate) => ({
  rate: rate / 100,
}));
await sweep('threads', `${size}, ms by threads`, 'threads', [1, 2], (threads) => ({ threads }));

const { layers } = await measure({}, true);
/** @type {Map<string, number>} */
const kinds = new Map();
for (const [name, milliseconds] of layers ?? []) {
  const kind = kindOf(name);
  kinds.set(kind, (kinds.get(kind) ?? 0) + milliseconds);
}
/** @param {string} name */
function kindOf(name) {
  if (/_lif$|\.lif\d?$|^lif$/.test(name)) return 'neurons';
  if (name.startsWith('downsample1_1')) return 'first convolution';
  if (/^downsample/.test(name)) return 'other downsampling';
  if (/ConvBlock.*\.Conv\.dwconv/.test(name)) return 'SepConv: depthwise 7×7';
  if (/ConvBlock.*\.Conv\./.test(name)) return 'SepConv: pointwise';
  if (/ConvBlock.*\.conv[12]/.test(name)) return 'ChannelConv: 3×3';
  if (/\.product$/.test(name)) return 'attention products';
  if (/\.body\.2\.1/.test(name)) return 'RepConv: last 1×1, dense';
  if (/_conv\./.test(name)) return 'RepConv: first 1×1 and depthwise';
  if (/\.mlp\./.test(name)) return 'MLP';
  return 'head and sums';
}
const whole = [...kinds.values()].reduce((a, b) => a + b, 0);
for (const [kind, milliseconds] of [...kinds].sort((a, b) => b[1] - a[1]))
  console.log(
    `${kind.padEnd(36)} ${milliseconds.toFixed(1).padStart(7)} ms ${((100 * milliseconds) / whole).toFixed(1).padStart(5)} %`,
  );

await mkdir(values.output, { recursive: true });
for (const [name, chart] of Object.entries(series))
  await writeFile(`${values.output}/${size}-${name}.svg`, plot(chart));
await writeFile(`${values.output}/${size}.json`, `${JSON.stringify({ defaults, series }, null, 2)}\n`);
