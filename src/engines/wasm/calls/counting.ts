/** Instructions of the kernels that count: `kernels/counting.ts`. */
import type { CoincidenceCountCall } from '../../calls/countCoincidences.js';
import type { SpikeCountCall } from '../../calls/countSpikes.js';
import type { MarkNonZeroCall } from '../../calls/markNonZero.js';
import type { ReachCall } from '../../calls/reach.js';
import type { SpikeWeighingCall } from '../../calls/weighSpikes.js';
import { classCountOf } from '../../checks.js';
import { spikeWords } from '../../tensor.js';
import { counterBytes } from '../counters.js';
import { CountWord } from '../instructionSet.js';
import { Opcode } from '../opcodes.generated.js';
import type { Recording } from '../recording.js';

export function countSpikes(recording: Recording, call: SpikeCountCall): void {
  const { timeSteps, images, channels, rowClasses, columnClasses } = call;
  const columnClassCount = classCountOf(columnClasses);
  const classCount = classCountOf(rowClasses) * columnClassCount;
  const words = spikeWords(channels);
  const runs = runsOf(columnClasses, words);
  recording.needScratch(counterBytes * classCount);
  recording.counting.append(call, 'countSpikes', Opcode.countSpikes, {
    [CountWord.input]: recording.address(call.name, call.input),
    [CountWord.tasks]: timeSteps * images * rowClasses.length,
    [CountWord.tasksPerStep]: images * rowClasses.length,
    [CountWord.words]: words,
    [CountWord.height]: rowClasses.length,
    [CountWord.width]: columnClasses.length,
    [CountWord.rowClasses]: recording.counting.table(rowClasses),
    [CountWord.runs]: recording.counting.table(runs),
    [CountWord.runCount]: runs.length / 2,
    [CountWord.columnClassCount]: columnClassCount,
    [CountWord.classCount]: classCount,
  });
}

export function weighSpikes(recording: Recording, call: SpikeWeighingCall): void {
  const { images, channels, classes, weights } = call;
  const classCount = classCountOf(classes);
  const listed = wordsWithWeights(weights, channels);
  // A weight of zero changes nothing.
  if (listed.length === 0) return;
  const order = Array.from(classes.keys()).sort((a, b) => classes[a]! - classes[b]! || a - b);
  const ends = new Array<number>(classCount).fill(0);
  for (const index of classes) for (let later = index; later < classCount; later++) ends[later]!++;
  recording.counting.append(call, 'weighSpikes', Opcode.weighSpikes, {
    [CountWord.input]: recording.address(call.name, call.input),
    [CountWord.tasks]: images,
    [CountWord.words]: spikeWords(channels),
    [CountWord.height]: 1,
    [CountWord.width]: classes.length,
    [CountWord.classCount]: classCount,
    [CountWord.positions]: recording.counting.table(order),
    [CountWord.classEnds]: recording.counting.table(ends),
    [CountWord.weights]: recording.counting.table(weightsByWord(weights, channels, classCount, listed)),
    [CountWord.listedWords]: recording.counting.table(listed),
    [CountWord.listedWordCount]: listed.length,
  });
}

export function countCoincidences(recording: Recording, call: CoincidenceCountCall): void {
  const { timeSteps, tokens, channels, heads } = call;
  recording.counting.append(call, 'countCoincidences', Opcode.countCoincidences, {
    [CountWord.input]: recording.address(call.name, call.one),
    [CountWord.second]: recording.address(call.name, call.other),
    [CountWord.tasks]: timeSteps * tokens,
    [CountWord.tasksPerStep]: tokens,
    [CountWord.words]: spikeWords(channels),
    [CountWord.channels]: channels,
    [CountWord.heads]: heads,
  });
}

export function reach(recording: Recording, call: ReachCall): void {
  const { geometry: g } = call;
  const words = spikeWords(g.inputChannels);
  recording.needScratch(4 * words * g.kernelHeight * (g.inputWidth + 2 * g.paddingWidth) + 16);
  recording.append(call.name, 'reach', '', Opcode.reachSpikes, {
    [CountWord.input]: recording.address(call.name, call.input),
    [CountWord.output]: recording.address(call.name, call.output),
    [CountWord.tasks]: g.images,
    [CountWord.words]: words,
    [CountWord.height]: g.inputHeight,
    [CountWord.width]: g.inputWidth,
    [CountWord.outputHeight]: g.outputHeight,
    [CountWord.outputWidth]: g.outputWidth,
    [CountWord.kernelHeight]: g.kernelHeight,
    [CountWord.kernelWidth]: g.kernelWidth,
    [CountWord.strideHeight]: g.strideHeight,
    [CountWord.strideWidth]: g.strideWidth,
    [CountWord.paddingHeight]: g.paddingHeight,
    [CountWord.paddingWidth]: g.paddingWidth,
    [CountWord.masks]: recording.counting.table(repeatedMasks(call.masks, words)),
    [CountWord.maskStride]: words + 3,
  });
}

export function markNonZero(recording: Recording, call: MarkNonZeroCall): void {
  recording.append(call.name, 'markNonZero', '', Opcode.markNonZero, {
    [CountWord.input]: recording.address(call.name, call.input),
    [CountWord.output]: recording.address(call.name, call.output),
    [CountWord.tasks]: call.images,
    [CountWord.height]: 1,
    [CountWord.width]: call.positions,
    [CountWord.words]: spikeWords(call.channels),
    [CountWord.channels]: call.channels,
  });
}

/** Columns of one class side by side, as pairs of the class and the words that they have in a row. */
function runsOf(columnClasses: readonly number[], words: number): readonly number[] {
  const runs: number[] = [];
  for (const [column, index] of columnClasses.entries()) {
    if (column > 0 && columnClasses[column - 1] === index) runs[runs.length - 1]! += words;
    else runs.push(index, words);
  }
  return runs;
}

function wordsWithWeights(weights: Uint32Array, channels: number): readonly number[] {
  const found = new Set<number>();
  for (const [index, weight] of weights.entries()) if (weight !== 0) found.add((index % channels) >>> 5);
  return [...found].sort((a, b) => a - b);
}

/** `[listed word][class][32]`; channels beyond the last weigh nothing. */
function weightsByWord(
  weights: Uint32Array,
  channels: number,
  classCount: number,
  listed: readonly number[],
): Uint32Array {
  const result = new Uint32Array(listed.length * classCount * 32);
  for (const [place, word] of listed.entries())
    for (let index = 0; index < classCount; index++) {
      const first = index * channels + 32 * word;
      const end = index * channels + Math.min(channels, 32 * (word + 1));
      result.set(weights.subarray(first, end), (place * classCount + index) * 32);
    }
  return result;
}

/** Each tap's words and three more, the same from the beginning: any four in a row can be loaded. */
function repeatedMasks(masks: Uint32Array, words: number): Uint32Array {
  const stride = words + 3;
  return Uint32Array.from({ length: (masks.length / words) * stride }, (_, index) => {
    const tap = Math.floor(index / stride);
    return masks[tap * words + ((index % stride) % words)]!;
  });
}
