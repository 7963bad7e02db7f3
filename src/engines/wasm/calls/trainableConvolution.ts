/** Which instructions carry out a convolution with parameters that change. */
import type { ConvolutionGeometry, TrainableConvolutionCall } from '../../calls/convolution.js';
import { denseScratchBytes, planDense } from '../densePlan.js';
import { ConvolutionWord } from '../instructionSet.js';
import { Opcode } from '../opcodes.generated.js';
import { panelsLength, spikeRowsLength } from '../packing.js';
import type { Operands, Recording } from '../recording.js';
import { planSpikeConvolution, spikePlanOperands, tablePercentageOf, tablesAreUseful } from '../spikePlan.js';
import {
  depthwise,
  isDepthwise,
  multiply,
  packWeights,
  positionsOf,
  tapsOf,
  tensorOperands,
  turnAround,
} from '../trainingConvolutions.js';

export function trainableConvolution(recording: Recording, call: TrainableConvolutionCall): void {
  const { geometry, name, input, output } = call;
  const { constants } = recording.engine;
  const operands: Operands = {
    ...tensorOperands(recording, name, geometry, input, output),
    [ConvolutionWord.bias]: call.bias
      ? recording.address(name, call.bias)
      : constants.zeros(geometry.outputChannels, `the bias of ${name}`),
    [ConvolutionWord.residualPositions]: 1,
  };
  const weights = recording.address(name, call.weight);
  if (geometry.groups === 1 && input.storage === 'spikes') spikeForward(recording, name, geometry, operands, weights);
  else if (isDepthwise(geometry)) depthwise(recording, name, geometry, operands, weights, false);
  else if (isProduct(geometry) && !call.bias) productForward(recording, call, operands, weights);
  else if (geometry.groups === 1) denseForward(recording, name, geometry, operands, weights);
  else {
    recording.append(name, 'plainConvolution', input.storage, Opcode.plainConvolution, {
      ...operands,
      [ConvolutionWord.weights]: weights,
    });
  }
}

function spikeForward(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  weights: number,
): void {
  const tableBytes = 4 * (spikeRowsLength(geometry, true) - spikeRowsLength(geometry, false));
  const tables = tablesAreUseful(geometry, tableBytes, { images: geometry.images });
  const { threads, segmentBytes } = recording.engine;
  const plan = planSpikeConvolution(geometry, { tables, threads, segmentBytes });
  recording.needScratch(plan.scratchBytes);
  const layout: Operands = {
    [ConvolutionWord.tables]: tables ? tablePercentageOf(geometry) : 0,
    [ConvolutionWord.rowBytes]: plan.rowBytes,
    [ConvolutionWord.tapBytes]: plan.tapBytes,
    [ConvolutionWord.chunkBytes]: plan.chunkBytes,
  };
  packWeights(recording, name, Opcode.packSpikeRows, spikeRowsLength(geometry, tables), {
    ...operands,
    ...layout,
    [ConvolutionWord.weights]: weights,
  });
  const method = tables ? 'rows and tables' : 'rows';
  const words = recording.append(name, 'spikeConvolution', method, Opcode.spikeConvolution, {
    ...operands,
    ...layout,
    ...spikePlanOperands(plan),
  });
  recording.shared.refer(words, ConvolutionWord.weights);
}

function denseForward(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  weights: number,
): void {
  const rowBytes = tapsOf(geometry) * geometry.inputChannels * 4;
  const plan = planDense(positionsOf(geometry), rowBytes);
  recording.needScratch(denseScratchBytes(plan, rowBytes));
  packWeights(recording, name, Opcode.packPanels, panelsLength(geometry), {
    ...operands,
    [ConvolutionWord.weights]: weights,
  });
  const words = recording.append(name, 'denseConvolution', '4×8 tiles', Opcode.denseConvolution, {
    ...operands,
    [ConvolutionWord.blocks]: plan.blocks,
  });
  recording.shared.refer(words, ConvolutionWord.weights);
}

/** A plain product of matrices: the input gradient's kernel, with input and output exchanged. */
function productForward(
  recording: Recording,
  call: TrainableConvolutionCall,
  operands: Operands,
  weights: number,
): void {
  const { name, geometry } = call;
  packWeights(recording, name, Opcode.packPanels, panelsLength(geometry), {
    ...operands,
    [ConvolutionWord.weights]: weights,
  });
  const turned = turnAround(geometry);
  multiply(
    recording,
    name,
    'denseConvolution',
    turned,
    tensorOperands(recording, name, turned, call.input, call.output),
  );
}

function isProduct(g: ConvolutionGeometry): boolean {
  const taps = g.kernelHeight * g.kernelWidth * g.strideHeight * g.strideWidth;
  return g.groups === 1 && taps === 1 && g.paddingHeight + g.paddingWidth === 0;
}
