// @ts-check
/**
 * What a window of live events costs, against how many events it holds: a network of 2 M parameters on a sensor of 128 × 128 pixels, windows of 20 ms, membranes kept from
 * window to window. Random weights, calibrated to a firing rate at 100,000 events a second; events are scattered at random, with a moving edge that gives half of them.
 *
 * Usage: npm run build, then node bench/stream.mjs [--rate 15] [--threads 2] [--precision f32|i16] [--windows 60] [--plot FILE.svg] [--no-energy]
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { EventDecisions } from '../dist/api/eventDecisions.js';
import { Model } from '../dist/api/model.js';
import { streamPlot } from '../dist/cli/streamPlot.js';
import { defaultEnergyConstants } from '../dist/energy/constants.js';
import { eventsOf } from '../dist/modalities/events/columns.js';
import { framesOf } from '../dist/modalities/events/frames.js';
import { parseEventPreprocessing } from '../dist/modalities/events/settings.js';
import { initialiseParameters } from '../dist/models/initialise.js';
import { describeNetwork, graphOf } from '../dist/models/registry.js';
import { seededRandom } from '../dist/random.js';
import { calibrateFiringRates } from '../dist/runtime/calibrate.js';
import { createEngine } from '../dist/runtime/engines.js';
import { medianOf } from '../dist/runtime/median.js';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '15' },
    threads: { type: 'string', default: '2' },
    precision: { type: 'string', default: 'f32' },
    windows: { type: 'string', default: '60' },
    plot: { type: 'string' },
    'no-energy': { type: 'boolean', default: false },
  },
});
const side = 128;
const microseconds = 20_000;
const threads = Number(values.threads);
const preprocessing = parseEventPreprocessing({
  sensor: [side, side],
  window: { by: 'time', microseconds, empty: 'leftOut' },
  timeSteps: 10,
  representation: 'polarities',
  scale: { clip: 4, divide: 2 },
});
const description = describeNetwork(undefined, {
  embedDim: [32, 64, 128, 160],
  depths: [1, 1, 2, 2, 1],
  inputChannels: 2,
  classes: 10,
  timeSteps: 1,
});

/** @param {number} perSecond @param {number} index @param {() => number} random */
function windowOf(perSecond, index, random) {
  const from = index * microseconds;
  const count = Math.round((perSecond * microseconds) / 1e6);
  const edge = (index * 2) % side;
  const rows = Array.from(
    { length: count },
    (_, i) =>
      /** @type {const} */ ([
        from + Math.floor((i * microseconds) / count),
        i % 2 === 0 ? edge : Math.floor(random() * side),
        Math.floor(random() * side),
        random() < 0.5 ? 0 : 1,
      ]),
  );
  return { index, windows: 1, from, to: from + microseconds, events: eventsOf(rows) };
}

const graph = graphOf(description);
const random = seededRandom(3);
const uniform = () => random.uniform();
const typical = framesOf(windowOf(100_000, 0, uniform).events, { ...preprocessing, timeSteps: 1 });
const shown = new Float32Array(typical.data.length);
for (let c = 0; c < 2; c++)
  for (let i = 0; i < side * side; i++) shown[i * 2 + c] = typical.data[c * side * side + i] ?? 0;
const calibrating = await createEngine({ threads });
const parameters = await calibrateFiringRates(
  calibrating,
  // Over ten steps: membranes that are kept make neurons fire more often than a first frame does.
  {
    graph: graphOf({ ...description, configuration: { ...description.configuration, timeSteps: 10 } }),
    parameters: initialiseParameters(graph, 1),
  },
  { shape: [1, side, side, 2], data: shown },
  Number(values.rate) / 100,
);
await calibrating.dispose();
const count = [...parameters]
  .filter(([name]) => !/running_|num_batches/.test(name))
  .reduce((n, [, v]) => n + v.length, 0);

const rows = [];
const costs = [];
let engineName = '';
for (const perSecond of [0, 1_000, 10_000, 100_000, 300_000, 1_000_000, 3_000_000]) {
  const engine = await createEngine({ threads, precision: values.precision === 'i16' ? 'i16' : 'f32' });
  engineName = engine.name;
  const model = new Model(
    /** @type {import('../dist/api/modelTypes.js').ModelParts} */ (
      /** @type {unknown} */ ({
        ...description,
        modality: 'events',
        parameters,
        engine,
        provenance: { name: 'random' },
        preprocessing,
      })
    ),
  );
  const energy = values['no-energy'] ? {} : { energy: defaultEnergyConstants };
  const decisions = new EventDecisions({ model, preprocessing, timeSteps: 10, emptyWindows: 'leftOut', ...energy });
  const [times, spent, frames] = [[], [], []].map((list) => /** @type {number[]} */ (list));
  for (let index = 0; index < Number(values.windows) + 10; index++) {
    const given = windowOf(perSecond, index, uniform);
    const start = performance.now();
    const { milliseconds, millijoules = NaN, skipped } = await decisions.decide(given);
    const took = performance.now() - start;
    if (index < 10) continue;
    times?.push(took);
    frames?.push(milliseconds.frame);
    spent?.push(millijoules * 1000);
    costs.push({ eventsPerSecond: perSecond, milliseconds: took, microjoules: millijoules * 1000, skipped });
  }
  const all = times ?? [];
  rows.push({
    'events/s': perSecond,
    'ms (median)': medianOf(all).toFixed(3),
    'ms (highest)': Math.max(...all).toFixed(2),
    'of it frame': medianOf(frames ?? []).toFixed(3),
    'µJ (median)': medianOf(spent ?? []).toFixed(1),
  });
  await model.dispose();
}
console.log(
  `${engineName}, ${threads} threads, ${values.precision}, ${count} parameters, ${side} × ${side}, windows of ${microseconds / 1000} ms, about ${values.rate} % fire at 100,000 events/s`,
);
console.table(rows);
if (values.plot)
  await writeFile(
    values.plot,
    streamPlot(costs, `A window of 20 ms, 128 × 128, ${(count / 1e6).toFixed(1)} M parameters`),
  );
