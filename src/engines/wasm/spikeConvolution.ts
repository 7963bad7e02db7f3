/** Instructions of convolutions fed by spikes: rows of weights, and of precomputed sums, which are added up. */
import type { ConvolutionCall } from '../calls/convolution.js';
import { convolutionOperands, packingKey, wantsBytes } from './convolutionOperands.js';
import { ConvolutionWord } from './instructionSet.js';
import { Opcode } from './opcodes.generated.js';
import { byteRows, floatRows, packByteRows, packSpikeRows, type RowFormat, spikeRowsLength } from './packing.js';
import { quantiseWeights, quantiseWeightsAndSums, type SpikeWeights, scalesLength } from './quantise.js';
import type { Recording } from './recording.js';
import {
  leastRateForByteTables,
  planSpikeConvolution,
  type SpikePlan,
  spikePlanOperands,
  tablePercentageOf,
  tablesAreUseful,
} from './spikePlan.js';

/** The packing of rows of bytes that are followed by their tables. */
const byteTables = 'byte rows and tables';

export function spikeConvolution(recording: Recording, call: ConvolutionCall): void {
  const { geometry, weight, name } = call;
  const { constants, threads, segmentBytes } = recording.engine;
  const byBytes = wantsBytes(recording, geometry);
  const format = byBytes ? byteRows : floatRows;
  const tables = byBytes ? wantsByteTables(recording, call) : wantsTables(recording, call, floatRows, 'tables');
  const options = { tables, threads, segmentBytes, format, mayShareLists: true };
  const plan = planSpikeConvolution(geometry, options);
  recording.needScratch(plan.scratchBytes);
  const rows = byBytes
    ? packedByteRows(recording, call, tables)
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
    ...convolutionOperands(recording, call, rows.weights),
    ...rows.operands,
    ...spikePlanOperands(plan),
    [ConvolutionWord.tables]: tables ? tablePercentageOf(geometry) : 0,
  };
  if (plan.sharedListBytes > 0) appendLists(recording, call, plan, operands);
  const words = recording.append(name, 'spikeConvolution', method, Opcode.spikeConvolution, operands);
  if (plan.sharedListBytes > 0) recording.sharedLists.refer(words, ConvolutionWord.lists);
  recording.feeder = { call, words, replan: (timeSteps) => planSpikeConvolution(geometry, { ...options, timeSteps }) };
}

/** Has the lists of a convolution made by an instruction of their own, unless those of the convolution before on the same spikes are the same. */
function appendLists(
  recording: Recording,
  call: ConvolutionCall,
  plan: SpikePlan,
  operands: Record<number, number>,
): void {
  const { outputChannels, ...geometry } = call.geometry;
  const { rowBytes, tapBytes, single, table } = plan;
  const cut = JSON.stringify([geometry, rowBytes, tapBytes, single, table]);
  const { listed } = recording;
  const address = recording.address(call.name, call.input);
  if (listed?.cut === cut && recording.address(call.name, listed.input) === address) return;
  recording.listed = { input: call.input, cut };
  recording.sharedLists.need(plan.sharedListBytes);
  const words = recording.append(call.name, 'spikeLists', '', Opcode.spikeLists, operands);
  recording.sharedLists.refer(words, ConvolutionWord.lists);
}

/** Rows of bytes, with or without tables, and their scales. */
function packedByteRows(
  recording: Recording,
  call: ConvolutionCall,
  tables: boolean,
): { weights: number; operands: Record<number, number> } {
  const { geometry, weight, name } = call;
  const { constants } = recording.engine;
  const length = spikeRowsLength(geometry, tables, byteRows);
  const kind = tables ? byteTables : 'byte rows';
  // Both of what is packed below are made of it, or neither.
  let rounded: SpikeWeights | undefined;
  const quantised = () => {
    rounded ??= tables ? roundedWithSums(recording, call)! : quantiseWeights(weight, geometry);
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
function wantsByteTables(recording: Recording, call: ConvolutionCall): boolean {
  if ((call.firingRate ?? 0) < leastRateForByteTables) return false;
  return roundedWithSums(recording, call) !== undefined && wantsTables(recording, call, byteRows, byteTables);
}

/** Asked for when tables are chosen, and again when they are packed. */
function roundedWithSums(recording: Recording, { weight, geometry }: ConvolutionCall): SpikeWeights | undefined {
  if (recording.lastRounded?.weight !== weight)
    recording.lastRounded = { weight, rounded: quantiseWeightsAndSums(weight, geometry) };
  return recording.lastRounded.rounded;
}

/** Tables must be useful and, unless another program has them already, within the engine's budget. What other programs have does not make them useful: sums would depend on it. */
function wantsTables(recording: Recording, call: ConvolutionCall, format: RowFormat, packing: string): boolean {
  const { geometry, firingRate, weight } = call;
  const { constants } = recording.engine;
  const numbers = spikeRowsLength(geometry, true, format) - spikeRowsLength(geometry, false, format);
  const bytes = format.bytesPerNumber * numbers;
  if (!tablesAreUseful(geometry, bytes, firingRate === undefined ? {} : { firingRate })) return false;
  return constants.has(weight, packingKey(packing, call)) || constants.reserveTables(bytes);
}
