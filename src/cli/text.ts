/** Text for people: tables, bars, numbers. Names that come from files are made harmless for a terminal first. */
import { withoutControls } from '../errors.js';
import type { TextStream } from './outputStream.js';

/** Control characters escaped, so that a name from outside can neither break a line nor command the terminal. */
export { withoutControls as oneLine } from '../errors.js';

/** What a person should know about the data, a line each; also beside a JSON document. */
export function printNotes(io: { readonly stderr: TextStream }, notes: readonly string[] = []): void {
  for (const note of notes) io.stderr.write(`note: ${withoutControls(note)}\n`);
}

/** A message whose place was put before it twice, `x.pth: x.pth: is empty`, with it once. */
export function saidOnce(message: string): string {
  return message.replace(/^(.+?: )\1+/, '$1');
}

/** Columns padded to their widest cell: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A horizontal bar of `width` characters for a share of 0 to 1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, share)) * width * 8);
  return `${'█'.repeat(Math.floor(filled / 8))}${eighths[filled % 8]}`.padEnd(width);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** 12345678 → `12,345,678`. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** Operations in units of 10⁹. */
export function giga(operations: number): string {
  return (operations / 1e9).toFixed(3);
}

export function milliseconds(duration: number): string {
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`;
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function roughDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `1 image`, `2 images`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
