/**
 * Constants in wasm memory, packed once per engine: keyed by the identity of the array they came from and by how they
 * are packed. They stay until the engine is disposed of. Also keeps the account of how much memory tables may take.
 */
import type { WasmBlock, WasmMemory } from './memory.js';
import { roundUp } from './packing.js';

export class Constants {
  private readonly packed = new WeakMap<Float32Array, Map<string, WasmBlock>>();
  private readonly zeroBlocks = new Map<number, WasmBlock>();
  private tableBytes = 0;

  constructor(
    private readonly memory: WasmMemory,
    private readonly tableBudgetBytes: number,
  ) {}

  has(source: Float32Array, packing: string): boolean {
    return this.packed.get(source)?.has(packing) ?? false;
  }

  /** The address of `length` numbers that `fill` makes of `source`, unless that was done before. */
  pack(
    source: Float32Array,
    packing: string,
    length: number,
    purpose: string,
    fill: (target: Float32Array) => void,
  ): number {
    let packings = this.packed.get(source);
    if (!packings) {
      packings = new Map();
      this.packed.set(source, packings);
    }
    let block = packings.get(packing);
    if (!block) {
      block = this.memory.allocate(length * 4, purpose);
      fill(this.memory.float32(block.address, length));
      packings.set(packing, block);
    }
    return block.address;
  }

  /** One number per channel, padded with zeros to whole cache lines, as every kernel may read beyond the last. */
  perChannel(source: Float32Array, purpose: string): number {
    const length = roundUp(source.length, 16);
    return this.pack(source, 'per channel', length, purpose, (target) => {
      target.fill(0);
      target.set(source);
    });
  }

  /** As `perChannel`, of zeros: the bias of a layer without one. */
  zeros(channels: number, purpose: string): number {
    const length = roundUp(channels, 16);
    let block = this.zeroBlocks.get(length);
    if (!block) {
      block = this.memory.allocate(length * 4, purpose);
      this.memory.float32(block.address, length).fill(0);
      this.zeroBlocks.set(length, block);
    }
    return block.address;
  }

  /** Sets `bytes` of the budget for tables aside; false when they are not left. */
  reserveTables(bytes: number): boolean {
    if (this.tableBytes + bytes > this.tableBudgetBytes) return false;
    this.tableBytes += bytes;
    return true;
  }
}
