/**
 * Turns training's calls into instructions in wasm memory. What inference has too is left to `WasmRecorder`, convolutions to
 * `TrainingConvolutions`; here are the segments, batch normalisation, and the other gradients. Sums over rows are made in a number
 * of parts that depends on the rows only, so that results do not depend on the number of threads.
 */
import { elementCount } from '../../graph/shape.js';
import { expectReal } from '../checks.js';
import { EngineError } from '../errors.js';
import type {
  AddCall,
  MemoryBlock,
  RepeatCall,
  ScaleShiftCall,
  SpatialMeanCall,
  SpikeAttentionCall,
  Tensor,
  TimeMeanCall,
} from '../kernels.js';
import type {
  AddConstantCall,
  BatchNormAgainCall,
  BatchNormCall,
  BatchNormGradientCall,
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
  CropCall,
  LeakyIntegrateAndFireGradientCall,
  PadWithStatisticsCall,
  SpatialMeanGradientCall,
  SpikeAttentionGradientCall,
  TimeMeanGradientCall,
  TrainableConvolutionCall,
  TrainableLeakyIntegrateAndFireCall,
  TrainingKernels,
} from '../trainingKernels.js';
import type { EngineParts } from './engineParts.js';
import { ElementWord, Opcode } from './instructionSet.js';
import { bitsOf, isPowerOfTwo } from './numbers.js';
import { roundUp } from './packing.js';
import { WasmProgram } from './program.js';
import { WasmRecorder } from './recorder.js';
import { SharedScratch } from './sharedScratch.js';
import {
  checkAddConstant,
  checkAttentionGradient,
  checkBatchNorm,
  checkBatchNormAgain,
  checkBatchNormGradient,
  checkCrop,
  checkInputGradient,
  checkNeuronGradient,
  checkPadWithStatistics,
  checkSpatialMeanGradient,
  checkTimeMeanGradient,
  checkTrainableConvolution,
  checkTrainableNeuron,
  checkWeightGradient,
} from './trainingChecks.js';
import { TrainingConvolutions } from './trainingConvolutions.js';
import {
  AttentionGradientWord,
  BatchNormWord,
  NeuronGradientWord,
  NormalisedNeuronWord,
  SurrogateKind,
  TrainingOpcode,
} from './trainingInstructionSet.js';
import { type SegmentRange, WasmTrainingProgram } from './trainingProgram.js';

type Operands = Record<number, number>;

/** Rows whose sums are made together; more of them make no part smaller than this many rows. */
const leastRowsPerPart = 64;
const mostParts = 32;

export class WasmTrainingRecorder implements TrainingKernels {
  private readonly recorder: WasmRecorder;
  private readonly shared = new SharedScratch();
  private readonly convolutions: TrainingConvolutions;
  private readonly segments = new Map<string, SegmentRange>();
  private current: SegmentRange | undefined;
  /** The last gradient of neurons, and how many instructions there were after it. */
  private neuronsBefore:
    | { readonly call: LeakyIntegrateAndFireGradientCall; readonly instructions: number }
    | undefined;

  constructor(private readonly engine: EngineParts) {
    this.recorder = new WasmRecorder(engine);
    this.convolutions = new TrainingConvolutions(this.recorder, this.shared);
  }

  allocate(byteLength: number): MemoryBlock {
    return this.recorder.allocate(byteLength);
  }

  segment(name: string): void {
    this.recorder.expectOpen(name);
    if (this.segments.has(name)) throw new EngineError(`${name}: the recording has a segment of this name already`);
    this.endSegment();
    this.neuronsBefore = undefined;
    const first = this.recorder.instructions.length;
    this.current = { first, last: first };
    this.segments.set(name, this.current);
  }

  convolution(call: TrainableConvolutionCall): void {
    this.expectSegment(call.name);
    checkTrainableConvolution(call);
    this.convolutions.forward(call);
  }

  convolutionInputGradient(call: ConvolutionInputGradientCall): void {
    this.expectSegment(call.name);
    checkInputGradient(call);
    this.convolutions.inputGradient(call);
  }

  convolutionWeightGradient(call: ConvolutionWeightGradientCall): void {
    this.expectSegment(call.name);
    checkWeightGradient(call);
    this.convolutions.weightGradient(call);
    if (call.biasGradient) this.addColumnSums(call.name, call.outputGradient, call.biasGradient);
  }

  batchNorm(call: BatchNormCall): void {
    this.expectSegment(call.name);
    checkBatchNorm(call);
    const operands = this.batchNormOperands(call);
    const partial = this.partialSums(operands, call.rows, 2 * call.channels);
    this.appendShared(call.name, 'batchNorm', 'sums', TrainingOpcode.batchStatistics, partial);
    this.appendShared(call.name, 'batchNorm', 'statistics', TrainingOpcode.finishStatistics, {
      ...partial,
      ...doubleWords(BatchNormWord.epsilon, call.epsilon),
      ...doubleWords(BatchNormWord.momentum, call.momentum),
    });
    if (!call.output) return;
    this.recorder.append(call.name, 'batchNorm', 'output', TrainingOpcode.normalise, {
      ...operands,
      [BatchNormWord.output]: this.address(call.name, call.output),
    });
  }

  batchNormAgain(call: BatchNormAgainCall): void {
    this.expectSegment(call.name);
    checkBatchNormAgain(call);
    this.recorder.append(call.name, 'batchNormAgain', '', TrainingOpcode.normalise, {
      ...this.batchNormOperands(call),
      [BatchNormWord.output]: this.address(call.name, call.output),
    });
  }

  batchNormGradient(call: BatchNormGradientCall): void {
    this.expectSegment(call.name);
    checkBatchNormGradient(call);
    const { name, rows, channels } = call;
    const partial: Operands = this.partialSums(
      {
        ...this.batchNormOperands(call),
        [BatchNormWord.outputGradient]: this.address(name, call.outputGradient),
        [BatchNormWord.output]: this.address(name, call.inputGradient),
        [BatchNormWord.weightGradient]: this.address(name, call.weightGradient),
        [BatchNormWord.biasGradient]: this.address(name, call.biasGradient),
      },
      rows,
      2 * channels,
    );
    const sumBytes = partialBytes(rows, 2 * channels);
    this.shared.need(sumBytes + 8 * roundUp(channels, 4));
    const operands = { ...partial, [BatchNormWord.means]: sumBytes };
    this.recorder.needScratch(8 * roundUp(channels, 4));
    if (!this.neuronsSumFor(call)) {
      this.appendShared(name, 'batchNormGradient', 'sums', TrainingOpcode.batchGradientSums, operands);
    }
    this.appendShared(name, 'batchNormGradient', 'parameters', TrainingOpcode.finishGradientSums, operands);
    this.appendShared(name, 'batchNormGradient', 'input', TrainingOpcode.batchGradient, operands);
  }

  /**
   * Where the instruction before is the gradient of neurons that read through this very normalisation, it makes the sums on its way:
   * what it writes need not be read again for them.
   */
  private neuronsSumFor({ rows, channels, input, outputGradient, tensors }: BatchNormGradientCall): boolean {
    const { instructions } = this.recorder;
    const before = this.neuronsBefore;
    if (before?.instructions !== instructions.length) return false;
    const { call } = before;
    const { normalisation } = call;
    const same =
      normalisation !== undefined &&
      call.channels === channels &&
      call.positions === rows &&
      sameMemory(call.input, input) &&
      sameMemory(call.inputGradient, outputGradient) &&
      sameMemory(normalisation.batchMean, tensors.batchMean) &&
      sameMemory(normalisation.batchInverseDeviation, tensors.batchInverseDeviation);
    if (!same) return false;
    const instruction = instructions.at(-1)!;
    instructions[instructions.length - 1] = { ...instruction, method: `${instruction.method}, sums` };
    instruction.words[NeuronGradientWord.parts] = partsOf(rows);
    this.shared.refer(instruction.words, NeuronGradientWord.sums);
    return true;
  }

  padWithStatistics(call: PadWithStatisticsCall): void {
    this.expectSegment(call.name);
    checkPadWithStatistics(call);
    const { name, channels, tensors } = call;
    this.shared.need(4 * roundUp(channels, 16));
    const values = this.recorder.append(name, 'pad', 'values', TrainingOpcode.borderValues, {
      [BatchNormWord.channels]: channels,
      [BatchNormWord.weight]: this.address(name, tensors.weight),
      [BatchNormWord.bias]: this.address(name, tensors.bias),
      [BatchNormWord.runningMean]: this.address(name, tensors.runningMean),
      [BatchNormWord.runningVariance]: this.address(name, tensors.runningVariance),
      ...doubleWords(BatchNormWord.epsilon, call.epsilon),
    });
    this.shared.refer(values, BatchNormWord.output);
    const pad = this.recorder.append(name, 'pad', '', Opcode.pad, {
      [ElementWord.input]: this.address(name, call.input),
      [ElementWord.output]: this.address(name, call.output),
      [ElementWord.rows]: call.images,
      [ElementWord.channels]: channels,
      [ElementWord.inputHeight]: call.inputHeight,
      [ElementWord.inputWidth]: call.inputWidth,
      [ElementWord.padding]: call.padding,
    });
    this.shared.refer(pad, ElementWord.second);
  }

  crop(call: CropCall): void {
    this.expectSegment(call.name);
    checkCrop(call);
    this.recorder.append(call.name, 'crop', '', TrainingOpcode.crop, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.rows]: call.images,
      [ElementWord.channels]: call.channels,
      [ElementWord.inputHeight]: call.outputHeight,
      [ElementWord.inputWidth]: call.outputWidth,
      [ElementWord.padding]: call.padding,
    });
  }

  leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): void {
    this.expectSegment(call.name);
    const { name, tau, normalisation } = call;
    if (!normalisation) {
      this.recorder.leakyIntegrateAndFire(call);
      return;
    }
    checkTrainableNeuron(call);
    const divide = !isPowerOfTwo(Math.fround(tau));
    this.recorder.append(name, 'leakyIntegrateAndFire', 'normalised', TrainingOpcode.normalisedNeurons, {
      [NormalisedNeuronWord.input]: this.address(name, call.input),
      [NormalisedNeuronWord.output]: this.address(name, call.output),
      [NormalisedNeuronWord.positions]: call.positions,
      [NormalisedNeuronWord.channels]: call.channels,
      [NormalisedNeuronWord.factor]: bitsOf(divide ? tau : 1 / tau),
      [NormalisedNeuronWord.divide]: divide ? 1 : 0,
      [NormalisedNeuronWord.threshold]: bitsOf(call.threshold),
      [NormalisedNeuronWord.batchMean]: this.address(name, normalisation.batchMean),
      [NormalisedNeuronWord.batchInverseDeviation]: this.address(name, normalisation.batchInverseDeviation),
      [NormalisedNeuronWord.weight]: this.address(name, normalisation.weight),
      [NormalisedNeuronWord.bias]: this.address(name, normalisation.bias),
    });
  }

  leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): void {
    this.expectSegment(call.name);
    checkNeuronGradient(call);
    const { name, tau, surrogate, normalisation } = call;
    const divide = !isPowerOfTwo(Math.fround(tau));
    this.recorder.needScratch(16 * call.timeSteps);
    const method = `${surrogate.kind}${normalisation ? ', normalised' : ''}`;
    this.recorder.append(name, 'leakyIntegrateAndFireGradient', method, TrainingOpcode.neuronGradient, {
      [NeuronGradientWord.input]: this.address(name, call.input),
      [NeuronGradientWord.outputGradient]: this.address(name, call.outputGradient),
      [NeuronGradientWord.inputGradient]: this.address(name, call.inputGradient),
      [NeuronGradientWord.timeSteps]: call.timeSteps,
      [NeuronGradientWord.neurons]: call.positions * call.channels,
      [NeuronGradientWord.accumulate]: call.accumulate ? 1 : 0,
      [NeuronGradientWord.factor]: bitsOf(divide ? tau : 1 / tau),
      [NeuronGradientWord.divide]: divide ? 1 : 0,
      [NeuronGradientWord.threshold]: bitsOf(call.threshold),
      [NeuronGradientWord.inflow]: bitsOf(1 / tau),
      [NeuronGradientWord.decay]: bitsOf(1 - 1 / tau),
      [NeuronGradientWord.surrogate]: SurrogateKind[surrogate.kind],
      [NeuronGradientWord.alpha]: bitsOf(surrogate.alpha),
      [NeuronGradientWord.detachReset]: call.detachReset ? 1 : 0,
      [NeuronGradientWord.channels]: call.channels,
      ...(normalisation && {
        [NeuronGradientWord.batchMean]: this.address(name, normalisation.batchMean),
        [NeuronGradientWord.batchInverseDeviation]: this.address(name, normalisation.batchInverseDeviation),
        [NeuronGradientWord.weight]: this.address(name, normalisation.weight),
        [NeuronGradientWord.bias]: this.address(name, normalisation.bias),
      }),
    });
    this.neuronsBefore = { call, instructions: this.recorder.instructions.length };
  }

  spikeAttention(call: SpikeAttentionCall): void {
    this.expectSegment(call.name);
    this.recorder.spikeAttention(call);
  }

  spikeAttentionGradient(call: SpikeAttentionGradientCall): void {
    this.expectSegment(call.name);
    checkAttentionGradient(call);
    const { name } = call;
    const width = call.channels / call.heads;
    this.recorder.needScratch((3 * width + 1) * roundUp(width, 4) * 4 + 4 * width);
    this.recorder.append(name, 'spikeAttentionGradient', '', TrainingOpcode.attentionGradient, {
      [AttentionGradientWord.query]: this.address(name, call.query),
      [AttentionGradientWord.key]: this.address(name, call.key),
      [AttentionGradientWord.value]: this.address(name, call.value),
      [AttentionGradientWord.outputGradient]: this.address(name, call.outputGradient),
      [AttentionGradientWord.images]: call.images,
      [AttentionGradientWord.tokens]: call.tokens,
      [AttentionGradientWord.channels]: call.channels,
      [AttentionGradientWord.heads]: call.heads,
      [AttentionGradientWord.scale]: bitsOf(call.scale),
      [AttentionGradientWord.queryGradient]: this.address(name, call.queryGradient),
      [AttentionGradientWord.keyGradient]: this.address(name, call.keyGradient),
      [AttentionGradientWord.valueGradient]: this.address(name, call.valueGradient),
    });
  }

  readonly add = this.asInInference((call: AddCall) => this.recorder.add(call));
  readonly repeat = this.asInInference((call: RepeatCall) => this.recorder.repeat(call));
  readonly scaleShift = this.asInInference((call: ScaleShiftCall) => this.recorder.scaleShift(call));
  readonly spatialMean = this.asInInference((call: SpatialMeanCall) => this.recorder.spatialMean(call));
  readonly timeMean = this.asInInference((call: TimeMeanCall) => this.recorder.timeMean(call));

  spatialMeanGradient(call: SpatialMeanGradientCall): void {
    this.expectSegment(call.name);
    checkSpatialMeanGradient(call);
    this.recorder.append(call.name, 'spatialMeanGradient', '', TrainingOpcode.spatialMeanGradient, {
      [ElementWord.input]: this.address(call.name, call.outputGradient),
      [ElementWord.output]: this.address(call.name, call.inputGradient),
      [ElementWord.rows]: call.images,
      [ElementWord.positions]: call.positions,
      [ElementWord.channels]: call.channels,
    });
  }

  timeMeanGradient(call: TimeMeanGradientCall): void {
    this.expectSegment(call.name);
    checkTimeMeanGradient(call);
    this.recorder.append(call.name, 'timeMeanGradient', '', TrainingOpcode.timeMeanGradient, {
      [ElementWord.input]: this.address(call.name, call.outputGradient),
      [ElementWord.output]: this.address(call.name, call.inputGradient),
      [ElementWord.timeSteps]: call.timeSteps,
      [ElementWord.elements]: call.elements,
    });
  }

  addConstant(call: AddConstantCall): void {
    this.expectSegment(call.name);
    checkAddConstant(call);
    this.recorder.append(call.name, 'addConstant', '', TrainingOpcode.addConstant, {
      [ElementWord.output]: this.address(call.name, call.tensor),
      [ElementWord.second]: this.address(call.name, call.value),
      [ElementWord.elements]: elementCount(call.tensor.shape),
    });
  }

  zero(tensor: Tensor): void {
    this.expectSegment('zero');
    expectReal('zero', tensor);
    this.recorder.append('zero', 'zero', '', TrainingOpcode.zero, {
      [ElementWord.output]: this.address('zero', tensor),
      [ElementWord.elements]: elementCount(tensor.shape),
    });
  }

  finish(): WasmTrainingProgram {
    this.recorder.expectOpen('finish');
    this.endSegment();
    this.placeShared();
    const program = new WasmProgram(this.engine, this.recorder.close());
    return new WasmTrainingProgram(program, this.engine.memory, this.segments);
  }

  private placeShared(): void {
    const bytes = roundUp(this.shared.byteLength, 64);
    const block = this.recorder.allocate(bytes);
    const whole: Tensor = { shape: [bytes / 4], storage: 'real', block, byteOffset: 0 };
    this.shared.placeAt(this.address('scratch', whole));
  }

  private addColumnSums(name: string, rows: Tensor, target: Tensor): void {
    const channels = elementCount(target.shape);
    const count = elementCount(rows.shape) / channels;
    const operands = this.partialSums(
      { [BatchNormWord.input]: this.address(name, rows), [BatchNormWord.channels]: channels },
      count,
      channels,
    );
    this.appendShared(name, 'biasGradient', 'sums', TrainingOpcode.columnSums, operands);
    this.appendShared(name, 'biasGradient', '', TrainingOpcode.addColumnSums, {
      ...operands,
      [BatchNormWord.output]: this.address(name, target),
    });
  }

  /** The operands, and those of float64 sums in parts: `[part][numbers]`, numbers rounded up as the kernels do. */
  private partialSums(operands: Operands, rows: number, numbers: number): Operands {
    this.shared.need(partialBytes(rows, numbers));
    return { ...operands, [BatchNormWord.rows]: rows, [BatchNormWord.parts]: partsOf(rows) };
  }

  private batchNormOperands(call: Omit<BatchNormAgainCall, 'epsilon' | 'output'>): Operands {
    const { name, tensors } = call;
    return {
      [BatchNormWord.input]: this.address(name, call.input),
      [BatchNormWord.rows]: call.rows,
      [BatchNormWord.channels]: call.channels,
      [BatchNormWord.weight]: this.address(name, tensors.weight),
      [BatchNormWord.bias]: this.address(name, tensors.bias),
      [BatchNormWord.runningMean]: this.address(name, tensors.runningMean),
      [BatchNormWord.runningVariance]: this.address(name, tensors.runningVariance),
      [BatchNormWord.batchMean]: this.address(name, tensors.batchMean),
      [BatchNormWord.batchInverseDeviation]: this.address(name, tensors.batchInverseDeviation),
    };
  }

  /** Appends an instruction of batch normalisation whose sums, and means if it has any, lie in shared scratch. */
  private appendShared(name: string, kernel: string, method: string, opcode: TrainingOpcode, operands: Operands): void {
    const words = this.recorder.append(name, kernel, method, opcode, operands);
    this.shared.refer(words, BatchNormWord.sums);
    if (operands[BatchNormWord.means] !== undefined) this.shared.refer(words, BatchNormWord.means);
  }

  private address(name: string, tensor: Tensor): number {
    return this.recorder.address(name, tensor);
  }

  private endSegment(): void {
    if (this.current) this.current.last = this.recorder.instructions.length;
  }

  /** What inference records too, in a segment. */
  private asInInference<Call extends { readonly name: string }>(record: (call: Call) => void): (call: Call) => void {
    return (call) => {
      this.expectSegment(call.name);
      record(call);
    };
  }

  private expectSegment(user: string): void {
    this.recorder.expectOpen(user);
    if (!this.current) throw new EngineError(`${user}: begin a segment with segment(name) before the first call`);
  }
}

function sameMemory(a: Tensor, b: Tensor): boolean {
  return a.block === b.block && a.byteOffset === b.byteOffset;
}

function partsOf(rows: number): number {
  return Math.min(mostParts, Math.ceil(rows / leastRowsPerPart));
}

/** Twice three more than needed when `numbers` are two times the channels: each half is rounded up by itself. */
function partialBytes(rows: number, numbers: number): number {
  return roundUp(partsOf(rows) * (numbers + 6) * 8, 64);
}

/** A float64 as two words. */
function doubleWords(word: number, value: number): Operands {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return { [word]: words[0]!, [word + 1]: words[1]! };
}
