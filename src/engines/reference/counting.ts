/** The reference engine's counting: plain loops over every neuron. Counters are arrays that a program sets to 0 when it starts. */
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
  type ReachCall,
  type SpikeCountCall,
  type SpikeWeighingCall,
  spikeWords,
} from '../kernels.js';
import { realView, spikeView } from './memory.js';

export class ReferenceCounters implements Counters {
  readonly values: Float64Array;

  constructor(readonly length: number) {
    this.values = new Float64Array(length);
  }
}

/** The counters' numbers. @throws EngineError for counters of another recording. */
export function countersOf(user: string, counters: Counters, own: readonly ReferenceCounters[]): Float64Array {
  const found = own.find((known) => known === counters);
  if (!found) throw new EngineError(`${user}: the counters are another recording's`);
  return found.values;
}

export class ReferenceCounting implements CountingKernels {
  readonly all: ReferenceCounters[] = [];

  /** @param record Takes what a call does when the program runs; throws when the recording is over. */
  constructor(private readonly record: (name: string, step: () => void) => void) {}

  counters(length: number): Counters {
    const counters = new ReferenceCounters(length);
    this.all.push(counters);
    return counters;
  }

  countSpikes(call: SpikeCountCall): void {
    checkSpikeCount(call);
    const { name, timeSteps, images, channels, rowClasses, columnClasses } = call;
    const words = spikeView(name, call.input);
    const counters = countersOf(name, call.counters, this.all);
    const columns = classCountOf(columnClasses);
    const classes = classCountOf(rowClasses) * columns;
    this.record(name, () => {
      let position = 0;
      for (let step = 0; step < timeSteps; step++)
        for (let image = 0; image < images; image++)
          for (const row of rowClasses)
            for (const column of columnClasses) {
              for (let channel = 0; channel < channels; channel++)
                counters[step * classes + row * columns + column]! += spikeAt(words, position, channel, channels);
              position++;
            }
    });
  }

  weighSpikes(call: SpikeWeighingCall): void {
    checkSpikeWeighing(call);
    const { name, images, channels, classes, weights } = call;
    const words = spikeView(name, call.input);
    const counters = countersOf(name, call.counters, this.all);
    this.record(name, () => {
      for (let image = 0; image < images; image++)
        for (const [position, index] of classes.entries())
          for (let channel = 0; channel < channels; channel++)
            counters[0]! +=
              spikeAt(words, image * classes.length + position, channel, channels) *
              weights[index * channels + channel]!;
    });
  }

  countCoincidences(call: CoincidenceCountCall): void {
    checkCoincidenceCount(call);
    const { name, timeSteps, tokens, channels, heads } = call;
    const [one, other] = [spikeView(name, call.one), spikeView(name, call.other)];
    const counters = countersOf(name, call.counters, this.all);
    const width = channels / heads;
    this.record(name, () => {
      for (let token = 0; token < timeSteps * tokens; token++)
        for (let first = 0; first < channels; first += width)
          for (let a = first; a < first + width; a++)
            for (let b = first; b < first + width; b++)
              counters[Math.floor(token / tokens)]! +=
                spikeAt(one, token, a, channels) * spikeAt(other, token, b, channels);
    });
  }

  reach(call: ReachCall): void {
    checkReach(call);
    const { name, geometry: g, masks } = call;
    const { inputChannels: channels } = g;
    const [input, output] = [spikeView(name, call.input), spikeView(name, call.output)];
    const perPixel = spikeWords(channels);
    const reached = (image: number, outputY: number, outputX: number, channel: number): boolean => {
      for (let ky = 0; ky < g.kernelHeight; ky++)
        for (let kx = 0; kx < g.kernelWidth; kx++) {
          const y = outputY * g.strideHeight - g.paddingHeight + ky;
          const x = outputX * g.strideWidth - g.paddingWidth + kx;
          if (y < 0 || y >= g.inputHeight || x < 0 || x >= g.inputWidth) continue;
          const position = (image * g.inputHeight + y) * g.inputWidth + x;
          const hasWeight = spikeAt(masks, ky * g.kernelWidth + kx, channel, channels) === 1;
          if (hasWeight && spikeAt(input, position, channel, channels) === 1) return true;
        }
      return false;
    };
    this.record(name, () => {
      output.fill(0);
      let position = 0;
      for (let image = 0; image < g.images; image++)
        for (let y = 0; y < g.outputHeight; y++)
          for (let x = 0; x < g.outputWidth; x++, position++)
            for (let channel = 0; channel < channels; channel++)
              if (reached(image, y, x, channel)) output[position * perPixel + (channel >>> 5)]! |= 1 << (channel & 31);
    });
  }

  markNonZero(call: MarkNonZeroCall): void {
    checkMarkNonZero(call);
    const { name, images, positions, channels } = call;
    const input = realView(name, call.input);
    const output = spikeView(name, call.output);
    const perPixel = spikeWords(channels);
    this.record(name, () => {
      output.fill(0);
      for (let position = 0; position < images * positions; position++)
        for (let channel = 0; channel < channels; channel++)
          if (input[position * channels + channel] !== 0)
            output[position * perPixel + (channel >>> 5)]! |= 1 << (channel & 31);
    });
  }
}

/** 1 or 0. */
function spikeAt(words: Uint32Array, position: number, channel: number, channels: number): number {
  return (words[position * spikeWords(channels) + (channel >>> 5)]! >>> (channel & 31)) & 1;
}
