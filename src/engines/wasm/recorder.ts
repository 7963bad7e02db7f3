/**
 * Turns kernel calls into instructions in wasm memory: checks them, chooses a method for each convolution, packs its
 * weights, and fills in the operands. Not about how an instruction is carried out; that is `kernels/`.
 */
import { channelsOf, elementCount, formatShape } from '../../graph/shape.js';
import {
  checkAdd,
  checkAttention,
  checkConvolution,
  checkNeuron,
  checkPad,
  checkRepeat,
  checkScaleShift,
  checkSpatialMean,
  checkTimeMean,
} from '../checks.js';
import { EngineError } from '../errors.js';
import {
  type AddCall,
  byteLengthOf,
  type ConvolutionCall,
  type Kernels,
  type LeakyIntegrateAndFireCall,
  type MemoryBlock,
  type PadCall,
  type RepeatCall,
  type ScaleShiftCall,
  type SpatialMeanCall,
  type SpikeAttentionCall,
  type Tensor,
  type TimeMeanCall,
  tensorAlignment,
} from '../kernels.js';
import { WasmCounting } from './countingRecorder.js';
import { denseScratchBytes, depthwiseScratchBytes, planDense } from './densePlan.js';
import type { EngineParts } from './engineParts.js';
import { AttentionWord, ConvolutionWord, ElementWord, NeuronWord, Opcode, Size } from './instructionSet.js';
import { addressOf, type WasmBlock } from './memory.js';
import { bitsOf, isPowerOfTwo } from './numbers.js';
import {
  byteRows,
  depthwiseLength,
  floatRows,
  integerPanelsLength,
  integerRowLength,
  packByteRows,
  packDepthwise,
  packIntegerPanels,
  packPanels,
  packSpikeRows,
  panelsLength,
  type RowFormat,
  roundUp,
  spikeRowsLength,
} from './packing.js';
import { type Instruction, type InstructionNote, type ProgramParts, WasmProgram } from './program.js';
import {
  quantiseDenseWeights,
  quantiseWeights,
  quantiseWeightsAndSums,
  type SpikeWeights,
  scalesLength,
} from './quantise.js';
import { SharedScratch } from './sharedScratch.js';
import {
  leastRateForByteTables,
  planSpikeConvolution,
  type SpikePlan,
  spikePlanOperands,
  tablePercentageOf,
  tablesAreUseful,
} from './spikePlan.js';

/** Per image: what an image is answered does not depend on the batch it is in. */
const leastPositionsForBytes = 16;
const leastChannelsForIntegers = 192;

export class WasmRecorder implements Kernels {
  readonly instructions: Instruction[] = [];
  readonly counting = new WasmCounting(this);
  private readonly blocks: WasmBlock[] = [];
  private scratchBytes = 0;
  /** The spike-fed convolution that is the last instruction, if it is one: neurons that follow may fire in it. */
  private feeder:
    | { readonly call: ConvolutionCall; readonly words: Uint32Array; replan(timeSteps: number): SpikePlan }
    | undefined;
  /** The lists of spikes that the last instruction of that kind makes: of which tensor, cut how. */
  private listed: { readonly input: Tensor; readonly cut: string } | undefined;
  private readonly sharedLists = new SharedScratch();
  /** What `quantiseWeightsAndSums` made of a layer's weights last. */
  private lastRounded: { readonly weight: Float32Array; readonly rounded: SpikeWeights | undefined } | undefined;
  private finished = false;

  constructor(readonly engine: EngineParts) {}

  allocate(byteLength: number): MemoryBlock {
    this.expectOpen('allocate');
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new EngineError(`a memory block of ${byteLength} bytes was asked for: give a whole number, 0 or more`);
    }
    const block = this.engine.memory.allocate(byteLength, 'tensors');
    this.blocks.push(block);
    return block;
  }

  convolution(call: ConvolutionCall): void {
    this.expectOpen(call.name);
    checkConvolution(call);
    const { inputChannels, outputChannels, groups } = call.geometry;
    const addsRows = call.input.storage === 'spikes' && this.engine.spikeKernel === 'table';
    if (groups === 1 && addsRows) this.spikeConvolution(call);
    else if (groups === inputChannels && groups === outputChannels) this.depthwiseConvolution(call);
    else if (groups === 1 && this.wantsIntegers(call)) this.integerConvolution(call);
    else if (groups === 1) this.denseConvolution(call);
    else this.plainConvolution(call);
  }

  scaleShift(call: ScaleShiftCall): void {
    this.expectOpen(call.name);
    checkScaleShift(call);
    this.append(call.name, 'scaleShift', '', Opcode.scaleShift, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.second]: this.engine.constants.perChannel(call.scale, `the scale of ${call.name}`),
      [ElementWord.third]: this.engine.constants.perChannel(call.shift, `the shift of ${call.name}`),
      [ElementWord.rows]: call.rows,
      [ElementWord.channels]: call.channels,
    });
  }

  pad(call: PadCall): void {
    this.expectOpen(call.name);
    checkPad(call);
    this.append(call.name, 'pad', '', Opcode.pad, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.second]: this.engine.constants.perChannel(call.values, `the padding of ${call.name}`),
      [ElementWord.rows]: call.images,
      [ElementWord.channels]: call.channels,
      [ElementWord.inputHeight]: call.inputHeight,
      [ElementWord.inputWidth]: call.inputWidth,
      [ElementWord.padding]: call.padding,
    });
  }

  leakyIntegrateAndFire(call: LeakyIntegrateAndFireCall): void {
    this.expectOpen(call.name);
    checkNeuron(call);
    // A product by the reciprocal equals the quotient bit for bit only for powers of two.
    const divide = !isPowerOfTwo(Math.fround(call.tau));
    const operands = {
      [NeuronWord.input]: this.address(call.name, call.input),
      [NeuronWord.output]: this.address(call.name, call.output),
      [NeuronWord.timeSteps]: call.timeSteps,
      [NeuronWord.positions]: call.positions,
      [NeuronWord.channels]: call.channels,
      [NeuronWord.inputTimeSteps]: call.inputTimeSteps,
      [NeuronWord.factor]: bitsOf(divide ? call.tau : 1 / call.tau),
      [NeuronWord.divide]: divide ? 1 : 0,
      [NeuronWord.threshold]: bitsOf(call.threshold),
      [NeuronWord.membrane]: call.membrane ? this.address(call.name, call.membrane) : 0,
    };
    this.forgetLists(call.output);
    if (this.fuse(call, operands)) return;
    const method = divide ? 'division' : 'multiplication';
    this.append(call.name, 'leakyIntegrateAndFire', method, Opcode.leakyIntegrateAndFire, operands);
  }

  spikeAttention(call: SpikeAttentionCall): void {
    this.expectOpen(call.name);
    checkAttention(call);
    const width = call.channels / call.heads;
    const setBytes = 16 * Math.ceil(call.tokens / 128);
    const countBytes = 16 * Math.ceil(width / 4);
    this.needScratch(width * (2 * setBytes + countBytes + 4));
    this.append(call.name, 'spikeAttention', 'bit sets', Opcode.spikeAttention, {
      [AttentionWord.query]: this.address(call.name, call.query),
      [AttentionWord.key]: this.address(call.name, call.key),
      [AttentionWord.value]: this.address(call.name, call.value),
      [AttentionWord.output]: this.address(call.name, call.output),
      [AttentionWord.images]: call.images,
      [AttentionWord.tokens]: call.tokens,
      [AttentionWord.channels]: call.channels,
      [AttentionWord.heads]: call.heads,
      [AttentionWord.scale]: bitsOf(call.scale),
    });
  }

  add(call: AddCall): void {
    this.expectOpen(call.name);
    checkAdd(call);
    this.append(call.name, 'add', '', Opcode.add, {
      [ElementWord.input]: this.address(call.name, call.a),
      [ElementWord.second]: this.address(call.name, call.b),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.elements]: elementCount(call.output.shape),
      [ElementWord.inputElements]: elementCount(call.a.shape),
      [ElementWord.secondElements]: elementCount(call.b.shape),
    });
  }

  spatialMean(call: SpatialMeanCall): void {
    this.expectOpen(call.name);
    checkSpatialMean(call);
    this.append(call.name, 'spatialMean', '', Opcode.spatialMean, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.rows]: call.images,
      [ElementWord.positions]: call.positions,
      [ElementWord.channels]: call.channels,
    });
  }

  timeMean(call: TimeMeanCall): void {
    this.expectOpen(call.name);
    checkTimeMean(call);
    this.append(call.name, 'timeMean', '', Opcode.timeMean, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.timeSteps]: call.timeSteps,
      [ElementWord.elements]: call.elements,
    });
  }

  repeat(call: RepeatCall): void {
    this.expectOpen(call.name);
    checkRepeat(call);
    this.forgetLists(call.output);
    const inputWords = byteLengthOf(call.input.shape, call.input.storage) / 4;
    this.append(call.name, 'repeat', '', Opcode.repeat, {
      [ElementWord.input]: this.address(call.name, call.input),
      [ElementWord.output]: this.address(call.name, call.output),
      [ElementWord.elements]: inputWords * call.times,
      [ElementWord.inputElements]: inputWords,
    });
  }

  finish(): WasmProgram {
    return new WasmProgram(this.engine, this.close());
  }

  /** Ends the recording: what a program of its instructions needs. */
  close(): ProgramParts {
    this.expectOpen('finish');
    const counters = this.counting.close();
    this.finished = true;
    const { memory, threads } = this.engine;
    if (this.sharedLists.byteLength > 0) {
      const lists = memory.allocate(this.sharedLists.byteLength, 'lists of spikes');
      this.blocks.push(lists);
      this.sharedLists.placeAt(lists.address);
    }
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

  private spikeConvolution(call: ConvolutionCall): void {
    const { geometry, weight, name } = call;
    const { constants, threads } = this.engine;
    const byBytes = this.wantsBytes(geometry);
    const format = byBytes ? byteRows : floatRows;
    const tables = byBytes ? this.wantsByteTables(call) : this.wantsTables(call, floatRows, 'tables');
    const options = { tables, threads, format, mayShareLists: true };
    const plan = planSpikeConvolution(geometry, options);
    this.needScratch(plan.scratchBytes);
    const rows = byBytes
      ? this.byteRows(call, tables)
      : {
          weights: constants.pack(
            weight,
            packingKey(tables ? 'tables' : 'rows', call),
            spikeRowsLength(geometry, tables),
            `the weights of ${name}`,
            (target) => packSpikeRows(target, weight, geometry, tables),
          ),
          operands: {},
        };
    const method = `${tables ? 'rows and tables' : 'rows'}${byBytes ? ', i16' : ''}`;
    const operands = {
      ...this.convolutionOperands(call, rows.weights),
      ...rows.operands,
      ...spikePlanOperands(plan),
      [ConvolutionWord.tables]: tables ? tablePercentageOf(geometry) : 0,
    };
    if (plan.sharedListBytes > 0) this.list(call, plan, operands);
    const words = this.append(name, 'spikeConvolution', method, Opcode.spikeConvolution, operands);
    if (plan.sharedListBytes > 0) this.sharedLists.refer(words, ConvolutionWord.lists);
    this.feeder = { call, words, replan: (timeSteps) => planSpikeConvolution(geometry, { ...options, timeSteps }) };
  }

  /** Has the lists of a convolution made by an instruction of their own, unless those of the convolution before on the same spikes are the same. */
  private list(call: ConvolutionCall, plan: SpikePlan, operands: Record<number, number>): void {
    const { outputChannels, ...geometry } = call.geometry;
    const { rowBytes, tapBytes, single, table } = plan;
    const cut = JSON.stringify([geometry, rowBytes, tapBytes, single, table]);
    const { listed } = this;
    const address = this.address(call.name, call.input);
    if (listed?.cut === cut && this.address(call.name, listed.input) === address) return;
    this.listed = { input: call.input, cut };
    this.sharedLists.need(plan.sharedListBytes);
    const words = this.append(call.name, 'spikeLists', '', Opcode.spikeLists, operands);
    this.sharedLists.refer(words, ConvolutionWord.lists);
  }

  /** Lists of spikes that are about to be overwritten are of no use any more. */
  private forgetLists(written: Tensor): void {
    if (this.listed && this.overlaps(this.listed.input, written)) this.listed = undefined;
  }

  /**
   * Lets the neurons fire in the instruction of the convolution that feeds them, block by block while the currents are in the cache: when that is the
   * instruction before, membranes begin empty, and the spikes do not take the place of something that the convolution still reads.
   */
  private fuse(call: LeakyIntegrateAndFireCall, operands: Record<number, number>): boolean {
    const { feeder } = this;
    if (!feeder || call.membrane || call.inputTimeSteps !== call.timeSteps) return false;
    const { input, residual, output, geometry: g } = feeder.call;
    const positions = g.images * g.outputHeight * g.outputWidth;
    const isFed =
      this.address(call.name, call.input) === this.address(call.name, output) &&
      call.channels === g.outputChannels &&
      call.positions * call.timeSteps === positions;
    if (!isFed || this.overlaps(call.output, input) || (residual && this.overlaps(call.output, residual))) return false;
    const plan = feeder.replan(call.timeSteps);
    const keepsCurrents = !call.isOnlyReader || residual !== undefined;
    this.needScratch(plan.scratchBytes + (keepsCurrents ? 0 : plan.currentBytes));
    const fused: Record<number, number> = {
      ...spikePlanOperands(plan),
      [ConvolutionWord.neurons]: operands[NeuronWord.output]!,
      [ConvolutionWord.timeSteps]: call.timeSteps,
      [ConvolutionWord.factor]: operands[NeuronWord.factor]!,
      [ConvolutionWord.divide]: operands[NeuronWord.divide]!,
      [ConvolutionWord.threshold]: operands[NeuronWord.threshold]!,
      [ConvolutionWord.currents]: keepsCurrents ? 0 : plan.scratchBytes,
    };
    for (const [index, value] of Object.entries(fused)) feeder.words[Number(index)] = value;
    const last = this.instructions.at(-1)!;
    this.instructions[this.instructions.length - 1] = { ...last, method: `${last.method}, neurons` };
    this.feeder = undefined;
    return true;
  }

  private overlaps(a: Tensor, b: Tensor): boolean {
    const startA = this.address('overlap', a);
    const startB = this.address('overlap', b);
    return startA < startB + byteLengthOf(b.shape, b.storage) && startB < startA + byteLengthOf(a.shape, a.storage);
  }

  /** Few positions (the head's, one per image) gain nothing from short rows, and scores should be exact. */
  private wantsBytes({ outputHeight, outputWidth }: ConvolutionCall['geometry']): boolean {
    return this.engine.precision === 'i16' && outputHeight * outputWidth >= leastPositionsForBytes;
  }

  /** Rows of bytes, with or without tables, and their scales. */
  private byteRows(call: ConvolutionCall, tables: boolean): { weights: number; operands: Record<number, number> } {
    const { geometry, weight, name } = call;
    const { constants } = this.engine;
    const length = spikeRowsLength(geometry, tables, byteRows);
    const kind = tables ? byteTables : 'byte rows';
    // Both of what is packed below are made of it, or neither.
    let rounded: SpikeWeights | undefined;
    const quantised = () => {
      rounded ??= tables ? this.roundedWithSums(call)! : quantiseWeights(weight, geometry);
      return rounded;
    };
    const scales = constants.pack(
      weight,
      packingKey(`${kind}: scales`, call),
      scalesLength(geometry),
      `the scales of ${name}`,
      (target) => {
        target.fill(0);
        target.set(quantised().scales);
      },
    );
    const weights = constants.pack(
      weight,
      packingKey(kind, call),
      Math.ceil(length / 4),
      `the weights of ${name}`,
      (target) => {
        const bytes = new Uint8Array(target.buffer, target.byteOffset, length);
        packByteRows(bytes, quantised().weight, geometry, tables);
      },
    );
    return { weights, operands: { [ConvolutionWord.bytes]: 1, [ConvolutionWord.scales]: scales } };
  }

  /** Tables of bytes: where neurons are known to fire often, and weights that lie on a grid of bytes stay as they are. */
  private wantsByteTables(call: ConvolutionCall): boolean {
    if ((call.firingRate ?? 0) < leastRateForByteTables) return false;
    return this.roundedWithSums(call) !== undefined && this.wantsTables(call, byteRows, byteTables);
  }

  /** Asked for when tables are chosen, and again when they are packed. */
  private roundedWithSums({ weight, geometry }: ConvolutionCall): SpikeWeights | undefined {
    if (this.lastRounded?.weight !== weight)
      this.lastRounded = { weight, rounded: quantiseWeightsAndSums(weight, geometry) };
    return this.lastRounded.rounded;
  }

  /** Tables must be useful and, unless another program has them already, within the engine's budget. What other programs have does not make them useful: sums would depend on it. */
  private wantsTables(call: ConvolutionCall, format: RowFormat, packing: string): boolean {
    const { geometry, firingRate, weight } = call;
    const { constants } = this.engine;
    const numbers = spikeRowsLength(geometry, true, format) - spikeRowsLength(geometry, false, format);
    const bytes = format.bytesPerNumber * numbers;
    if (!tablesAreUseful(geometry, bytes, firingRate === undefined ? {} : { firingRate })) return false;
    return constants.has(weight, packingKey(packing, call)) || constants.reserveTables(bytes);
  }

  private depthwiseConvolution(call: ConvolutionCall): void {
    const { geometry, weight, name } = call;
    this.needScratch(depthwiseScratchBytes(geometry));
    const weights = this.engine.constants.pack(
      weight,
      packingKey('depthwise', call),
      depthwiseLength(geometry),
      `the weights of ${name}`,
      (target) => packDepthwise(target, weight, geometry),
    );
    const operands = this.convolutionOperands(call, weights);
    this.append(name, 'depthwiseConvolution', call.input.storage, Opcode.depthwiseConvolution, operands);
  }

  private denseConvolution(call: ConvolutionCall): void {
    const { geometry, weight, name } = call;
    const rowBytes = geometry.kernelHeight * geometry.kernelWidth * geometry.inputChannels * 4;
    const positions = geometry.images * geometry.outputHeight * geometry.outputWidth;
    const plan = planDense(positions, rowBytes);
    this.needScratch(denseScratchBytes(plan, rowBytes));
    const weights = this.engine.constants.pack(
      weight,
      packingKey('panels', call),
      panelsLength(geometry),
      `the weights of ${name}`,
      (target) => packPanels(target, weight, geometry),
    );
    const method = call.input.storage === 'spikes' ? '4×8 tiles, spikes as numbers' : '4×8 tiles';
    this.append(name, 'denseConvolution', method, Opcode.denseConvolution, {
      ...this.convolutionOperands(call, weights),
      [ConvolutionWord.blocks]: plan.blocks,
    });
  }

  /** Only where the multiplication is long: small layers (a network for CIFAR has at most 160 channels here) would gain less than rounding is worth. */
  private wantsIntegers({ geometry, input }: ConvolutionCall): boolean {
    const { kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth } = geometry;
    const pixels = [kernelHeight, kernelWidth, strideHeight, strideWidth].every((length) => length === 1);
    const whole = pixels && paddingHeight === 0 && paddingWidth === 0;
    const large = geometry.inputChannels >= leastChannelsForIntegers;
    return whole && large && input.storage === 'real' && this.wantsBytes(geometry);
  }

  /** Integers whose sums cannot overflow, in panels, and their scales. */
  private integerConvolution(call: ConvolutionCall): void {
    const { geometry, weight, name } = call;
    const { constants } = this.engine;
    const rowBytes = 2 * integerRowLength(geometry);
    const plan = planDense(geometry.images * geometry.outputHeight * geometry.outputWidth, rowBytes);
    this.needScratch(plan.positions * (rowBytes + 4));
    // Scales first, as many as the panels have channels.
    const scaleLength = roundUp(geometry.outputChannels, 16);
    const length = integerPanelsLength(geometry);
    const scales = constants.pack(
      weight,
      packingKey('integer panels', call),
      scaleLength + length / 2,
      `the weights of ${name}`,
      (target) => {
        const quantised = quantiseDenseWeights(weight, geometry);
        target.fill(0);
        target.set(quantised.scales);
        const panels = new Int16Array(target.buffer, target.byteOffset + 4 * scaleLength, length);
        packIntegerPanels(panels, quantised.weight, geometry);
      },
    );
    this.append(name, 'denseConvolution', '4×8 tiles, i16', Opcode.integerConvolution, {
      ...this.convolutionOperands(call, scales + 4 * scaleLength),
      [ConvolutionWord.blocks]: plan.blocks,
      [ConvolutionWord.scales]: scales,
    });
  }

  private plainConvolution(call: ConvolutionCall): void {
    const { weight, name } = call;
    const weights = this.engine.constants.pack(weight, 'as given', weight.length, `the weights of ${name}`, (target) =>
      target.set(weight),
    );
    const operands = this.convolutionOperands(call, weights);
    this.append(name, 'plainConvolution', call.input.storage, Opcode.plainConvolution, operands);
  }

  private convolutionOperands(call: ConvolutionCall, weights: number): Record<number, number> {
    const { name, geometry, bias, residual } = call;
    const { constants } = this.engine;
    const purpose = `the bias of ${name}`;
    const operands: Record<number, number> = {
      [ConvolutionWord.input]: this.address(name, call.input),
      [ConvolutionWord.output]: this.address(name, call.output),
      [ConvolutionWord.weights]: weights,
      [ConvolutionWord.bias]: bias
        ? constants.perChannel(bias, purpose)
        : constants.zeros(geometry.outputChannels, purpose),
      [ConvolutionWord.spikes]: call.input.storage === 'spikes' ? 1 : 0,
      [ConvolutionWord.residual]: residual ? this.address(name, residual) : 0,
      [ConvolutionWord.residualPositions]: residual ? this.residualPositions(call, residual) : 1,
    };
    for (const [key, value] of Object.entries(geometry)) {
      operands[ConvolutionWord[key as keyof ConvolutionCall['geometry']]] = value;
    }
    return operands;
  }

  private residualPositions(call: ConvolutionCall, residual: Tensor): number {
    const positions = elementCount(residual.shape) / channelsOf(call.output.shape);
    if (!Number.isInteger(positions)) {
      throw new EngineError(
        `${call.name}: residual ${formatShape(residual.shape)} is not made of whole positions of ` +
          `${channelsOf(call.output.shape)} channels; give it the output's channels`,
      );
    }
    return positions;
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
    opcode: number,
    operands: Record<number, number>,
  ): Uint32Array {
    const words = new Uint32Array(Size.instruction / 4);
    words[0] = opcode;
    for (const [index, value] of Object.entries(operands)) words[Number(index)] = value;
    this.instructions.push({ name, kernel, method, words });
    this.feeder = undefined;
    return words;
  }

  expectOpen(user: string): void {
    this.engine.expectAlive(user);
    if (this.finished) throw new EngineError(`${user}: the recording is finished; start another with engine.record()`);
  }
}

/** The packing of rows of bytes that are followed by their tables. */
const byteTables = 'byte rows and tables';

/** Everything that decides how a weight array is packed. */
function packingKey(kind: string, call: ConvolutionCall): string {
  const { inputChannels, outputChannels, kernelHeight, kernelWidth } = call.geometry;
  return `${kind} ${inputChannels} ${outputChannels} ${kernelHeight} ${kernelWidth}`;
}
