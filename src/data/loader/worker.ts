/** The entry of the loader's worker threads: makes the batches it is asked for, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { MetaSpikeformerError } from '../../errors.js';
import { damagedImages, joinReading } from '../decodingRules.js';
import { batchMaker } from './batch.js';
import type { JobMessage, ResultMessage, WorkerBeginning } from './messages.js';

const { context, reading }: WorkerBeginning = workerData;
joinReading(reading);
const make = batchMaker(context);

async function answer({ id, job }: JobMessage): Promise<void> {
  try {
    const made = await make(job);
    const buffers = [made.input.buffer, made.targets?.buffer].filter((buffer) => buffer instanceof ArrayBuffer);
    const result: ResultMessage = { id, made, damaged: damagedImages() };
    parentPort?.postMessage(result, buffers);
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
