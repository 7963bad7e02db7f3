/**
 * Headers of text in front of binary records: lines that begin with a mark. Nothing says where they end but a line that is none, so a line must be text: records that happen to
 * begin with the mark's bytes are told by the control characters in them.
 */
import { DataError } from '../errors.js';
import type { Inlet } from './inlet.js';

/** Headers of jAER hold all preferences of a camera: 175 kB are real. */
const mostHeaderBytes = 1 << 24;
const longestLine = 1 << 20;

const newline = 10;

/**
 * Takes header lines, without their ends.
 *
 * @param mark How every line begins.
 * @param isLast Whether a line ends the header.
 * @throws DataError when there is no end to it.
 */
export async function takeHeader(
  inlet: Inlet,
  name: string,
  mark: string,
  isLast: (line: string) => boolean = () => false,
): Promise<string[]> {
  const lines: string[] = [];
  for (let taken = 0; ; ) {
    const length = await lineLength(inlet, mark);
    if (length === 0) return lines;
    taken += length;
    if (taken > mostHeaderBytes)
      throw new DataError(
        `${name}: its header does not end within ${mostHeaderBytes} bytes; it is damaged, copy it again`,
      );
    const line = textOf(inlet.bytes.subarray(inlet.start, inlet.start + length)).trimEnd();
    inlet.start += length;
    lines.push(line);
    if (isLast(line)) return lines;
  }
}

/** Bytes of the next line with its end, 0 when what comes next is no line of the header. The end of the file ends a line too. */
async function lineLength(inlet: Inlet, mark: string): Promise<number> {
  if (!(await inlet.has(mark.length)) || !beginsWith(inlet.bytes.subarray(inlet.start, inlet.end), mark)) return 0;
  for (let length = 0; length < longestLine; length++) {
    if (length >= inlet.length && !(await inlet.has(length + 1))) return length;
    const byte = inlet.bytes[inlet.start + length]!;
    if (byte === newline) return length + 1;
    if (!isText(byte)) return 0;
  }
  return 0;
}

/** Whether bytes begin with characters of ASCII. */
export function beginsWith(bytes: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false;
  return bytes.length >= text.length;
}

/** Latin-1: every byte is a character, so places in the text are places in the bytes. */
export function textOf(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}

const latin1 = new TextDecoder('latin1');

function isText(byte: number): boolean {
  return (byte >= 32 && byte !== 127) || byte === 9 || byte === 13;
}

/** A size as headers write it: a whole number from 1 to 65,536, else undefined. */
export function sizeIn(text: string | undefined): number | undefined {
  const size = text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return size >= 1 && size <= 65_536 ? size : undefined;
}
