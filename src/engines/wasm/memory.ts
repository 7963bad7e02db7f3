/**
 * The one WebAssembly memory of an engine and who owns which piece of it. Free ranges are kept sorted by address and
 * merged; an allocation takes the first that fits and grows the memory when none does. Addresses are numbers below 2³².
 */
import { formatShape } from '../../graph/shape.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type MemoryBlock, type Tensor, tensorAlignment } from '../kernels.js';
import { Size } from './instructionSet.js';

const pageBytes = 65536;
/** Growing in steps of 16 MiB keeps the number of growths small. */
const growthPages = 256;
const maximumPages = 65536;

/** A piece of the memory. */
export class WasmBlock implements MemoryBlock {
  constructor(
    readonly memory: WasmMemory,
    readonly address: number,
    readonly byteLength: number,
  ) {}
}

interface FreeRange {
  address: number;
  byteLength: number;
}

/** Is told which bytes belong to somebody, to find kernels that touch others. */
export interface MemoryGuard {
  /** Left free behind each block. */
  readonly gapBytes: number;
  protect(address: number, byteLength: number, forbidden: boolean): void;
}

function formatMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  private readonly limitPages: number;
  /** Sorted by address, never adjacent to each other. */
  private free: FreeRange[];
  private guard: MemoryGuard | undefined;

  /** @throws EngineError when no memory of this kind can be reserved. */
  constructor(
    readonly shared: boolean,
    maximumBytes: number = maximumPages * pageBytes,
  ) {
    if (!Number.isFinite(maximumBytes) || maximumBytes < growthPages * pageBytes) {
      throw new EngineError(
        `maximumMemoryBytes is ${maximumBytes}; expected a number of at least ${growthPages * pageBytes} (16 MiB).`,
      );
    }
    this.limitPages = Math.min(maximumPages, Math.floor(maximumBytes / pageBytes));
    this.memory = reserve(shared, this.limitPages);
    this.free = [{ address: Size.control, byteLength: growthPages * pageBytes - Size.control }];
  }

  /** From now on; nothing has been allocated before. */
  guardWith(guard: MemoryGuard): void {
    this.guard = guard;
    for (const { address, byteLength } of this.free) guard.protect(address, byteLength, true);
  }

  /** @throws EngineError naming the sizes when the memory cannot grow enough. */
  allocate(byteLength: number, purpose: string): WasmBlock {
    const size = this.sizeOf(byteLength);
    let range = this.firstFit(size);
    if (!range) {
      this.grow(size, purpose);
      range = this.firstFit(size)!;
    }
    const block = new WasmBlock(this, range.address, byteLength);
    range.address += size;
    range.byteLength -= size;
    if (range.byteLength === 0) this.free.splice(this.free.indexOf(range), 1);
    this.guard?.protect(block.address, size - this.guard.gapBytes, false);
    return block;
  }

  release(block: WasmBlock): void {
    const size = this.sizeOf(block.byteLength);
    this.guard?.protect(block.address, size, true);
    this.addFree({ address: block.address, byteLength: size });
  }

  float32(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  uint32(address: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, address, length);
  }

  private sizeOf(byteLength: number): number {
    return Math.max(tensorAlignment, roundUp(byteLength, tensorAlignment)) + (this.guard?.gapBytes ?? 0);
  }

  private firstFit(size: number): FreeRange | undefined {
    return this.free.find((range) => range.byteLength >= size);
  }

  private grow(size: number, purpose: string): void {
    const end = this.memory.buffer.byteLength;
    const last = this.free.at(-1);
    const tail = last && last.address + last.byteLength === end ? last.byteLength : 0;
    const wanted = Math.ceil((size - tail) / pageBytes);
    const room = this.limitPages - end / pageBytes;
    const pages = Math.min(room, roundUp(wanted, growthPages));
    try {
      if (pages < wanted) throw new RangeError('beyond the maximum');
      this.memory.grow(pages);
    } catch (cause) {
      throw new EngineError(
        `The wasm engine needs ${formatMebibytes(size)} for ${purpose}, but has ${formatMebibytes(end)} in use and may ` +
          `grow to ${formatMebibytes(this.limitPages * pageBytes)}; use a smaller batch, image or model.`,
        { cause },
      );
    }
    const added = this.memory.buffer.byteLength - end;
    this.guard?.protect(end, added, true);
    this.addFree({ address: end, byteLength: added });
  }

  private addFree(range: FreeRange): void {
    const at = this.free.findIndex((other) => other.address > range.address);
    const index = at < 0 ? this.free.length : at;
    const before = this.free[index - 1];
    const after = this.free[index];
    if (after && range.address + range.byteLength === after.address) {
      after.address = range.address;
      after.byteLength += range.byteLength;
      if (before && before.address + before.byteLength === after.address) {
        before.byteLength += after.byteLength;
        this.free.splice(index, 1);
      }
    } else if (before && before.address + before.byteLength === range.address) {
      before.byteLength += range.byteLength;
    } else {
      this.free.splice(index, 0, range);
    }
  }
}

/** Shared memory must name its maximum, and some systems refuse to reserve 4 GiB: halve until one is granted. */
function reserve(shared: boolean, limitPages: number): WebAssembly.Memory {
  for (let maximum = limitPages; ; maximum = Math.floor(maximum / 2)) {
    try {
      return new WebAssembly.Memory({ initial: growthPages, maximum, shared });
    } catch (cause) {
      if (maximum / 2 < growthPages) {
        throw new EngineError(
          `the wasm engine finds too little address space: WebAssembly sets aside about 8 GiB of addresses, not of memory, for each engine, and the system refuses them; raise or remove the limit (ulimit -v), or take the reference engine`,
          { cause },
        );
      }
    }
  }
}

/** The address of a tensor. @throws EngineError naming `user` when it does not lie in this memory as it should. */
export function addressOf(user: string, tensor: Tensor, memory: WasmMemory): number {
  const { block, byteOffset, shape } = tensor;
  if (!(block instanceof WasmBlock) || block.memory !== memory) {
    throw new EngineError(`${user}: the tensor ${formatShape(shape)} lies in another engine's memory`);
  }
  if (byteOffset < 0 || byteOffset % tensorAlignment !== 0) {
    throw new EngineError(`${user}: a tensor starts at byte ${byteOffset}, expected a multiple of ${tensorAlignment}`);
  }
  const end = byteOffset + byteLengthOf(shape, tensor.storage);
  if (!(end <= block.byteLength)) {
    throw new EngineError(
      `${user}: the tensor ${formatShape(shape)} ends at byte ${end} of a block of ${block.byteLength} bytes`,
    );
  }
  return block.address + byteOffset;
}
