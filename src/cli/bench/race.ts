/**
 * A race on one network: each contestant in a process of its own, all loaded before the start, one pass each in turn (or several short ones), round after round, so that
 * a slow minute of the machine is slow for all. Medians and ratios, not best times.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../errors.js';
import { medianOf } from '../../runtime/median.js';
import type { Contestant, ContestantTask, FromContestant, TaskTuning } from './messages.js';

export interface Lane {
  readonly contestant: Contestant;
  readonly milliseconds: readonly number[];
  readonly median: number;
  readonly peakMemoryMB: number;
  /** Mean over neuron layers; of our own contestants. */
  readonly firingRate: number | null;
  readonly logits: readonly number[];
}

export interface RaceOptions {
  readonly rounds: number;
  readonly task: Omit<ContestantTask, 'contestant' | 'tuning'>;
  /** For our own contestants. */
  readonly tunings: ReadonlyMap<Contestant, TaskTuning>;
  readonly contestants: readonly Contestant[];
  readonly onRound?: (round: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * A turn begins when the machine is quiet: threads of an engine that wait by spinning have gone to sleep, and nobody compiles in the background any more, as
 * onnxruntime-web's process does for seconds after its first passes. Where it never is quiet, the race goes on all the same.
 */
const pauseMilliseconds = 50;
const mostPauses = 60;
/** Of one processor's time. */
const quietShare = 0.25;

/** @returns a lane for each contestant that could start; the others are named in `missing`. */
export async function race(options: RaceOptions): Promise<{ lanes: Lane[]; missing: Map<Contestant, string> }> {
  const missing = new Map<Contestant, string>();
  const runners: Runner[] = [];
  try {
    for (const contestant of options.contestants) {
      const tuning = options.tunings.get(contestant);
      runners.push(new Runner({ ...options.task, contestant, ...(tuning ? { tuning } : {}) }));
    }
    // Nothing is timed yet, so they load side by side.
    for (const [contestant, problem] of await Promise.all(
      runners.map(async (runner) => [runner.contestant, await runner.started()] as const),
    ))
      if (problem !== undefined) missing.set(contestant, problem);
    const running = runners.filter((runner) => !missing.has(runner.contestant));
    for (let round = 0; round < options.rounds; round++) {
      for (const runner of running) {
        if (options.signal?.aborted) throw new UsageError('interrupted');
        await quietMachine();
        await runner.run();
      }
      options.onRound?.(round + 1);
    }
    return { lanes: running.map((runner) => runner.lane()), missing };
  } finally {
    for (const runner of runners) runner.stop();
  }
}

async function quietMachine(): Promise<void> {
  for (let pause = 0; pause < mostPauses; pause++) {
    const before = busyMilliseconds();
    await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
    if (busyMilliseconds() - before <= quietShare * pauseMilliseconds) return;
  }
}

/** Of all processors together, since the machine started. */
function busyMilliseconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

class Runner {
  readonly contestant: Contestant;
  readonly #child: ChildProcess;
  readonly #times: number[] = [];
  #peak = 0;
  #ready: Extract<FromContestant, { kind: 'ready' }> | undefined;

  constructor(task: ContestantTask) {
    this.contestant = task.contestant;
    const script = fileURLToPath(new URL('./contestant.js', import.meta.url));
    this.#child = fork(script, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  }

  /** @returns why it cannot take part, or undefined when it waits at the start. */
  async started(): Promise<string | undefined> {
    const message = await this.#answer();
    if (message.kind === 'ready') this.#ready = message;
    return message.kind === 'failed' ? message.message : undefined;
  }

  async run(): Promise<void> {
    const answer = this.#answer();
    this.#child.send('run');
    const message = await answer;
    if (message.kind !== 'time') throw new UsageError(`${this.contestant}: stopped in the middle of the race`);
    this.#times.push(message.milliseconds);
    this.#peak = Math.max(this.#peak, message.peakMemoryMB);
  }

  lane(): Lane {
    const { firingRate, logits } = this.#ready!;
    const { contestant } = this;
    const median = medianOf(this.#times);
    return { contestant, milliseconds: this.#times, median, peakMemoryMB: this.#peak, firingRate, logits };
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #answer(): Promise<FromContestant> {
    return new Promise((resolve) => {
      const ended = (code: number | null) => {
        this.#child.off('message', answered);
        resolve({ kind: 'failed', message: `its process ended with ${code}` });
      };
      const answered = (message: unknown) => {
        this.#child.off('exit', ended);
        // Our own process at the other end.
        resolve(message as FromContestant);
      };
      this.#child.once('message', answered);
      this.#child.once('exit', ended);
    });
  }
}
