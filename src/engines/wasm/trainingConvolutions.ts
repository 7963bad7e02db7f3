/**
 * The convolution's three products for training as instructions: which kernel serves a geometry, how its work is cut up, and
 * the packing of weights before it. Weights are packed at every run into memory that all layers share, so packing and its
 * use follow each other directly. Nothing here depends on the number of threads but the forward kernel's blocks, whose sums
 * do not.
 */
import type { ConvolutionGeometry, Tensor } from '../kernels.js';
import type {
  ConvolutionInputGradientCall,
  ConvolutionWeightGradientCall,
  TrainableConvolutionCall,
} from '../trainingKernels.js';
import { denseScratchBytes, depthwiseScratchBytes, planDense } from './densePlan.js';
import { ConvolutionWord, Opcode, Width } from './instructionSet.js';
import { depthwiseLength, panelsLength, roundUp, spikeRowsLength } from './packing.js';
import type { WasmRecorder } from './recorder.js';
import type { SharedScratch } from './sharedScratch.js';
import { planSpikeConvolution, spikePlanOperands, tablePercentageOf, tablesAreUseful } from './spikePlan.js';
import { planSpikeWeightGradient } from './spikeWeightGradientPlan.js';
import { TrainingConvolutionWord, TrainingOpcode } from './trainingInstructionSet.js';

type Operands = Record<number, number>;

/** Patches that are copied at a time should fit the L2 cache beside a panel. */
const patchBytes = 256 * 1024;
const positionsPerDenseBlock = 128;
/** Numbers of a patch that a 4×8 tile goes through at a time: its panel then fits the L1 cache. */
const patchSlice = 512;
/** Transformed tiles and their products that are worked on at a time. */
const winogradBytes = 512 * 1024;
const winogradPositions = 36;
/** Parts with sums of their own: enough for several threads, in not too much memory. */
const mostParts = 8;
const mostPartialBytes = 64 * 2 ** 20;

export class TrainingConvolutions {
  constructor(
    private readonly recorder: WasmRecorder,
    private readonly shared: SharedScratch,
  ) {}

  forward(call: TrainableConvolutionCall): void {
    const { geometry, name, input, output } = call;
    const { constants } = this.recorder.engine;
    const operands: Operands = {
      ...this.operands(name, geometry, input, output),
      [ConvolutionWord.bias]: call.bias
        ? this.address(name, call.bias)
        : constants.zeros(geometry.outputChannels, `the bias of ${name}`),
      [ConvolutionWord.residualPositions]: 1,
    };
    const weights = this.address(name, call.weight);
    if (geometry.groups === 1 && input.storage === 'spikes') this.spikeForward(name, geometry, operands, weights);
    else if (isDepthwise(geometry)) this.depthwise(name, geometry, operands, weights, false);
    else if (isProduct(geometry) && !call.bias) this.productForward(call, operands, weights);
    else if (geometry.groups === 1) this.denseForward(name, geometry, operands, weights);
    else {
      this.recorder.append(name, 'plainConvolution', input.storage, Opcode.plainConvolution, {
        ...operands,
        [ConvolutionWord.weights]: weights,
      });
    }
  }

  inputGradient(call: ConvolutionInputGradientCall): void {
    const { name, geometry } = call;
    const operands: Operands = {
      ...this.operands(name, geometry, call.outputGradient, call.inputGradient),
      [TrainingConvolutionWord.accumulate]: call.accumulate ? 1 : 0,
      [ConvolutionWord.weights]: this.address(name, call.weight),
    };
    if (isDepthwise(geometry) && turnsAround(geometry)) this.depthwiseInputGradient(call);
    else if (isWinograd(geometry)) this.winogradInputGradient(name, geometry, operands);
    else if (geometry.groups === 1) this.denseInputGradient(name, geometry, operands);
    else this.recorder.append(name, 'inputGradient', 'plain', TrainingOpcode.plainInputGradient, operands);
  }

  weightGradient(call: ConvolutionWeightGradientCall): void {
    const { name, geometry, input } = call;
    const operands = this.operands(name, geometry, input, call.outputGradient);
    const target = this.address(name, call.weightGradient);
    if (isDepthwise(geometry)) this.depthwiseWeightGradient(name, geometry, operands, target);
    else if (geometry.groups === 1 && input.storage === 'spikes' && geometry.strideHeight * geometry.strideWidth === 1)
      this.spikeWeightGradient(name, geometry, operands, target);
    else if (geometry.groups === 1) this.denseWeightGradient(name, geometry, operands, target);
    else {
      this.recorder.append(name, 'weightGradient', 'plain', TrainingOpcode.plainWeightGradient, {
        ...operands,
        [TrainingConvolutionWord.packed]: target,
      });
    }
  }

  private spikeForward(name: string, geometry: ConvolutionGeometry, operands: Operands, weights: number): void {
    const tableBytes = 4 * (spikeRowsLength(geometry, true) - spikeRowsLength(geometry, false));
    const tables = tablesAreUseful(geometry, tableBytes, { images: geometry.images });
    const plan = planSpikeConvolution(geometry, { tables, threads: this.recorder.engine.threads });
    this.recorder.needScratch(plan.scratchBytes);
    const layout: Operands = {
      [ConvolutionWord.tables]: tables ? tablePercentageOf(geometry) : 0,
      [ConvolutionWord.rowBytes]: plan.rowBytes,
      [ConvolutionWord.tapBytes]: plan.tapBytes,
      [ConvolutionWord.chunkBytes]: plan.chunkBytes,
    };
    this.pack(name, TrainingOpcode.packSpikeRows, spikeRowsLength(geometry, tables), {
      ...operands,
      ...layout,
      [ConvolutionWord.weights]: weights,
    });
    const method = tables ? 'rows and tables' : 'rows';
    const words = this.recorder.append(name, 'spikeConvolution', method, Opcode.spikeConvolution, {
      ...operands,
      ...layout,
      ...spikePlanOperands(plan),
    });
    this.shared.refer(words, ConvolutionWord.weights);
  }

  private denseForward(name: string, geometry: ConvolutionGeometry, operands: Operands, weights: number): void {
    const rowBytes = tapsOf(geometry) * geometry.inputChannels * 4;
    const plan = planDense(positionsOf(geometry), rowBytes);
    this.recorder.needScratch(denseScratchBytes(plan, rowBytes));
    this.pack(name, TrainingOpcode.packPanels, panelsLength(geometry), {
      ...operands,
      [ConvolutionWord.weights]: weights,
    });
    const words = this.recorder.append(name, 'denseConvolution', '4×8 tiles', Opcode.denseConvolution, {
      ...operands,
      [ConvolutionWord.blocks]: plan.blocks,
    });
    this.shared.refer(words, ConvolutionWord.weights);
  }

  /** A plain product of matrices: the input gradient's kernel, with input and output exchanged. */
  private productForward(call: TrainableConvolutionCall, operands: Operands, weights: number): void {
    const { name, geometry } = call;
    this.pack(name, TrainingOpcode.packPanels, panelsLength(geometry), {
      ...operands,
      [ConvolutionWord.weights]: weights,
    });
    const turned = turnAround(geometry);
    this.multiply(name, 'denseConvolution', turned, this.operands(name, turned, call.input, call.output));
  }

  /** The forward kernel, also for the input gradient, whose kernel is turned around. */
  private depthwise(
    name: string,
    geometry: ConvolutionGeometry,
    operands: Operands,
    weights: number,
    turned: boolean,
  ): void {
    this.recorder.needScratch(depthwiseScratchBytes(geometry));
    this.pack(name, TrainingOpcode.packDepthwise, depthwiseLength(geometry), {
      ...operands,
      [ConvolutionWord.weights]: weights,
      [TrainingConvolutionWord.tapsPerSlice]: turned ? 1 : 0,
    });
    const kernel = turned ? 'inputGradient' : 'depthwiseConvolution';
    const words = this.recorder.append(name, kernel, 'depthwise', Opcode.depthwiseConvolution, operands);
    this.shared.refer(words, ConvolutionWord.weights);
  }

  private depthwiseInputGradient(call: ConvolutionInputGradientCall): void {
    const { name, geometry } = call;
    const turned = turnAround(geometry);
    const target = this.address(name, call.inputGradient);
    const operands: Operands = {
      ...this.operands(name, turned, call.outputGradient, call.inputGradient),
      [ConvolutionWord.bias]: this.recorder.engine.constants.zeros(geometry.inputChannels, `the bias of ${name}`),
      [ConvolutionWord.residual]: call.accumulate ? target : 0,
      [ConvolutionWord.residualPositions]: positionsOf(turned),
    };
    this.depthwise(name, turned, operands, this.address(name, call.weight), true);
  }

  private denseInputGradient(name: string, geometry: ConvolutionGeometry, operands: Operands): void {
    const { inputChannels, outputChannels } = geometry;
    const length = roundUp(inputChannels, Width.panel) * tapsOf(geometry) * outputChannels;
    this.pack(name, TrainingOpcode.packInputGradient, length, operands);
    this.multiply(name, 'inputGradient', geometry, operands);
  }

  /** In tiles of 6×6; see `kernels/trainingWinograd.ts`. */
  private winogradInputGradient(name: string, geometry: ConvolutionGeometry, operands: Operands): void {
    const { inputChannels, outputChannels } = geometry;
    const panelled = roundUp(inputChannels, Width.panel);
    const tileBytes = winogradPositions * 4 * (roundUp(outputChannels, 4) + panelled);
    const perBlock = Math.max(4, Math.min(64, 4 * Math.floor(winogradBytes / tileBytes / 4)));
    // The last products of a block may be of tiles that are not there: up to three rows are read beyond those written.
    this.recorder.needScratch(40 * 16 + 160 + 4 * roundUp(outputChannels, 16) + perBlock * tileBytes);
    this.pack(name, TrainingOpcode.packWinograd, winogradPositions * panelled * outputChannels, operands);
    const words = this.recorder.append(name, 'inputGradient', 'Winograd', TrainingOpcode.winogradInputGradient, {
      ...operands,
      [TrainingConvolutionWord.positionsPerBlock]: perBlock,
    });
    this.shared.refer(words, TrainingConvolutionWord.packed);
  }

  /** The product with packed transposed weights. */
  private multiply(name: string, kernel: string, geometry: ConvolutionGeometry, operands: Operands): void {
    const { inputChannels, outputChannels } = geometry;
    const tapsPerSlice = Math.max(1, Math.floor(patchSlice / outputChannels));
    const rowBytes = Math.min(tapsPerSlice, tapsOf(geometry)) * outputChannels * 4;
    const perBlock = Math.max(8, Math.min(positionsPerDenseBlock, 4 * Math.floor(patchBytes / rowBytes / 4)));
    const besides = 64 + 4 * (roundUp(outputChannels, 16) + roundUp(inputChannels, 16) + roundUp(perBlock + 3, 16));
    this.recorder.needScratch(besides + roundUp(perBlock, 4) * rowBytes);
    const words = this.recorder.append(name, kernel, '4×8 tiles', TrainingOpcode.inputGradient, {
      ...operands,
      [TrainingConvolutionWord.positionsPerBlock]: perBlock,
      [TrainingConvolutionWord.tapsPerSlice]: tapsPerSlice,
    });
    this.shared.refer(words, TrainingConvolutionWord.packed);
  }

  private denseWeightGradient(name: string, geometry: ConvolutionGeometry, operands: Operands, target: number): void {
    const elements = roundUp(tapsOf(geometry) * geometry.inputChannels, 4);
    const perBlock = Math.max(16, Math.min(256, Math.floor(patchBytes / (4 * elements))));
    this.recorder.needScratch(perBlock * Width.panel * 4 + elements * 4 + 64 + (elements / 4) * (perBlock * 16 + 64));
    const chunkBytes = elements * Width.panel * 4;
    const partBytes = Math.ceil(geometry.outputChannels / Width.panel) * chunkBytes;
    this.partialWeightGradient(name, '4×8 tiles', TrainingOpcode.denseWeightGradient, target, {
      ...operands,
      [TrainingConvolutionWord.parts]: partsOf(Math.ceil(positionsOf(geometry) / perBlock), partBytes),
      [TrainingConvolutionWord.partBytes]: partBytes,
      [TrainingConvolutionWord.chunkBytes]: chunkBytes,
      [TrainingConvolutionWord.width]: Width.panel,
      [TrainingConvolutionWord.positionsPerBlock]: perBlock,
    });
  }

  private spikeWeightGradient(name: string, geometry: ConvolutionGeometry, operands: Operands, target: number): void {
    const plan = planSpikeWeightGradient(geometry);
    const { rows } = plan;
    this.recorder.needScratch(plan.scratchBytes);
    this.partialWeightGradient(name, 'selections', TrainingOpcode.spikeWeightGradient, target, {
      ...operands,
      [ConvolutionWord.images]: rows.images,
      [ConvolutionWord.inputHeight]: rows.inputHeight,
      [ConvolutionWord.inputWidth]: rows.inputWidth,
      [ConvolutionWord.outputHeight]: rows.outputHeight,
      [ConvolutionWord.outputWidth]: rows.outputWidth,
      [TrainingConvolutionWord.inputPixels]: geometry.images * geometry.inputHeight * geometry.inputWidth,
      [TrainingConvolutionWord.outputPixels]: positionsOf(geometry),
      [TrainingConvolutionWord.unitRows]: plan.unitRows,
      [TrainingConvolutionWord.unitsPerImage]: plan.unitsPerImage,
      [TrainingConvolutionWord.unitsPerBlock]: plan.unitsPerBlock,
      [TrainingConvolutionWord.marginRows]: plan.marginRows,
      [TrainingConvolutionWord.startBytes]: plan.endBytes,
      [TrainingConvolutionWord.wordBytes]: plan.wordBytes,
      [TrainingConvolutionWord.listBytes]: plan.listBytes,
      [TrainingConvolutionWord.width]: plan.width,
      [TrainingConvolutionWord.chunkBytes]: plan.chunkBytes,
      [TrainingConvolutionWord.partBytes]: plan.partBytes,
      [TrainingConvolutionWord.parts]: partsOf(plan.blocks, plan.partBytes),
    });
  }

  /** A kernel that leaves partial sums, then their addition to the gradient. */
  private partialWeightGradient(
    name: string,
    method: string,
    opcode: TrainingOpcode,
    target: number,
    operands: Operands,
    addition: TrainingOpcode = TrainingOpcode.addWeightGradient,
  ): void {
    const { parts, partBytes, packed } = TrainingConvolutionWord;
    this.shared.need(operands[parts]! * operands[partBytes]!);
    this.shared.refer(this.recorder.append(name, 'weightGradient', method, opcode, operands), packed);
    const words = this.recorder.append(name, 'addWeightGradient', '', addition, {
      ...operands,
      [ConvolutionWord.output]: target,
    });
    this.shared.refer(words, packed);
  }

  private depthwiseWeightGradient(
    name: string,
    geometry: ConvolutionGeometry,
    operands: Operands,
    target: number,
  ): void {
    const { kernelHeight, inputWidth, paddingWidth, outputWidth, images } = geometry;
    const ringBytes = kernelHeight * (inputWidth + 2 * paddingWidth) * Width.depthwise * 4;
    this.recorder.needScratch(ringBytes + outputWidth * Width.depthwise * 4);
    const partBytes = depthwiseLength(geometry) * 4;
    this.partialWeightGradient(
      name,
      'depthwise',
      TrainingOpcode.depthwiseWeightGradient,
      target,
      {
        ...operands,
        [TrainingConvolutionWord.parts]: partsOf(images, partBytes),
        [TrainingConvolutionWord.partBytes]: partBytes,
      },
      TrainingOpcode.addDepthwiseWeightGradient,
    );
  }

  private pack(name: string, opcode: TrainingOpcode, length: number, operands: Operands): void {
    this.shared.need(length * 4);
    const words = this.recorder.append(name, 'pack', TrainingOpcode[opcode] ?? '', opcode, operands);
    this.shared.refer(words, TrainingConvolutionWord.packed);
  }

  /** Geometry, and the two tensors whose positions it relates: `input` and `output` of the instruction. */
  private operands(name: string, geometry: ConvolutionGeometry, input: Tensor, output: Tensor): Operands {
    const operands: Operands = {
      [ConvolutionWord.input]: this.address(name, input),
      [ConvolutionWord.output]: this.address(name, output),
      [ConvolutionWord.spikes]: input.storage === 'spikes' ? 1 : 0,
    };
    for (const [key, value] of Object.entries(geometry)) {
      operands[ConvolutionWord[key as keyof ConvolutionGeometry]] = value;
    }
    return operands;
  }

  private address(name: string, tensor: Tensor): number {
    return this.recorder.address(name, tensor);
  }
}

function tapsOf(geometry: ConvolutionGeometry): number {
  return geometry.kernelHeight * geometry.kernelWidth;
}

function positionsOf(geometry: ConvolutionGeometry): number {
  return geometry.images * geometry.outputHeight * geometry.outputWidth;
}

function partsOf(units: number, partBytes: number): number {
  return Math.max(1, Math.min(mostParts, units, Math.floor(mostPartialBytes / partBytes)));
}

function isDepthwise({ groups, inputChannels, outputChannels }: ConvolutionGeometry): boolean {
  return groups === inputChannels && groups === outputChannels && groups > 1;
}

/** 3×3 of stride 1, and large enough that tiles of 4×4 are not mostly border. */
function isWinograd(g: ConvolutionGeometry): boolean {
  const square = g.kernelHeight === 3 && g.kernelWidth === 3 && g.strideHeight * g.strideWidth === 1;
  return (
    square && g.groups === 1 && g.paddingHeight < 3 && g.paddingWidth < 3 && Math.min(g.inputHeight, g.inputWidth) >= 3
  );
}

function isProduct(g: ConvolutionGeometry): boolean {
  const taps = g.kernelHeight * g.kernelWidth * g.strideHeight * g.strideWidth;
  return g.groups === 1 && taps === 1 && g.paddingHeight + g.paddingWidth === 0;
}

/** Whether the input gradient is a convolution of its own: of stride 1, and with padding that is not negative. */
function turnsAround(g: ConvolutionGeometry): boolean {
  return g.strideHeight * g.strideWidth === 1 && g.paddingHeight < g.kernelHeight && g.paddingWidth < g.kernelWidth;
}

function turnAround(g: ConvolutionGeometry): ConvolutionGeometry {
  return {
    ...g,
    inputHeight: g.outputHeight,
    inputWidth: g.outputWidth,
    inputChannels: g.outputChannels,
    outputHeight: g.inputHeight,
    outputWidth: g.inputWidth,
    outputChannels: g.inputChannels,
    paddingHeight: g.kernelHeight - 1 - g.paddingHeight,
    paddingWidth: g.kernelWidth - 1 - g.paddingWidth,
  };
}
