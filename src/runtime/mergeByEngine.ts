/**
 * Merges RepConvs with an engine's dense kernel instead of plain loops: 9·C³ multiplications for each take half a minute in
 * JavaScript for the 31M network (33 s) and 2 s in the engine. Sums are float32, as they are when the layers run one after the other; an
 * engine with 16-bit weights, which rounds merged kernels to 8 bits afterwards, may round here to 13.
 */
import type { Engine, Kernels, Tensor } from '../engines/kernels.js';
import { findRepConvs, type MergedRepConv, mergeFirstHalf, type RepConv } from './passes/mergeRepConv.js';
import { type Network, parameterOf } from './passes/pass.js';

const taps = 9;

/**
 * @param folded The network with its batch norms folded, and no more done to it.
 * @param names Of the RepConvs to be merged; names that are not there are left out.
 */
export async function mergeByEngine(
  engine: Engine,
  folded: Network,
  names: ReadonlySet<string>,
): Promise<Map<string, MergedRepConv>> {
  const merged = new Map<string, MergedRepConv>();
  for (const repConv of findRepConvs(folded.graph))
    if (names.has(repConv.name)) merged.set(repConv.name, await mergeOne(engine, folded, repConv));
  return merged;
}

/** `w[p, i, k] = Σₒ w2[p, o] · w[o, i, k]`: a 1×1 convolution over 9·C "pixels", one for every input channel and tap. */
async function mergeOne(engine: Engine, network: Network, repConv: RepConv): Promise<MergedRepConv> {
  const { pointwise2, channels } = repConv;
  const first = mergeFirstHalf(network, repConv);
  const weight2 = parameterOf(network.parameters, `${pointwise2.parameterPrefix}.weight`);
  const bias2 = parameterOf(network.parameters, `${pointwise2.parameterPrefix}.bias`);
  const pixels = channels * taps;
  const kernels = engine.record();
  const tensor = (): Tensor => realTensor(kernels, [1, 1, 1, pixels, channels]);
  const [input, output] = [tensor(), tensor()];
  kernels.convolution({
    name: repConv.name,
    geometry: {
      images: 1,
      inputHeight: 1,
      inputWidth: pixels,
      inputChannels: channels,
      outputHeight: 1,
      outputWidth: pixels,
      outputChannels: channels,
      kernelHeight: 1,
      kernelWidth: 1,
      strideHeight: 1,
      strideWidth: 1,
      paddingHeight: 0,
      paddingWidth: 0,
      groups: 1,
    },
    input,
    output,
    weight: weight2,
  });
  const program = kernels.finish();
  try {
    await program.write(input, transposed(first.weight, channels, pixels));
    await program.run();
    const weight = transposed(await program.read(output), pixels, channels);
    const bias = bias2.map((own, p) => {
      let sum = own;
      for (let o = 0; o < channels; o++) sum += weight2[p * channels + o]! * first.bias[o]!;
      return sum;
    });
    return { weight, bias };
  } finally {
    program.dispose();
  }
}

function realTensor(kernels: Kernels, shape: readonly number[]): Tensor {
  const block = kernels.allocate(4 * shape.reduce((a, b) => a * b));
  return { shape, storage: 'real', block, byteOffset: 0 };
}

/** Strips of so many rows are walked column by column, so that both sides stay in the cache. */
const strip = 16;

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let top = 0; top < rows; top += strip) {
    const bottom = Math.min(rows, top + strip);
    for (let column = 0; column < columns; column++) {
      let from = top * columns + column;
      for (let row = top; row < bottom; row++) {
        result[column * rows + row] = matrix[from]!;
        from += columns;
      }
    }
  }
  return result;
}
