/**
 * A recorded program in wasm memory. Running it is one call into wasm, on the caller's thread and the engine's others;
 * nothing is allocated. `profile` runs the same instructions one at a time and measures them.
 */
import { formatShape } from '../../graph/shape.js';
import { expectPart, expectStorage } from '../checks.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type Counters, type Program, type Tensor } from '../kernels.js';
import { WasmCounters, type WasmCounting } from './counters.js';
import type { EngineParts } from './engineParts.js';
import { Size } from './instructionSet.js';
import { addressOf, type WasmBlock } from './memory.js';

/** What an instruction is, for people. */
export interface InstructionNote {
  /** Name of the call, usually the layer's. */
  readonly name: string;
  readonly kernel: string;
  /** Which of several ways was chosen, for example `nibble tables`; may be empty. */
  readonly method: string;
}

export interface InstructionTiming extends InstructionNote {
  readonly milliseconds: number;
}

export interface Instruction extends InstructionNote {
  readonly words: Uint32Array;
}

export interface ProgramParts {
  readonly instructions: readonly Instruction[];
  readonly code: WasmBlock;
  readonly scratch: WasmBlock;
  readonly scratchStride: number;
  readonly blocks: readonly WasmBlock[];
  readonly counting: WasmCounting;
  /** Its counters, of 64 bits each. */
  readonly counters: WasmBlock | undefined;
}

export class WasmProgram implements Program {
  /** The instructions in order, with the method chosen for each. */
  readonly instructions: readonly InstructionNote[];
  private disposed = false;

  constructor(
    private readonly engine: EngineParts,
    private readonly parts: ProgramParts,
  ) {
    const { instructions, code } = parts;
    this.instructions = instructions.map(({ name, kernel, method }) => ({ name, kernel, method }));
    const target = engine.memory.uint32(code.address, code.byteLength / 4);
    instructions.forEach(({ words }, index) => {
      target.set(words, (index * Size.instruction) / 4);
    });
  }

  async run(): Promise<void> {
    this.resetCounters('run');
    this.runRange(0, this.instructions.length);
  }

  /** Runs the program once, each instruction by itself, and says how long each took. */
  async profile(): Promise<InstructionTiming[]> {
    this.resetCounters('profile');
    return this.instructions.map((note, index) => {
      const start = performance.now();
      this.runRange(index, 1);
      return { ...note, milliseconds: performance.now() - start };
    });
  }

  async write(tensor: Tensor, values: Float32Array): Promise<void> {
    this.expectAlive('write');
    expectStorage('write', tensor, 'real');
    const view = this.engine.memory.float32(this.address('write', tensor), byteLengthOf(tensor.shape, 'real') / 4);
    if (values.length !== view.length) {
      throw new EngineError(
        `write: ${values.length} numbers for the tensor ${formatShape(tensor.shape)}, expected ${view.length}`,
      );
    }
    view.set(values);
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    this.expectAlive('read');
    expectStorage('read', tensor, 'real');
    // Copied out of shared memory, into an array that a caller may send anywhere.
    return new Float32Array(
      this.engine.memory.float32(this.address('read', tensor), byteLengthOf(tensor.shape, 'real') / 4),
    );
  }

  async readSpikes(tensor: Tensor): Promise<Uint32Array> {
    this.expectAlive('readSpikes');
    expectStorage('readSpikes', tensor, 'spikes');
    return new Uint32Array(
      this.engine.memory.uint32(this.address('readSpikes', tensor), byteLengthOf(tensor.shape, 'spikes') / 4),
    );
  }

  async writeSpikes(tensor: Tensor, words: Uint32Array, first = 0): Promise<void> {
    this.expectAlive('writeSpikes');
    expectStorage('writeSpikes', tensor, 'spikes');
    const length = byteLengthOf(tensor.shape, 'spikes') / 4;
    expectPart('writeSpikes', tensor, first, words.length, length);
    this.engine.memory.uint32(this.address('writeSpikes', tensor), length).set(words, first);
  }

  async readCounters(counters: Counters): Promise<readonly number[]> {
    this.expectAlive('readCounters');
    const { counters: block } = this.parts;
    if (!block || !(counters instanceof WasmCounters) || counters.owner !== this.parts.counting)
      throw new EngineError("readCounters: the counters are another recording's");
    const words = this.engine.memory.uint32(block.address + counters.byteOffset, 2 * counters.length);
    return Array.from({ length: counters.length }, (_, index) => words[2 * index]! + 2 ** 32 * words[2 * index + 1]!);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    const { code, scratch, blocks } = this.parts;
    for (const block of [code, scratch, ...blocks]) this.engine.memory.release(block);
  }

  /** Runs `count` instructions from the one at index `first`. */
  runRange(first: number, count: number): void {
    this.expectAlive('run');
    const { code, scratch, scratchStride } = this.parts;
    this.engine.execute(code.address + first * Size.instruction, count, scratch.address, scratchStride);
  }

  private resetCounters(action: string): void {
    this.expectAlive(action);
    const { counters } = this.parts;
    if (counters) this.engine.memory.uint32(counters.address, counters.byteLength / 4).fill(0);
  }

  private address(user: string, tensor: Tensor): number {
    return addressOf(user, tensor, this.engine.memory);
  }

  expectAlive(action: string): void {
    this.engine.expectAlive(action);
    if (this.disposed) throw new EngineError(`${action}: the program was disposed of; record it again`);
  }
}
