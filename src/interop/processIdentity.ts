/**
 * Which process left a file, in a form that tells a live one from a dead one later: numbers of processes are given again, so the time
 * a process started and the machine's boot belong to it. Used by temporary files and by the lock of a run's folder. Node only.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as the system says it; empty where the system does not. */
  readonly started: string;
  /** The boot of the machine and the room that process numbers belong to (a container has its own). */
  readonly machine: string;
  readonly host: string;
}

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= { pid: process.pid, started: startOf(process.pid) ?? '', machine: machineOf(), host: hostname() };
  return own;
}

/** Whether a process lives; undefined when this machine cannot know. */
export function isAlive({ pid, started, machine, host }: ProcessIdentity): boolean | undefined {
  const here = ownIdentity();
  if (machine !== here.machine) return sameHostRebooted(machine, host) ? false : undefined;
  if (!mayBeAlive(pid)) return false;
  const now = startOf(pid);
  if (now === gone) return false;
  if (now === undefined || started === '') return true;
  return now === started;
}

/** Another boot of a machine of this name and this room for process numbers: what ran then is gone. */
function sameHostRebooted(machine: string, host: string): boolean {
  const [boot, room] = machine.split(' ');
  const [ownBoot, ownRoom] = ownIdentity().machine.split(' ');
  return host === hostname() && boot !== '' && ownBoot !== '' && boot !== ownBoot && room === ownRoom;
}

function mayBeAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

const gone = 'gone';

/** Undefined when there is no such process, or no way to ask. A process that is dead but not yet collected counts as gone. */
function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      // The name, in brackets, may hold anything; state is the first field behind it, the start the twentieth.
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? gone : fields[19];
    } catch {
      return undefined;
    }
  }
  if (process.platform === 'win32') return undefined;
  try {
    const printed = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] });
    return printed.toString().trim().replace(/\W+/g, '_') || undefined;
  } catch {
    return undefined;
  }
}

function machineOf(): string {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
  const room = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return boot === '' && room === '' ? ` ${hostname()}` : `${boot} ${room}`;
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
