/** The entry of the loader's worker threads: makes the batches it is asked for, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { damagedImages, joinReading } from '../data/decodingRules.js';
import { MetaSpikeformerError } from '../errors.js';
import { batchMaker, type MadeBatch } from './batch.js';
import type { JobMessage, ResultMessage, WorkerBeginning } from './messages.js';

const { context, reading }: WorkerBeginning = workerData;
joinReading(reading);
const { make } = batchMaker(context);

/** What need not be copied: the memory of arrays that have it for themselves. */
function handedOver({ input, targets }: MadeBatch): ArrayBuffer[] {
  const arrays = [input, ...Object.values(targets)].filter(ArrayBuffer.isView);
  const own = arrays.filter(({ buffer, byteLength }) => buffer.byteLength === byteLength);
  return [...new Set(own.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer))];
}

async function answer({ id, job }: JobMessage): Promise<void> {
  try {
    const made = await make(job);
    const result: ResultMessage = { id, made, damaged: damagedImages() };
    parentPort?.postMessage(result, handedOver(made));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const failure: ResultMessage = {
      id,
      message,
      mendable: error instanceof MetaSpikeformerError,
      damaged: damagedImages(),
    };
    parentPort?.postMessage(failure);
  }
}

// In turn: two batches at once would only compete for the same core.
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (message: JobMessage) => {
  last = last.then(() => answer(message));
});
