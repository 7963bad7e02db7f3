/**
 * Progress of a long command on standard error: a moving bar for a person at a terminal, a plain line every few seconds for a
 * log. Standard output stays clean.
 */
import { SingleBar } from 'cli-progress';
import type { Io } from './io.js';
import { roughDuration } from './text.js';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

const secondsBetweenLines = 5;

/** @param noun What is counted, in the plural. */
export function startProgress(io: Io, title: string, total: number, noun: string): Progress {
  return io.terminal ? startBar(io.terminal, title, total, noun) : startLines(io, title, total, noun);
}

function startBar(stream: NodeJS.WritableStream, title: string, total: number, noun: string): Progress {
  const start = performance.now();
  const bar = new SingleBar({
    stream,
    format: `${title} [{bar}] {value}/{total} ${noun}  {rate}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  bar.start(total, 0, { rate: '' });
  return {
    update: (done) => bar.update(done, { rate: pace(done, total, noun, start) }),
    stop: () => bar.stop(),
  };
}

function startLines(io: Io, title: string, total: number, noun: string): Progress {
  const start = performance.now();
  let last = start;
  return {
    update(done) {
      if (performance.now() - last < 1000 * secondsBetweenLines) return;
      last = performance.now();
      io.stderr.write(`${title}: ${done} of ${total} ${noun}, ${pace(done, total, noun, start)}\n`);
    },
    stop: () => undefined,
  };
}

function pace(done: number, total: number, noun: string, start: number): string {
  const rate = (1000 * done) / (performance.now() - start);
  return `${rate.toFixed(1)} ${noun}/s, ${roughDuration((total - done) / rate)} left`;
}
