// @ts-check
/**
 * What the lab promises, measured in headless Chromium: frames a second from the camera with the main thread free, and a race of 31M at 224² against
 * onnxruntime-web in one page. `node bench/lab.mjs [camera] [race] [--rounds N] [--threads N] [--rate PERCENT] [--seconds N] [--json]`, after
 * `npm run build:lab`; both parts without names. Chromium of the system, or META_SPIKEFORMER_CHROMIUM. Take figures on a quiet machine.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { z } from 'zod';
import { writeNetwork } from '../dist/cli/bench/network.js';
import { loopback, pageHeaders, serveLab } from '../dist/cli/labServer.js';
import { medianOf } from '../dist/runtime/median.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const executablePath = process.env.META_SPIKEFORMER_CHROMIUM ?? '/usr/bin/chromium';
const inputSide = 224;
/** Until the camera runs, the engine is warm and the page is laid out. */
const settleMilliseconds = 3000;
/** The promise that the main thread keeps. */
const longestTask = 50;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '2' },
    rate: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
});
const whole = (/** @type {number} */ most) => z.coerce.number().int().min(1).max(most);
const options = z
  .object({ rounds: whole(1000), threads: whole(64), rate: whole(90), seconds: whole(600), json: z.boolean() })
  .parse(values);
const parts = z.array(z.enum(['camera', 'race'])).parse(positionals.length > 0 ? positionals : ['camera', 'race']);

/** @returns {Promise<import('playwright-core').Browser>} */
function launch() {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const camera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
  return chromium.launch({ executablePath, args: [...camera, ...sandbox, '--disable-dev-shm-usage'] });
}

/** @param {import('node:http').Server} server */
function addressOf(server) {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return `http://${loopback}:${address.port}/`;
}

/** Frames answered in `seconds` of the camera, and every long task of the main thread meanwhile. */
async function measureCamera() {
  const server = await serveLab(join(root, 'lab', 'dist'), join(root, 'models'), 0);
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, permissions: ['camera'] });
    const page = await context.newPage();
    await page.addInitScript(() => {
      /** @type {{ frames: number, longTasks: number[] }} */
      const counters = { frames: 0, longTasks: [] };
      Object.assign(window, { counters });
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) counters.longTasks.push(duration);
      }).observe({ type: 'longtask' });
      // Answers of the engine, whatever the page makes of them.
      const PageWorker = Worker;
      window.Worker = class extends PageWorker {
        /** @param {string | URL} address @param {WorkerOptions} [workerOptions] */
        constructor(address, workerOptions) {
          super(address, workerOptions);
          this.addEventListener('message', ({ data }) => {
            if (data.kind === 'frame' && data.frame.live) counters.frames++;
          });
        }
      };
    });
    await page.goto(`${addressOf(server)}#threads=${options.threads}`);
    await page.locator('[data-ready="true"]').waitFor({ timeout: 120_000 });
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.getByTestId('frame-rate').waitFor({ timeout: 120_000 });
    await page.waitForTimeout(settleMilliseconds);
    const count = () =>
      page.evaluate(() => {
        const { counters } = /** @type {any} */ (window);
        return { now: performance.now(), frames: counters.frames, longTasks: [...counters.longTasks] };
      });
    const before = await count();
    await page.waitForTimeout(1000 * options.seconds);
    const after = await count();
    const tasks = after.longTasks.slice(before.longTasks.length).map((/** @type {number} */ task) => Math.round(task));
    return {
      framesPerSecond: (1000 * (after.frames - before.frames)) / (after.now - before.now),
      longTasks: tasks.filter((/** @type {number} */ task) => task > longestTask),
      threads: await page.locator('.status').textContent(),
    };
  } finally {
    await browser.close();
    server.close();
  }
}

/** Folders that the race needs, and nothing else of the repository. */
const served = ['bench/lab/', 'dist/', 'node_modules/zod/', 'node_modules/onnxruntime-web/dist/'];
/** Workers know no import maps, so packages are given their addresses as they are served. @type {Record<string, string>} */
const packages = {
  zod: '/node_modules/zod/index.js',
  'onnxruntime-web/wasm': '/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs',
};
/** @type {Record<string, string>} */
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
const { 'Cross-Origin-Opener-Policy': opener = '', 'Cross-Origin-Embedder-Policy': embedder = '' } = pageHeaders;

/** @param {string} folder where the network lies @param {object} task @returns {Promise<import('node:http').Server>} */
async function serveRace(folder, task) {
  const server = createServer(async (request, response) => {
    const name = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname)).slice(1);
    const isolated = { 'Cross-Origin-Opener-Policy': opener, 'Cross-Origin-Embedder-Policy': embedder };
    const headers = { ...isolated, 'Content-Type': types[extname(name)] ?? 'application/octet-stream' };
    const path = name.startsWith('data/') ? join(folder, name.slice('data/'.length)) : join(root, name);
    const allowed = name.startsWith('data/') || served.some((prefix) => name.startsWith(prefix));
    if (name === 'task.json') response.writeHead(200, headers).end(JSON.stringify(task));
    else if (!allowed || !(await stat(path).catch(() => undefined))?.isFile()) response.writeHead(404, headers).end();
    else if (!/^(dist|bench)\/.*\.m?js$/.test(name)) createReadStream(path).pipe(response.writeHead(200, headers));
    else response.writeHead(200, headers).end(withAddresses(await readFile(path, 'utf8')));
  });
  await new Promise((resolve) => server.listen(0, loopback, () => resolve(undefined)));
  return server;
}

/** @param {string} source */
function withAddresses(source) {
  return source.replace(/(from\s*|import\s*)(['"])([^'".]+)\2/g, (all, before, quote, name) =>
    packages[name] ? `${before}${quote}${packages[name]}${quote}` : all,
  );
}

async function measureRace() {
  const folder = await mkdtemp(join(tmpdir(), 'spikeformer-lab-'));
  const { threads, rounds, rate } = options;
  const { shape } = await writeNetwork({ model: '31M', timeSteps: 1, batch: 1, rate }, folder, threads);
  const data = { checkpoint: '/data/network.safetensors', onnx: '/data/network.onnx' };
  const task = { threads, rounds, shape, ...data, runtime: '/node_modules/onnxruntime-web/dist/' };
  const server = await serveRace(folder, task);
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${addressOf(server)}bench/lab/index.html`);
    await page.waitForFunction(() => 'race' in window, undefined, { timeout: 1_800_000 });
    const found = await page.evaluate(() => /** @type {any} */ (window).race);
    if (found.failure) throw new Error(found.failure);
    /** @type {{ name: string, times: number[] }[]} */
    const lanes = found.contestants;
    const rival = medianOf(lanes.find(({ name }) => name === 'onnxruntime-web')?.times ?? []);
    const contestants = lanes.map(({ name, times }) => ({
      name,
      times,
      median: medianOf(times),
      ratio: rival / medianOf(times),
    }));
    return { model: '31M', timeSteps: 1, size: inputSide, threads, ...found, contestants };
  } finally {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const found = {
  machine: { processor: cpus()[0]?.model, processors: cpus().length, node: process.version },
  ...(parts.includes('camera') ? { camera: await measureCamera() } : {}),
  ...(parts.includes('race') ? { race: await measureRace() } : {}),
};
if (options.json) console.log(JSON.stringify(found, null, 2));
else {
  if (found.camera) {
    const { framesPerSecond, longTasks, threads } = found.camera;
    console.log(`camera, default model (${threads}): ${framesPerSecond.toFixed(1)} frames a second`);
    console.log(
      `main thread: ${longTasks.length} tasks over ${longestTask} ms ${longTasks.length > 0 ? `(${longTasks.join(', ')} ms)` : ''}`,
    );
  }
  if (found.race) {
    const { firingRate, largestLogitDifference, contestants } = found.race;
    console.log(
      `31M, T = 1, ${inputSide}², ${options.threads} threads, mean firing rate ${(100 * firingRate).toFixed(1)} %`,
    );
    for (const { name, median, ratio } of contestants)
      console.log(`  ${name.padEnd(16)} ${median.toFixed(1)} ms, ${ratio.toFixed(2)} times as fast as onnxruntime-web`);
    console.log(`largest difference of logits: ${largestLogitDifference}`);
  }
}
