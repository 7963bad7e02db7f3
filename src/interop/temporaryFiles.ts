/**
 * Names of temporary files, which say who writes them, and the removal of those whose writer was killed. A temporary of a live writer
 * is never touched; one whose writer cannot be asked (another machine) goes when nobody has written to it for an hour. Node only.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isAlive, ownIdentity } from './processIdentity.js';

/** `NAME.PID-START-MACHINE.RANDOM.tmp`; versions before wrote `NAME.UUID.tmp`. */
const pattern =
  /^(.+?)\.(?:(\d{1,10})-(\w*)-([0-9a-f]{8})\.[0-9a-f]{12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.tmp$/;

/** Longer than any writer pauses. */
const abandonedAfter = 60 * 60 * 1000;

export function temporaryNameFor(path: string): string {
  const { pid, started, machine } = ownIdentity();
  return `${path}.${pid}-${started.replace(/\W/g, '')}-${shortened(machine)}.${randomBytes(6).toString('hex')}.tmp`;
}

const swept = new Set<string>();

/** Removes what killed writers left in a folder, once per folder and process. Never fails. */
export async function sweepOnce(folder: string): Promise<void> {
  if (swept.has(folder)) return;
  swept.add(folder);
  await sweepTemporaries(folder);
}

/**
 * Removes what killed writers left in a folder. Never fails: it is a kindness to the disk.
 *
 * @param owned Names of files that only the caller can be writing: their temporaries go unless their writer is known to live.
 */
export async function sweepTemporaries(folder: string, owned: readonly string[] = []): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    if (name.endsWith('.tmp') && (await isLeftOver(path, owned))) await unlink(path).catch(() => undefined);
  }
}

async function isLeftOver(path: string, owned: readonly string[]): Promise<boolean> {
  const match = pattern.exec(basename(path));
  if (!match) return false;
  const status = await stat(path).catch(() => undefined);
  if (!status?.isFile()) return false;
  const [, target, pid, started, machine] = match;
  const alive = pid === undefined ? undefined : isWriterAlive(Number(pid), started!, machine!);
  if (alive !== undefined) return !alive;
  return owned.includes(target!) || Date.now() - status.mtimeMs > abandonedAfter;
}

function isWriterAlive(pid: number, started: string, machine: string): boolean | undefined {
  const own = ownIdentity();
  if (machine !== shortened(own.machine)) return undefined;
  return isAlive({ ...own, pid, started });
}

function shortened(machine: string): string {
  return createHash('sha256').update(machine).digest('hex').slice(0, 8);
}
