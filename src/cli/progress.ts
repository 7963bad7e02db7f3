/**
 * Progress of a long command on standard error: a moving bar for a person at a terminal, a plain line every few seconds for a
 * log. Standard output stays clean.
 */
import { SingleBar } from 'cli-progress';
import type { Io } from './io.js';
import { roughDuration } from './text.js';

export interface Progress {
  /** @param note More than progress, such as the loss. */
  update(done: number, note?: string): void;
  stop(): void;
}

const secondsBetweenLines = 5;

/**
 * @param noun What is counted, in the plural.
 * @param first How many were done before; the rate is that of the rest.
 */
export function startProgress(io: Io, title: string, total: number, noun: string, first = 0): Progress {
  return io.terminal ? startBar(io.terminal, title, total, noun, first) : startLines(io, title, total, noun, first);
}

function startBar(stream: NodeJS.WritableStream, title: string, total: number, noun: string, first: number): Progress {
  const start = performance.now();
  const bar = new SingleBar({
    stream,
    format: `${title} [{bar}] {value}/{total} ${noun}  {note}{rate}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  bar.start(total, 0, { rate: '', note: '' });
  return {
    update: (done, note) =>
      bar.update(done, { rate: pace(done - first, total - first, noun, start), note: note ? `${note}, ` : '' }),
    stop: () => bar.stop(),
  };
}

function startLines(io: Io, title: string, total: number, noun: string, first: number): Progress {
  const start = performance.now();
  let last = start;
  return {
    update(done, note) {
      if (performance.now() - last < 1000 * secondsBetweenLines) return;
      last = performance.now();
      io.stderr.write(
        `${title}: ${done} of ${total} ${noun}, ${note ? `${note}, ` : ''}${pace(done - first, total - first, noun, start)}\n`,
      );
    },
    stop: () => undefined,
  };
}

function pace(done: number, total: number, noun: string, start: number): string {
  const rate = (1000 * done) / (performance.now() - start);
  if (done <= 0) return `… ${noun}/s`;
  return `${rate.toFixed(1)} ${noun}/s, ${roughDuration((total - done) / rate)} left`;
}
