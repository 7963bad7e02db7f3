// @ts-check
/**
 * How fast recordings of event cameras are read, and in how much memory: `node bench/events.mjs [KIND …] [--megabytes 128] [--runs 3] [--memory]`, after `npm run build`. A file of
 * each kind is written in a temporary folder, by repetition with times that go on, and read from the system's cache on one thread, each run in a process of its own; figures
 * are medians, by the clock and by the processor time of all threads, which a busy machine disturbs less. With `--memory` the file has 1 GB and is read once.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openNodeSource } from '../dist/data/events/nodeSource.js';
import { openEvents } from '../dist/data/events/openEvents.js';
import { fileKinds, madeEvents } from './eventFiles.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: 'string' },
    runs: { type: 'string' },
    memory: { type: 'boolean', default: false },
    read: { type: 'string' },
  },
});

if (values.read) await readOnce(values.read);
else compare();

/** @param {string} path */
async function readOnce(path) {
  const source = await openNodeSource(path);
  const [begun, processor] = [performance.now(), process.cpuUsage()];
  const reader = await openEvents(source);
  let [events, sum] = [0, 0];
  for await (const run of reader.chunks()) {
    events += run.length;
    sum += run.t[run.length - 1] ?? 0;
  }
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(processor);
  await source.close();
  const { format, skipped } = reader;
  process.stdout.write(
    JSON.stringify({
      format,
      events,
      seconds,
      processorSeconds: (user + system) / 1e6,
      sum,
      megabytes: peakMegabytes(),
      skipped,
    }),
  );
}

/** Of this program: what the system reports as a process's largest memory begins, on Linux, with that of the process that started it. */
function peakMegabytes() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const kilobytes = /^VmHWM:\s*(\d+)/m.exec(status)?.[1];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) / 1024;
}

function compare() {
  const megabytes = Number(values.megabytes ?? (values.memory ? 1000 : 128));
  const runs = Number(values.runs ?? (values.memory ? 1 : 3));
  const folder = mkdtempSync(join(tmpdir(), 'events-'));
  try {
    for (const kind of positionals.length > 0 ? positionals : Object.keys(fileKinds)) {
      const path = join(folder, `recording${fileKinds[kind]?.extension}`);
      write(path, kind, megabytes * 1e6);
      const read = Array.from({ length: runs }, () =>
        JSON.parse(
          execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--read', path], { encoding: 'utf8' }),
        ),
      );
      const [median] = read.sort((a, b) => a.seconds - b.seconds).slice(runs >> 1);
      const processor = read.map(({ processorSeconds }) => processorSeconds).sort((a, b) => a - b)[runs >> 1];
      const rate = (/** @type {number} */ seconds) =>
        `${(median.events / seconds / 1e6).toFixed(1)} M events/s`.padStart(17);
      const faults = Object.entries(median.skipped).filter(([, count]) => count > 0);
      process.stdout.write(
        `${kind.padEnd(18)} ${rate(median.seconds)}  of processor time ${rate(processor)}  ${(statSync(path).size / 1e6 / median.seconds).toFixed(0).padStart(5)} MB/s  ${median.megabytes.toFixed(0)} MB of memory  ${(median.events / 1e6).toFixed(1)} M events${faults.map(([name, count]) => `  ${name} ${count}`).join('')}\n`,
      );
      rmSync(path);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} path @param {string} name @param {number} size in bytes */
function write(path, name, size) {
  const kind = fileKinds[name];
  if (!kind) throw new Error(`${name}: is none of ${Object.keys(fileKinds).join(', ')}`);
  const file = openSync(path, 'w');
  const events = madeEvents(name === 'aedat4-zstd' ? 1 << 17 : 1 << 20, kind.sensor);
  /** Packing by another program is slow: these packets are repeated as they are. @type {Buffer | undefined} */
  let same;
  let written = writeSync(file, kind.header());
  for (let offset = 0; written < size; offset += events.duration) {
    const body = same ?? kind.body(events, offset);
    if (name === 'aedat4-zstd') same = body;
    written += writeSync(file, body);
  }
  closeSync(file);
}
