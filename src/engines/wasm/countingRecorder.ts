/**
 * The recorder's part for calls that count: lays out counters and the tables that say which position is of which class, and appends the instructions of
 * `kernels/counting.ts`. All counters of a program lie in one piece, which is set to 0 before every run.
 */
import {
  checkCoincidenceCount,
  checkMarkNonZero,
  checkReach,
  checkSpikeCount,
  checkSpikeWeighing,
  classCountOf,
} from '../countingChecks.js';
import { EngineError } from '../errors.js';
import {
  type CoincidenceCountCall,
  type Counters,
  type CountingKernels,
  type MarkNonZeroCall,
  type MemoryBlock,
  type ReachCall,
  type SpikeCountCall,
  type SpikeWeighingCall,
  spikeWords,
  type Tensor,
} from '../kernels.js';
import { CountWord, Opcode } from './instructionSet.js';
import type { WasmBlock } from './memory.js';
import { SharedScratch } from './sharedScratch.js';

const counterBytes = 8;

/** Counters of one recording: how many bytes after the first counter they begin. */
export class WasmCounters implements Counters {
  constructor(
    readonly owner: WasmCounting,
    readonly byteOffset: number,
    readonly length: number,
  ) {}
}

/** What counting uses of the recorder. */
interface Recorder {
  allocate(byteLength: number): MemoryBlock;
  needScratch(byteLength: number): void;
  address(user: string, tensor: Tensor): number;
  append(name: string, kernel: string, method: string, opcode: number, operands: Record<number, number>): Uint32Array;
  expectOpen(user: string): void;
}

export class WasmCounting implements CountingKernels {
  private bytes = 0;
  private readonly region = new SharedScratch();
  private readonly tables: { readonly address: number; readonly values: Uint32Array }[] = [];

  constructor(private readonly recorder: Recorder) {}

  counters(length: number): Counters {
    this.recorder.expectOpen('counters');
    if (!Number.isSafeInteger(length) || length < 1)
      throw new EngineError(`counters: ${length} of them were asked for, expected a whole number of at least 1`);
    const counters = new WasmCounters(this, this.bytes, length);
    this.bytes += counterBytes * length;
    return counters;
  }

  countSpikes(call: SpikeCountCall): void {
    this.recorder.expectOpen(call.name);
    checkSpikeCount(call);
    const { timeSteps, images, channels, rowClasses, columnClasses } = call;
    const columnClassCount = classCountOf(columnClasses);
    const classCount = classCountOf(rowClasses) * columnClassCount;
    const words = spikeWords(channels);
    const runs = runsOf(columnClasses, words);
    this.recorder.needScratch(counterBytes * classCount);
    this.append(call, 'countSpikes', Opcode.countSpikes, {
      [CountWord.input]: this.recorder.address(call.name, call.input),
      [CountWord.tasks]: timeSteps * images * rowClasses.length,
      [CountWord.tasksPerStep]: images * rowClasses.length,
      [CountWord.words]: words,
      [CountWord.height]: rowClasses.length,
      [CountWord.width]: columnClasses.length,
      [CountWord.rowClasses]: this.table(rowClasses),
      [CountWord.runs]: this.table(runs),
      [CountWord.runCount]: runs.length / 2,
      [CountWord.columnClassCount]: columnClassCount,
      [CountWord.classCount]: classCount,
    });
  }

  weighSpikes(call: SpikeWeighingCall): void {
    this.recorder.expectOpen(call.name);
    checkSpikeWeighing(call);
    const { images, channels, classes, weights } = call;
    const classCount = classCountOf(classes);
    const listed = wordsWithWeights(weights, channels);
    // A weight of zero changes nothing.
    if (listed.length === 0) return;
    const order = Array.from(classes.keys()).sort((a, b) => classes[a]! - classes[b]! || a - b);
    const ends = new Array<number>(classCount).fill(0);
    for (const index of classes) for (let later = index; later < classCount; later++) ends[later]!++;
    this.append(call, 'weighSpikes', Opcode.weighSpikes, {
      [CountWord.input]: this.recorder.address(call.name, call.input),
      [CountWord.tasks]: images,
      [CountWord.words]: spikeWords(channels),
      [CountWord.height]: 1,
      [CountWord.width]: classes.length,
      [CountWord.classCount]: classCount,
      [CountWord.positions]: this.table(order),
      [CountWord.classEnds]: this.table(ends),
      [CountWord.weights]: this.table(weightsByWord(weights, channels, classCount, listed)),
      [CountWord.listedWords]: this.table(listed),
      [CountWord.listedWordCount]: listed.length,
    });
  }

  countCoincidences(call: CoincidenceCountCall): void {
    this.recorder.expectOpen(call.name);
    checkCoincidenceCount(call);
    const { timeSteps, tokens, channels, heads } = call;
    this.append(call, 'countCoincidences', Opcode.countCoincidences, {
      [CountWord.input]: this.recorder.address(call.name, call.one),
      [CountWord.second]: this.recorder.address(call.name, call.other),
      [CountWord.tasks]: timeSteps * tokens,
      [CountWord.tasksPerStep]: tokens,
      [CountWord.words]: spikeWords(channels),
      [CountWord.channels]: channels,
      [CountWord.heads]: heads,
    });
  }

  reach(call: ReachCall): void {
    this.recorder.expectOpen(call.name);
    checkReach(call);
    const { geometry: g } = call;
    const words = spikeWords(g.inputChannels);
    this.recorder.needScratch(4 * words * g.kernelHeight * (g.inputWidth + 2 * g.paddingWidth) + 16);
    this.recorder.append(call.name, 'reach', '', Opcode.reachSpikes, {
      [CountWord.input]: this.recorder.address(call.name, call.input),
      [CountWord.output]: this.recorder.address(call.name, call.output),
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
      [CountWord.masks]: this.table(repeatedMasks(call.masks, words)),
      [CountWord.maskStride]: words + 3,
    });
  }

  markNonZero(call: MarkNonZeroCall): void {
    this.recorder.expectOpen(call.name);
    checkMarkNonZero(call);
    this.recorder.append(call.name, 'markNonZero', '', Opcode.markNonZero, {
      [CountWord.input]: this.recorder.address(call.name, call.input),
      [CountWord.output]: this.recorder.address(call.name, call.output),
      [CountWord.tasks]: call.images,
      [CountWord.height]: 1,
      [CountWord.width]: call.positions,
      [CountWord.words]: spikeWords(call.channels),
      [CountWord.channels]: call.channels,
    });
  }

  /** Lays the counters out and says where they are; none when nothing counts. */
  close(): WasmBlock | undefined {
    if (this.bytes === 0) return undefined;
    const block = this.recorder.allocate(this.bytes) as WasmBlock;
    this.region.placeAt(block.address);
    for (const { address, values } of this.tables) block.memory.uint32(address, values.length).set(values);
    return block;
  }

  private append(
    call: { readonly name: string; readonly counters: Counters },
    kernel: string,
    opcode: number,
    operands: Record<number, number>,
  ): void {
    const { name, counters } = call;
    if (!(counters instanceof WasmCounters) || counters.owner !== this)
      throw new EngineError(`${name}: the counters are another recording's`);
    const words = this.recorder.append(name, kernel, '', opcode, {
      ...operands,
      [CountWord.output]: counters.byteOffset,
    });
    this.region.refer(words, CountWord.output);
  }

  /** Numbers that an instruction looks up, written when the recording is closed. */
  private table(values: ArrayLike<number>): number {
    const block = this.recorder.allocate(4 * values.length);
    const tensor: Tensor = { shape: [values.length], storage: 'real', block, byteOffset: 0 };
    const address = this.recorder.address('table', tensor);
    this.tables.push({ address, values: Uint32Array.from(values) });
    return address;
  }
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
