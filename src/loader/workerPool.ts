/**
 * Worker threads that make batches for a loader. They start with the first batch, stay for all epochs, and do not keep the program
 * alive while nothing is asked of them.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { noteDamaged, shareReading } from '../data/decodingRules.js';
import { DataError } from '../data/errors.js';
import type { TargetStore } from '../data/targets/registry.js';
import type { BatchContext, BatchJob, MadeBatch } from './batch.js';
import type { JobMessage, ResultMessage, WorkerBeginning } from './messages.js';

/** See {@link startPool}. */
export interface WorkerPool<Targets extends TargetStore = TargetStore> {
  /** Makes a batch in the worker that has least to do. Throws DataError naming the file that could not be read. */
  make(job: BatchJob): Promise<MadeBatch<Targets>>;
  /** Stops the threads; batches that were not finished fail. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(made: MadeBatch): void;
  reject(error: Error): void;
}

interface Member {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  /** Why it takes no more jobs. */
  failure?: Error;
}

/**
 * The compiled worker: beside this file once compiled; when this file itself runs as TypeScript (under a test runner), the one
 * in `dist`. Undefined when it was not compiled.
 */
export function workerEntry(): URL | undefined {
  const compiled = import.meta.url.endsWith('.js');
  const entry = new URL(compiled ? './worker.js' : '../../dist/loader/worker.js', import.meta.url);
  return existsSync(fileURLToPath(entry)) ? entry : undefined;
}

/** Starts `count` threads. Throws DataError when their code is not compiled. */
export function startPool<Targets extends TargetStore>(
  count: number,
  context: BatchContext<Targets>,
): WorkerPool<Targets> {
  const entry = workerEntry();
  if (entry === undefined) {
    throw new DataError('the compiled code for data workers is missing; run npm run build, or use workers: 0');
  }
  const members = Array.from({ length: count }, () => startMember(entry, context));
  let nextId = 0;
  return {
    make: (job) => ask(idlest(members), { id: nextId++, job }) as Promise<MadeBatch<Targets>>,
    close: async () => {
      for (const member of members) fail(member, new DataError('the loader was closed before the batch was made'));
      await Promise.all(members.map(({ worker }) => worker.terminate()));
    },
  };
}

function startMember(entry: URL, context: BatchContext): Member {
  // Without the parent's flags: it may have been started with loaders that do not fit compiled code.
  const { reading, ended } = shareReading();
  const beginning: WorkerBeginning = { context, reading };
  const worker = new Worker(entry, { workerData: beginning, execArgv: [] });
  const member: Member = { worker, waiting: new Map() };
  worker.on('message', (result: ResultMessage) => settle(member, result));
  worker.on('error', (error) => fail(member, stopped(error.message)));
  worker.on('messageerror', (error) => fail(member, stopped(error.message)));
  worker.on('exit', (code) => {
    ended();
    fail(member, stopped(`exit code ${code}`));
  });
  worker.unref();
  return member;
}

function ask(member: Member, message: JobMessage): Promise<MadeBatch> {
  if (member.failure !== undefined) return Promise.reject(member.failure);
  return new Promise((resolve, reject) => {
    if (member.waiting.size === 0) member.worker.ref();
    member.waiting.set(message.id, { resolve, reject });
    member.worker.postMessage(message);
  });
}

function settle(member: Member, result: ResultMessage): void {
  noteDamaged(result.damaged);
  const waiting = member.waiting.get(result.id);
  member.waiting.delete(result.id);
  if (member.waiting.size === 0) member.worker.unref();
  if ('made' in result) waiting?.resolve(result.made);
  else waiting?.reject(result.mendable ? new DataError(result.message) : new Error(result.message));
}

function fail(member: Member, error: Error): void {
  member.failure ??= error;
  for (const { reject } of member.waiting.values()) reject(member.failure);
  member.waiting.clear();
}

function stopped(reason: string): Error {
  return new DataError(`a data worker stopped (${reason}); if memory ran out, use fewer workers or smaller batches`);
}

function idlest(members: readonly Member[]): Member {
  return members.reduce((best, member) => (member.waiting.size < best.waiting.size ? member : best));
}
