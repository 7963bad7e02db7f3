/**
 * One training at a time in a folder. The lock is a file that says which process holds it; a process that is gone (killed, another
 * boot, its number given to another) holds nothing. Where this machine cannot ask (another host on a shared disk, another container) a lock
 * counts as long as its holder keeps touching it.
 */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { isSystemError, reasonOf } from '../interop/fileReasons.js';
import { isAlive, ownIdentity } from '../interop/processIdentity.js';
import { temporaryNameFor } from '../interop/temporaryFiles.js';
import { TrainingError } from './errors.js';

const holderSchema = z.object({
  token: z.string(),
  pid: z.number().int(),
  started: z.string(),
  machine: z.string(),
  host: z.string(),
  since: z.string(),
});

type Holder = z.output<typeof holderSchema>;

const touchedEvery = 30_000;
/** A holder that cannot be asked and has not touched its lock for so long is gone. */
const abandonedAfter = 10 * 60_000;
/** After another's lock was broken: time for whoever broke it too to show. */
const settling = 50;
/** What file systems answer that have no hard links. */
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export interface RunLock {
  /** @throws TrainingError when another training has taken the folder since. */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

export function lockPath(output: string): string {
  return join(output, 'run.lock');
}

/**
 * Takes a folder for one run.
 *
 * @throws TrainingError when another training holds it, naming its process, or the folder cannot be written to.
 */
export async function lockRun(output: string): Promise<RunLock> {
  const path = lockPath(output);
  const holder: Holder = { token: randomUUID(), ...ownIdentity(), since: new Date().toISOString() };
  try {
    await take(path, holder);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new TrainingError(`${output}: cannot be written to: ${reasonOf(cause)}`, { cause });
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, touchedEvery);
  beat.unref();
  return {
    async confirm() {
      const found = await readHolder(path);
      if (found === undefined) await create(path, holder);
      else if (found.token !== holder.token) throw refusal(path, found);
    },
    async release() {
      clearInterval(beat);
      const found = await readHolder(path).catch(() => undefined);
      if (found?.token === holder.token) await unlink(path).catch(() => undefined);
    },
  };
}

/**
 * Looks at a folder's lock without taking it.
 *
 * @throws TrainingError when another training holds it.
 */
export async function refuseLocked(output: string): Promise<void> {
  const path = lockPath(output);
  const found = await readHolder(path).catch(() => undefined);
  if (found && (await isHeld(path, found).catch(() => false))) throw refusal(path, found);
}

async function take(path: string, holder: Holder): Promise<void> {
  let broken = false;
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await create(path, holder)) {
      if (!broken) return;
      await pause(settling);
      const found = await readHolder(path);
      if (found?.token === holder.token) return;
      continue;
    }
    const found = await readHolder(path);
    if (found === undefined) continue;
    if (await isHeld(path, found)) throw refusal(path, found);
    await breakLock(path, found);
    broken = true;
  }
  throw new TrainingError(`${path}: several trainings want this folder at once; give each its own --output`);
}

/** Puts the whole lock there at once, if there is none. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const text = `${JSON.stringify(holder)}\n`;
  const temporary = temporaryNameFor(path);
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code === 'EEXIST') return false;
    if (isSystemError(error) && error.syscall === 'link' && noLinks.has(code ?? ''))
      return createWithoutLink(path, text);
    throw error;
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function createWithoutLink(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    await handle.writeFile(text).finally(() => handle.close());
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when there is no lock. One that cannot be read is somebody's who is about to write it, or was killed at that. */
async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return { token: text, pid: 0, started: '', machine: 'unknown', host: 'unknown', since: 'unknown' };
  }
}

async function isHeld(path: string, holder: Holder): Promise<boolean> {
  const alive = holder.pid > 0 ? isAlive(holder) : undefined;
  if (alive !== undefined) return alive;
  const touched = await stat(path).catch(() => undefined);
  return touched !== undefined && (await clockOf(path)) - touched.mtimeMs < abandonedAfter;
}

/** The time on the disk's own clock, which may be another machine's. */
async function clockOf(path: string): Promise<number> {
  const probe = temporaryNameFor(path);
  try {
    await writeFile(probe, '');
    return (await stat(probe)).mtimeMs;
  } finally {
    await unlink(probe).catch(() => undefined);
  }
}

/** Moves a dead process's lock away. Had somebody replaced it meanwhile, theirs is put back. */
async function breakLock(path: string, dead: Holder): Promise<void> {
  const aside = temporaryNameFor(path);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return;
    throw error;
  }
  const moved = await readHolder(aside);
  if (moved !== undefined && moved.token !== dead.token) await link(aside, path).catch(() => undefined);
  await unlink(aside).catch(() => undefined);
}

function refusal(path: string, { pid, host, since }: Holder): TrainingError {
  return new TrainingError(
    `${path}: another training (process ${pid} on ${host}, since ${since}) writes to this folder; wait for it or give another --output (if you are sure that it has ended, delete the file)`,
  );
}
