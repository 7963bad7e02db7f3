// @ts-check
/**
 * Fuzzes one target in a process of its own, until its parent ends it: a crash or a hang must not end the fuzzer. The input in hand is
 * always in a file, so that the parent can keep what ended the process.
 */
import { writeFileSync } from 'node:fs';
import { MetaSpikeformerError } from '../../dist/errors.js';
import { Coverage, reaches } from './coverage.mjs';
import { seededRandom } from './random.mjs';
import { targets } from './targets.mjs';

const [name, seed, currentFile] = process.argv.slice(2);
const target = targets.find((candidate) => candidate.name === name);
if (target === undefined || seed === undefined || currentFile === undefined || process.send === undefined) {
  throw new Error('this is started by run.mjs');
}

/** An input may cost this much processor time: a constant, and so much for each byte. */
const allowedMilliseconds = 2000;
const allowedMillisecondsPerByte = 0.05;
/** And may leave the process this much larger than it was when fuzzing began. */
const allowedBytes = 768 * 2 ** 20;
const inputsPerLook = 32;
const largestInput = 2 ** 20;

const coverage = new Coverage();
await coverage.start();
const run = await target.open();
const random = seededRandom(Number(seed));
const corpus = [...(await target.seeds())];
const report = { runs: 0, corpus: corpus.length, covered: 0 };
/** @type {Set<string>} */
const told = new Set();

/** One input for each place that fails is enough. @param {string} kind @param {string} message @param {string} place @param {Buffer} input */
function tell(kind, message, place, input) {
  if (told.has(`${kind} ${place}`)) return;
  told.add(`${kind} ${place}`);
  process.send?.({ finding: { kind, message, input: input.toString('base64') } });
}

/** Where an error was made: the first line of its stack that is ours. @param {unknown} error */
function placeOf(error) {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : [];
  return lines.find((line) => line.includes('/dist/'))?.trim() ?? String(error);
}

/** @param {Buffer} input */
async function runOne(input) {
  writeFileSync(/** @type {string} */ (currentFile), input);
  const before = process.cpuUsage();
  try {
    await run(input);
  } catch (error) {
    if (!(error instanceof MetaSpikeformerError)) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      tell('error', message, placeOf(error), input);
    } else if (/\p{Cc}/u.test(error.message)) {
      tell('control characters', JSON.stringify(error.message), placeOf(error), input);
    }
  }
  const { user } = process.cpuUsage(before);
  const milliseconds = user / 1000;
  if (milliseconds > allowedMilliseconds + allowedMillisecondsPerByte * input.length) {
    tell('slow', `${milliseconds} ms`, 'any', input);
  }
  report.runs++;
}

for (const seedInput of corpus) await runOne(seedInput);
coverage.remember(await coverage.take());
const sizeAtStart = process.memoryUsage.rss();

for (let turn = 0; ; turn++) {
  const inputs = Array.from({ length: inputsPerLook }, () =>
    target.mutate(random, random.pick(corpus), random.pick(corpus)).subarray(0, largestInput),
  );
  for (const input of inputs) await runOne(input);
  const fresh = coverage.remember(await coverage.take());
  if (fresh.size > 0) {
    for (const input of inputs) {
      await runOne(input);
      if (reaches(await coverage.take(), fresh)) corpus.push(input);
    }
  }
  if (turn % 8 === 0 && process.memoryUsage.rss() - sizeAtStart > allowedBytes) {
    tell('memory', `${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`, 'any', inputs.at(-1) ?? Buffer.alloc(0));
  }
  process.send(
    turn % 16 === 0 ? { report: { ...report, corpus: corpus.length, covered: coverage.characters } } : { alive: true },
  );
  await new Promise((resolve) => setImmediate(resolve));
}
