/**
 * Recordings of NTU RGB+D, `.skeleton`: lines of numbers. The number of frames; for each frame the number of bodies; for each body a line of its id and nine states, the
 * number of joints (25), and for each joint a line of twelve numbers, of which the first three are x, y, z in metres. The others (places in the depth and colour pictures,
 * orientation, tracking state) are counted, not read: the sensor writes infinities there. Runs in a page too.
 */
import { DataError } from '../errors.js';
import { RowParser } from '../events/csvRow.js';
import type { BodyRecording, TrackedBody } from './bodyRecording.js';
import { axes } from './skeletonSequence.js';

/** The longest published recording has 300 frames and 3 MB; readers refuse larger files before they read them. */
export const mostNtuBytes = 1 << 26;
const mostFrames = 36_000;
/** The sensor tracks 6. */
const mostBodies = 16;
const joints = 25;
const [bodyNumbers, jointNumbers] = [10, 12];
/** Of a number and its end of line. */
const leastLine = 2;
const leastBody = 2 * bodyNumbers + 3 + joints * 2 * jointNumbers;

const nobody: readonly TrackedBody[] = [];

/**
 * @param name What messages call the recording: its path.
 * @throws DataError naming the line and what was found there.
 */
export function parseNtuText(bytes: Uint8Array, name: string): BodyRecording {
  if (bytes.length > mostNtuBytes)
    throw new DataError(`${name}: has ${bytes.length} bytes; no recording of NTU RGB+D is longer than ${mostNtuBytes}`);
  const lines = new Lines(bytes, name);
  if (lines.restIsBlank())
    throw new DataError(`${name}: is empty; download it again, or list it in samples_with_missing_skeletons.txt`);
  const count = lines.count('frames', mostFrames, leastLine);
  if (count === 0)
    throw new DataError(
      `${name}: line 1: says that it has 0 frames; leave it out, or list it in samples_with_missing_skeletons.txt`,
    );
  const frames: (readonly TrackedBody[])[] = [];
  for (let frame = 0; frame < count; frame++) {
    const bodies = lines.count('bodies', mostBodies, leastBody);
    frames.push(bodies === 0 ? nobody : Array.from({ length: bodies }, () => readBody(lines)));
  }
  if (!lines.restIsBlank()) throw lines.wrong(`goes on after the last of its ${count} frames`);
  return { name, joints, frames };
}

function readBody(lines: Lines): TrackedBody {
  const id = lines.bodyId();
  const found = lines.count('joints', Number.MAX_SAFE_INTEGER, 0);
  if (found !== joints) throw lines.wrong(`says ${found} joints; this sensor has ${joints}`);
  const places = new Float64Array(axes * joints);
  for (let joint = 0; joint < joints; joint++) lines.place(places, axes * joint);
  return { id, joints: places };
}

const [tab, newline, carriageReturn, space] = [9, 10, 13, 32];

/** The lines of a text one after the other, each ended by LF, by CRLF or by the end of the text. */
class Lines {
  readonly #columns = [new Float64Array(1), new Float64Array(1), new Float64Array(1)] as const;
  readonly #parser = new RowParser(this.#columns);
  /** Of the line at hand: its number, counted from 1, and where it begins and ends. */
  #number = 0;
  #start = 0;
  #end = 0;
  #next = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly name: string,
  ) {}

  /** Takes a line that is one whole number, which what is left of the text must have room for: `least` bytes each. */
  count(what: string, most: number, least: number): number {
    this.#take(`the number of ${what}`);
    const text = this.#text(1);
    if (!/^\d{1,15}$/.test(text)) throw this.wrong(`expected the number of ${what}, found ${shown(text)}`);
    const count = Number(text);
    if (count > most) throw this.wrong(`says ${count} ${what}, of which a recording has at most ${most}`);
    if (count * least > this.bytes.length - this.#next + leastLine)
      throw this.wrong(`says ${count} ${what}, for which the file is too short: it is cut off or damaged`);
    return count;
  }

  bodyId(): string {
    this.#take('a body');
    this.#requireNumbers(bodyNumbers, 'a body’s id and 9 numbers');
    const [id] = this.#text(1).split(/[ \t]+/);
    if (!/^\d{1,20}$/.test(id!)) throw this.wrong(`expected the id of a body, found ${shown(id!)}`);
    return id!;
  }

  /** Takes a joint's line and writes its place. */
  place(into: Float64Array, at: number): void {
    this.#take('a joint');
    this.#requireNumbers(jointNumbers, 'the 12 numbers of a joint');
    if (!this.#parser.parse(this.bytes, this.#start, this.#end, 0)) throw this.#noPlace();
    for (const [axis, column] of this.#columns.entries()) {
      if (!Number.isFinite(column[0])) throw this.#noPlace();
      into[at + axis] = column[0]!;
    }
  }

  /** Whether nothing but blanks follows. */
  restIsBlank(): boolean {
    for (let at = this.#next; at < this.bytes.length; at++) {
      const code = this.bytes[at]!;
      if (!isBlank(code) && code !== newline) return false;
    }
    return true;
  }

  /** An error about the line at hand. */
  wrong(what: string): DataError {
    return new DataError(`${this.name}: line ${this.#number}: ${what}; download the file again`);
  }

  #take(expected: string): void {
    this.#number++;
    if (this.#next >= this.bytes.length) throw this.wrong(`the file ends where ${expected} should be`);
    this.#start = this.#next;
    const end = this.bytes.indexOf(newline, this.#start);
    this.#end = end < 0 ? this.bytes.length : end;
    this.#next = this.#end + 1;
  }

  #requireNumbers(count: number, what: string): void {
    let found = 0;
    let wasBlank = true;
    for (let at = this.#start; at < this.#end; at++) {
      const blank = isBlank(this.bytes[at]!);
      if (wasBlank && !blank) found++;
      wasBlank = blank;
    }
    if (found === count) return;
    // The last line of a file that was cut off.
    const end = this.#next > this.bytes.length ? ' where the file ends' : '';
    throw this.wrong(`expected ${what}, found ${found} of ${count}${end}`);
  }

  #noPlace(): DataError {
    const places = this.#text(axes).split(/[ \t]+/);
    const wrong = places.find((text) => !Number.isFinite(Number(text))) ?? places.join(' ');
    return this.wrong(`expected x, y and z of a joint, found ${shown(wrong)}`);
  }

  /** The first `fields` fields of the line, of which no more than an error can show is decoded. */
  #text(fields: number): string {
    const part = this.bytes.subarray(this.#start, Math.min(this.#end, this.#start + 64 * fields));
    return new TextDecoder()
      .decode(part)
      .trim()
      .split(/[ \t]+/)
      .slice(0, fields)
      .join(' ');
  }
}

function isBlank(code: number): boolean {
  return code === space || code === tab || code === carriageReturn;
}

function shown(text: string): string {
  return text === '' ? 'nothing' : JSON.stringify(text.slice(0, 40));
}
