/**
 * A recording in the making: its instructions, the memory and scratch that they need, and what one call has to know of those before it. Not which instructions a call
 * becomes; that is said in `calls/`, one function a kernel. Not how an instruction is carried out; that is `kernels/`.
 */
import type { ConvolutionCall } from '../calls/convolution.js';
import type { LeakyIntegrateAndFireGradientCall } from '../calls/leakyIntegrateAndFire.js';
import { EngineError } from '../errors.js';
import { byteLengthOf, type MemoryBlock, type Tensor, tensorAlignment } from '../tensor.js';
import { WasmCounting } from './counters.js';
import type { EngineParts } from './engineParts.js';
import { Size } from './instructionSet.js';
import { addressOf, type WasmBlock } from './memory.js';
import type { Opcode } from './opcodes.generated.js';
import type { Instruction, InstructionNote, ProgramParts } from './program.js';
import type { SpikeWeights } from './quantise.js';
import { SharedScratch } from './sharedScratch.js';
import type { SpikePlan } from './spikePlan.js';

/** Words of an instruction by their number. */
export type Operands = Record<number, number>;

/** Appends the instructions of a call that has been checked; `engines/wasm/calls/` has one such function for each kernel that is not just declared. */
export type WasmCallRecorder<Call> = (recording: Recording, call: Call) => void;

/** A spike-fed convolution in whose instruction neurons may fire. */
interface Feeder {
  readonly call: ConvolutionCall;
  readonly words: Uint32Array;
  replan(timeSteps: number): SpikePlan;
}

export class Recording {
  readonly instructions: Instruction[] = [];
  readonly counting = new WasmCounting(this);
  /** Packed weights and partial sums of training. */
  readonly shared = new SharedScratch();
  readonly sharedLists = new SharedScratch();
  /** The spike-fed convolution that is the last instruction, if it is one: neurons that follow may fire in it. */
  feeder: Feeder | undefined;
  /** The lists of spikes that the last instruction of that kind makes: of which tensor, cut how. */
  listed: { readonly input: Tensor; readonly cut: string } | undefined;
  /** What `quantiseWeightsAndSums` made of a layer's weights last. */
  lastRounded: { readonly weight: Float32Array; readonly rounded: SpikeWeights | undefined } | undefined;
  /** The last gradient of neurons, and how many instructions there were after it. */
  neuronsBefore: { readonly call: LeakyIntegrateAndFireGradientCall; readonly instructions: number } | undefined;
  private readonly blocks: WasmBlock[] = [];
  private scratchBytes = 0;
  private finished = false;

  constructor(
    readonly engine: EngineParts,
    /** The engine's method that begins another one. */
    private readonly beginner: 'record' | 'recordTraining',
  ) {}

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new EngineError(`a memory block of ${byteLength} bytes was asked for: give a whole number, 0 or more`);
    }
    const block = this.engine.memory.allocate(byteLength, 'tensors');
    this.blocks.push(block);
    return block;
  }

  /** Each thread's scratch will be at least so long. */
  needScratch(byteLength: number): void {
    this.scratchBytes = Math.max(this.scratchBytes, byteLength);
  }

  address(user: string, tensor: Tensor): number {
    return addressOf(user, tensor, this.engine.memory);
  }

  /** Appends an instruction; returns its words, which may be changed until the recording is closed. */
  append(
    name: string,
    kernel: InstructionNote['kernel'],
    method: string,
    opcode: Opcode,
    operands: Operands,
  ): Uint32Array {
    const words = new Uint32Array(Size.instruction / 4);
    words[0] = opcode;
    for (const [index, value] of Object.entries(operands)) words[Number(index)] = value;
    this.instructions.push({ name, kernel, method, words });
    this.feeder = undefined;
    return words;
  }

  overlaps(a: Tensor, b: Tensor): boolean {
    const startA = this.address('overlap', a);
    const startB = this.address('overlap', b);
    return startA < startB + byteLengthOf(b.shape, b.storage) && startB < startA + byteLengthOf(a.shape, a.storage);
  }

  /** Lists of spikes that have been overwritten are of no use any more. */
  forgetLists(written: readonly Tensor[]): void {
    for (const tensor of written) {
      if (tensor.storage === 'spikes' && this.listed && this.overlaps(this.listed.input, tensor))
        this.listed = undefined;
    }
  }

  /** Ends the recording: what a program of its instructions needs. */
  close(): ProgramParts {
    this.expectOpen('finish');
    this.place(this.shared, 'scratch of all threads');
    const counters = this.counting.close();
    this.place(this.sharedLists, 'lists of spikes');
    this.finished = true;
    const { memory, threads } = this.engine;
    const scratchStride = tensorAlignment * Math.ceil((Size.prepared + this.scratchBytes) / tensorAlignment);
    return {
      instructions: this.instructions,
      code: memory.allocate(this.instructions.length * Size.instruction, 'a program'),
      scratch: memory.allocate(scratchStride * threads, 'scratch'),
      scratchStride,
      blocks: this.blocks,
      counting: this.counting,
      counters,
    };
  }

  expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished)
      throw new EngineError(`${user}: the recording is finished; start another with engine.${this.beginner}()`);
  }

  private place(shared: SharedScratch, purpose: string): void {
    if (shared.byteLength === 0) return;
    const block = this.engine.memory.allocate(shared.byteLength, purpose);
    this.blocks.push(block);
    shared.placeAt(block.address);
  }
}
