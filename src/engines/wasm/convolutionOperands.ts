/** What the instructions of all convolutions with constant parameters share. */
import { channelsOf, elementCount, formatShape } from '../../graph/shape.js';
import type { ConvolutionCall } from '../calls/convolution.js';
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { ConvolutionWord } from './instructionSet.js';
import type { Operands, Recording } from './recording.js';

/** Per image: what an image is answered does not depend on the batch it is in. */
const leastPositionsForBytes = 16;

export function convolutionOperands(recording: Recording, call: ConvolutionCall, weights: number): Operands {
  const { name, geometry, bias, residual } = call;
  const { constants } = recording.engine;
  const purpose = `the bias of ${name}`;
  const operands: Operands = {
    [ConvolutionWord.input]: recording.address(name, call.input),
    [ConvolutionWord.output]: recording.address(name, call.output),
    [ConvolutionWord.weights]: weights,
    [ConvolutionWord.bias]: bias
      ? constants.perChannel(bias, purpose)
      : constants.zeros(geometry.outputChannels, purpose),
    [ConvolutionWord.spikes]: call.input.storage === 'spikes' ? 1 : 0,
    [ConvolutionWord.residual]: residual ? recording.address(name, residual) : 0,
    [ConvolutionWord.residualPositions]: residual ? residualPositions(call, residual) : 1,
  };
  for (const [key, value] of Object.entries(geometry)) {
    operands[ConvolutionWord[key as keyof ConvolutionCall['geometry']]] = value;
  }
  return operands;
}

function residualPositions(call: ConvolutionCall, residual: Tensor): number {
  const positions = elementCount(residual.shape) / channelsOf(call.output.shape);
  if (!Number.isInteger(positions)) {
    throw new EngineError(
      `${call.name}: residual ${formatShape(residual.shape)} is not made of whole positions of ` +
        `${channelsOf(call.output.shape)} channels; give it the output's channels`,
    );
  }
  return positions;
}

/** Few positions (the head's, one per image) gain nothing from short rows, and scores should be exact. */
export function wantsBytes(recording: Recording, { outputHeight, outputWidth }: ConvolutionCall['geometry']): boolean {
  return recording.engine.precision === 'i16' && outputHeight * outputWidth >= leastPositionsForBytes;
}

/** Everything that decides how a weight array is packed. */
export function packingKey(kind: string, call: ConvolutionCall): string {
  const { inputChannels, outputChannels, kernelHeight, kernelWidth } = call.geometry;
  return `${kind} ${inputChannels} ${outputChannels} ${kernelHeight} ${kernelWidth}`;
}
