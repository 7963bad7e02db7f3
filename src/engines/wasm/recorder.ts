/** Records calls for the wasm engine: checks each and hands it to its function in `calls/`, or to what serves all calls that are just declared. Training records them in segments. */
import { KernelCalls, TrainingCalls } from '../callRecorder.js';
import type { KernelCall, NamedCall } from '../calls/call.js';
import { EngineError } from '../errors.js';
import type { Counters, MemoryBlock } from '../tensor.js';
import { wasmRecorders } from './calls.generated.js';
import { recordDeclared } from './declaredCalls.js';
import type { EngineParts } from './engineParts.js';
import { type InstructionNote, WasmProgram } from './program.js';
import { Recording, type WasmCallRecorder } from './recording.js';
import { type SegmentRange, WasmTrainingProgram } from './trainingProgram.js';

const recorders: Readonly<Record<string, WasmCallRecorder<never>>> = wasmRecorders;

function recordCall<Call extends NamedCall>(recording: Recording, kernel: KernelCall<Call>, call: Call): void {
  kernel.check(call);
  // Native code would not be stopped by the end of the memory. What an instruction reads and writes beside the tensors of its call (constants, scratch) the engine has allocated itself.
  for (const tensor of [...kernel.reads(call), ...kernel.writes(call)]) recording.address(call.name, tensor);
  const own = recorders[kernel.kernel];
  if (own) own(recording, call as never);
  else recordDeclared(recording, kernel, call);
  recording.forgetLists(kernel.writes(call));
}

export class WasmRecorder extends KernelCalls {
  private readonly recording: Recording;

  constructor(private readonly engine: EngineParts) {
    super();
    this.recording = new Recording(engine, 'record');
  }

  /** What has been recorded up to now. */
  get instructions(): readonly InstructionNote[] {
    return this.recording.instructions;
  }

  allocate(byteLength: number): MemoryBlock {
    return this.recording.allocate(byteLength);
  }

  record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void {
    this.recording.expectOpen(call.name);
    recordCall(this.recording, kernel, call);
  }

  counters(length: number): Counters {
    return this.recording.counting.counters(length);
  }

  finish(): WasmProgram {
    return new WasmProgram(this.engine, this.recording.close());
  }
}

export class WasmTrainingRecorder extends TrainingCalls {
  private readonly recording: Recording;
  private readonly segments = new Map<string, SegmentRange>();
  private current: SegmentRange | undefined;

  constructor(private readonly engine: EngineParts) {
    super();
    this.recording = new Recording(engine, 'recordTraining');
  }

  allocate(byteLength: number): MemoryBlock {
    return this.recording.allocate(byteLength);
  }

  segment(name: string): void {
    this.recording.expectOpen(name);
    if (this.segments.has(name)) throw new EngineError(`${name}: the recording has a segment of this name already`);
    this.endSegment();
    this.recording.neuronsBefore = undefined;
    const first = this.recording.instructions.length;
    this.current = { first, last: first };
    this.segments.set(name, this.current);
  }

  record<Call extends NamedCall>(kernel: KernelCall<Call>, call: Call): void {
    this.recording.expectOpen(call.name);
    if (!this.current) throw new EngineError(`${call.name}: begin a segment with segment(name) before the first call`);
    recordCall(this.recording, kernel, call);
  }

  finish(): WasmTrainingProgram {
    this.endSegment();
    const program = new WasmProgram(this.engine, this.recording.close());
    return new WasmTrainingProgram(program, this.engine.memory, this.segments);
  }

  private endSegment(): void {
    if (this.current) this.current.last = this.recording.instructions.length;
  }
}
