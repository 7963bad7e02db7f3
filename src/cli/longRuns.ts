/** What lets a training run for days beside other work: it gives way, and it stops at an hour. For Node. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { UsageError } from '../errors.js';

/** The lowest priority that there is. */
export const leastUrgent = 19;

/**
 * Gives the processor to others first: of this process every thread there is, and thereby those to come, which are like the one that makes them. Linux compares niceness only within a
 * session where it groups tasks by session (`sched_autogroup`): if this process leads one, as behind `setsid` or in a service, the session gives way too.
 *
 * @param niceness 1 to 19. A process that gives way more already stays as it is.
 */
export function giveWay(niceness: number): void {
  if (getPriority() < niceness) for (const thread of ownThreads()) setPriority(thread, niceness);
  if (!leadsSession()) return;
  try {
    writeFileSync('/proc/self/autogroup', String(niceness));
  } catch {
    // This kernel does not group by session, or does not let us: then niceness alone has to do.
  }
}

/** On Linux a thread's number is as good as a process's; 0 is this process. */
function ownThreads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}

function leadsSession(): boolean {
  try {
    const status = readFileSync('/proc/self/stat', 'utf8');
    // Behind the name, which may hold anything: state, parent, group, session.
    const session = status.slice(status.lastIndexOf(')') + 2).split(' ')[3];
    return Number(session) === process.pid;
  } catch {
    return false;
  }
}

const clock = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const calendar = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/;

/**
 * A moment as it is typed: `18:30`, which is the next time that a clock here shows it, or `2026-12-01T08:00`, here where no zone is said.
 *
 * @throws UsageError for what is none, and for one that is past.
 */
export function momentOf(text: string, now = new Date()): Date {
  const shown = clock.exec(text);
  if (shown) {
    const moment = new Date(now);
    moment.setHours(Number(shown[1]), Number(shown[2]), 0, 0);
    if (moment <= now) moment.setDate(moment.getDate() + 1);
    return moment;
  }
  const moment = new Date(calendar.test(text) ? text.replace(' ', 'T') : Number.NaN);
  if (Number.isNaN(moment.getTime()))
    throw new UsageError(`--until ${text.slice(0, 100)}: expected a time such as 18:30 or 2026-12-01T08:00`);
  if (moment <= now) throw new UsageError(`--until ${text}: is past; give a time that is still to come`);
  return moment;
}

/** Timers count to 2³¹ − 1 milliseconds, 24 days. */
const longestWait = 2 ** 31 - 1;

/** Does something at a moment, if the process still runs then. @returns what calls it off. */
export function at(moment: Date, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const left = moment.getTime() - Date.now();
    if (left <= 0) return act();
    timer = setTimeout(wait, Math.min(left, longestWait));
    timer.unref();
  };
  wait();
  return () => clearTimeout(timer);
}
