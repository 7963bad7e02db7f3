// @ts-check
/**
 * How the cost of a network grows with time steps, batch, image size, firing rate and threads: figures as JSON, and plots. All points of a
 * sweep take turns, so that a slow minute is slow for all. Random weights calibrated to a firing rate, RepConvs tuned.
 *
 * Usage: npm run build, then node bench/scaling.mjs [--size 31M] [--sweeps threads,batch,…] [--output docs/plots] [--networks FOLDER]
 *
 * Calibrated networks are kept in `--networks`, for the next time; `--prepare` makes them and measures nothing.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { tuned, writeNetwork } from '../dist/cli/bench/network.js';
import { loadModel } from '../dist/index.js';
import { medianOf } from '../dist/runtime/median.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '31M' },
    sweeps: { type: 'string', default: 'time-steps,batch,image-size,firing-rate,threads' },
    output: { type: 'string', default: 'docs/plots' },
    networks: { type: 'string', default: join(tmpdir(), 'spikeformer-networks') },
    rounds: { type: 'string', default: '7' },
    prepare: { type: 'boolean', default: false },
  },
});
const { size } = values;
const defaults = { timeSteps: 1, batch: 1, image: 224, rate: 15, threads: 2 };
const precisions = /** @type {const} */ (['f32', 'i16']);

/** @param {number} timeSteps @param {number} rate in per cent */
async function networkFor(timeSteps, rate) {
  const folder = join(values.networks, `${size}-T${timeSteps}-${rate}`);
  const checkpoint = join(folder, 'network.safetensors');
  if (!existsSync(checkpoint)) {
    await mkdir(folder, { recursive: true });
    await writeNetwork({ model: size, timeSteps, batch: 1, rate }, folder, 2);
  }
  return checkpoint;
}

/** What `tune` finds of a network, once for T, rate, precision and threads. @param {typeof defaults} at @param {'f32' | 'i16'} precision */
async function tuningFor({ timeSteps, rate, threads }, precision) {
  const file = join(values.networks, `${size}-T${timeSteps}-${rate}`, `tuning-${precision}-${threads}.json`);
  if (!existsSync(file)) {
    const shape = [1, 3, defaults.image, defaults.image];
    const tuning = await tuned(await networkFor(timeSteps, rate), shape, { threads, precision });
    await writeFile(file, JSON.stringify(tuning));
  }
  return JSON.parse(await readFile(file, 'utf8'));
}

/** @param {Partial<typeof defaults>} changes @param {'f32' | 'i16'} precision */
async function lane(changes, precision) {
  const at = { ...defaults, ...changes };
  const { timeSteps, batch, image, rate, threads } = at;
  const model = await loadModel({ checkpoint: await networkFor(timeSteps, rate) }, { threads, precision });
  const { forms, firingRates } = await tuningFor(at, precision);
  await model.chooseForms(new Map(forms), new Map(firingRates));
  const shape = [batch, 3, image, image];
  const input = { shape, data: inputOf(shape) };
  await model.run(input);
  /** @type {number[]} */
  const times = [];
  return { model, times, run: async () => times.push((await model.run(input)).milliseconds) };
}

/** @type {Record<string, { title: string, unit: string, points: { x: number, f32: number, i16: number }[] }>} */
const series = {};
/** @param {string} name @param {string} title @param {string} unit @param {number[]} xs @param {(x: number) => Partial<typeof defaults>} change */
async function sweep(name, title, unit, xs, change) {
  if (!values.sweeps.split(',').includes(name)) return;
  if (values.prepare) {
    for (const x of xs) {
      const at = { ...defaults, ...change(x) };
      await networkFor(at.timeSteps, at.rate);
      for (const precision of precisions) await tuningFor(at, precision);
    }
    return;
  }
  /** @type {({ x: number, precision: 'f32' | 'i16' } & Awaited<ReturnType<typeof lane>>)[]} */
  const lanes = [];
  for (const x of xs)
    for (const precision of precisions) lanes.push({ x, precision, ...(await lane(change(x), precision)) });
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { run } of lanes) {
      // Threads of the lane before that wait by spinning go to sleep.
      await new Promise((resolve) => setTimeout(resolve, 30));
      await run();
    }
  const points = xs.map((x) => {
    const of = (/** @type {'f32' | 'i16'} */ precision) => {
      const own = lanes.find((one) => one.x === x && one.precision === precision);
      return Number(medianOf(own?.times ?? []).toFixed(1));
    };
    return { x, f32: of('f32'), i16: of('i16') };
  });
  for (const point of points) console.log(JSON.stringify({ name, ...point }));
  for (const { model } of lanes) await model.dispose();
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
<title>${title}</title>
<text x="${left}" y="18" font-size="14">${title}</text>
${levels.join('\n')}
${ticks.join('\n')}
<text x="${(left + width) / 2}" y="${height - 6}" text-anchor="middle">${unit}</text>
${lines.join('\n')}
</svg>
`;
}

await sweep('time-steps', `${size}, ms by time steps`, 'T', [1, 2, 4], (timeSteps) => ({ timeSteps }));
await sweep('batch', `${size}, ms by batch`, 'images', [1, 2, 4, 8], (batch) => ({ batch }));
await sweep('image-size', `${size}, ms by image size`, 'pixels', [96, 160, 224, 320], (image) => ({ image }));
await sweep('firing-rate', `${size}, ms by firing rate`, 'per cent', [5, 15, 25, 40], (rate) => ({ rate }));
await sweep('threads', `${size}, ms by threads`, 'threads', [1, 2], (threads) => ({ threads }));

await mkdir(values.output, { recursive: true });
for (const [name, chart] of Object.entries(series))
  await writeFile(`${values.output}/${size}-${name}.svg`, plot(chart));
const file = `${values.output}/${size}.json`;
const known = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')).series : {};
if (!values.prepare)
  await writeFile(file, `${JSON.stringify({ defaults, series: { ...known, ...series } }, null, 2)}\n`);
