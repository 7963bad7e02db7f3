// @ts-check
/**
 * Time, memory and firing rate of whole networks with random weights, in the engine as it runs by default. Not a race: rivals join
 * with the ONNX export. `node bench/inference.mjs [SIZE T [THREADS [PRECISION]]]…`, after `npm run build`; one child process per case, so that memory is the case's own.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadModel } from '../dist/index.js';

const here = fileURLToPath(import.meta.url);
const photograph = fileURLToPath(new URL('../assets/photographs/cat.jpg', import.meta.url));
const runs = 11;

/** @param {string} size @param {number} timeSteps @param {number} threads @param {'f32' | 'i16'} precision */
async function measure(size, timeSteps, threads, precision) {
  const start = performance.now();
  const model = await loadModel({ model: `${size}-random` }, { timeSteps, threads, precision });
  const input = await model.inputOf([photograph]);
  await model.run(input);
  const ready = performance.now() - start;
  const times = [];
  for (let i = 0; i < runs; i++) times.push((await model.run(input)).milliseconds);
  times.sort((a, b) => a - b);
  const peak = process.resourceUsage().maxRSS / 1024;
  const rates = [...((await model.run(input, { record: { firingRates: true } })).firingRates ?? new Map()).values()];
  const rate = rates.reduce((sum, value) => sum + value, 0) / rates.length;
  await model.dispose();
  return {
    size,
    timeSteps,
    threads,
    precision,
    medianMilliseconds: times[runs >> 1],
    fastest: times[0],
    firstAnswerMilliseconds: ready,
    peakMegabytes: peak,
    meanFiringRate: rate,
  };
}

if (process.argv[2] === '--case') {
  const [size = '', timeSteps, threads, precision] = process.argv.slice(3);
  console.log(
    JSON.stringify(await measure(size, Number(timeSteps), Number(threads), precision === 'i16' ? 'i16' : 'f32')),
  );
} else {
  const cases =
    process.argv.length > 2
      ? [process.argv.slice(2)]
      : [
          ['15M', '1'],
          ['31M', '1'],
          ['31M', '1', '1'],
          ['31M', '4'],
          ['55M', '1'],
          ['55M', '4'],
        ];
  for (const [size = '31M', timeSteps = '1', threads = '2', precision = 'f32'] of cases) {
    const child = spawnSync(process.execPath, [here, '--case', size, timeSteps, threads, precision], {
      encoding: 'utf8',
    });
    process.stdout.write(child.stdout || child.stderr);
  }
}
