/** Counters of a recording: all lie in one piece, which is set to 0 before every run; and the tables that counting instructions look up. */
import { EngineError } from '../errors.js';
import type { Counters, MemoryBlock } from '../tensor.js';
import { CountWord } from './instructionSet.js';
import type { WasmBlock } from './memory.js';
import type { Opcode } from './opcodes.generated.js';
import { SharedScratch } from './sharedScratch.js';

export const counterBytes = 8;

/** How many bytes after the first counter they begin. */
export class WasmCounters implements Counters {
  constructor(
    readonly owner: WasmCounting,
    readonly byteOffset: number,
    readonly length: number,
  ) {}
}

/** What counting uses of the recording. */
interface Recorder {
  allocate(byteLength: number): MemoryBlock;
  append(name: string, kernel: string, method: string, opcode: Opcode, operands: Record<number, number>): Uint32Array;
  expectOpen(user: string): void;
}

export class WasmCounting {
  private bytes = 0;
  private readonly region = new SharedScratch();
  private readonly tables: { readonly block: WasmBlock; readonly values: Uint32Array }[] = [];

  constructor(private readonly recorder: Recorder) {}

  counters(length: number): Counters {
    this.recorder.expectOpen('counters');
    if (!Number.isSafeInteger(length) || length < 1)
      throw new EngineError(`counters: ${length} of them were asked for, expected a whole number of at least 1`);
    const counters = new WasmCounters(this, this.bytes, length);
    this.bytes += counterBytes * length;
    return counters;
  }

  /** Lays the counters out and says where they are; none when nothing counts. */
  close(): WasmBlock | undefined {
    for (const { block, values } of this.tables) block.memory.uint32(block.address, values.length).set(values);
    if (this.bytes === 0) return undefined;
    const block = this.recorder.allocate(this.bytes) as WasmBlock;
    this.region.placeAt(block.address);
    return block;
  }

  /** Appends an instruction that adds to counters. */
  append(
    call: { readonly name: string; readonly counters: Counters },
    kernel: string,
    opcode: Opcode,
    operands: Record<number, number>,
  ): void {
    const { name, counters } = call;
    if (!(counters instanceof WasmCounters) || counters.owner !== this)
      throw new EngineError(`${name}: the counters are another recording's`);
    const words = this.recorder.append(name, kernel, '', opcode, {
      ...operands,
      [CountWord.output]: counters.byteOffset,
    });
    this.region.refer(words, CountWord.output);
  }

  /** Numbers that an instruction looks up, written when the recording is closed. */
  table(values: ArrayLike<number>): number {
    const block = this.recorder.allocate(4 * values.length) as WasmBlock;
    this.tables.push({ block, values: Uint32Array.from(values) });
    return block.address;
  }
}
