/** A gate of spikes and its gradient (`src/engines/calls/gate.ts`). Bound by memory: one AND for 128 neurons. */
import { claimStart } from './threads';
import { loadLanes, spikeMask, storeLanes } from './vectors';

enum Word {
  input = 1,
  gate,
  output,
  images,
  tokens,
  channels,
}

enum GradientWord {
  input = 1,
  gate,
  outputGradient,
  inputGradient,
  gateGradient,
  images,
  tokens,
  channels,
}

/** Tasks are tokens of all images. */
export function gate(instruction: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + Word.tokens * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const rowBytes: usize = ((channels + 31) >>> 5) << 2;
  const tasks = load<u32>(instruction + Word.images * 4) * tokens;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const input: usize = load<u32>(instruction + Word.input * 4) + task * rowBytes;
    const gates: usize = load<u32>(instruction + Word.gate * 4) + (task / tokens) * rowBytes;
    const output: usize = load<u32>(instruction + Word.output * 4) + task * rowBytes;
    let at: usize = 0;
    for (; at + 16 <= rowBytes; at += 16) v128.store(output + at, v128.and(v128.load(input + at), v128.load(gates + at)));
    for (; at < rowBytes; at += 4) store<u32>(output + at, load<u32>(input + at) & load<u32>(gates + at));
  }
}

/** Tasks are cache lines of channels of an image; sums go over the tokens in order, whatever the number of threads. */
export function gateGradient(instruction: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + GradientWord.tokens * 4);
  const channels = load<u32>(instruction + GradientWord.channels * 4);
  const rowBytes: usize = ((channels + 31) >>> 5) << 2;
  const lines = (channels + 15) >>> 4;
  const tasks = load<u32>(instruction + GradientWord.images * 4) * lines;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const image = task / lines;
    const firstChannel = (task % lines) << 4;
    const lastChannel = min<u32>(channels, firstChannel + 16);
    for (let channel = firstChannel; channel < lastChannel; channel += 4) {
      const lanes = lastChannel - channel;
      const word: usize = (channel >>> 5) << 2;
      const open = spikeMask(load<u32>(load<u32>(instruction + GradientWord.gate * 4) + image * rowBytes + word), channel);
      let input: usize = load<u32>(instruction + GradientWord.input * 4) + image * tokens * rowBytes + word;
      const offset: usize = (image * tokens * channels + channel) * 4;
      let arriving: usize = load<u32>(instruction + GradientWord.outputGradient * 4) + offset;
      let inputGradient: usize = load<u32>(instruction + GradientWord.inputGradient * 4) + offset;
      let sum = f32x4.splat(0);
      for (let token: u32 = 0; token < tokens; token++) {
        const gradient = loadLanes(arriving, lanes);
        sum = f32x4.add(sum, v128.and(gradient, spikeMask(load<u32>(input), channel)));
        storeLanes(inputGradient, v128.and(gradient, open), lanes);
        input += rowBytes;
        arriving += channels * 4;
        inputGradient += channels * 4;
      }
      const gateGradients: usize = load<u32>(instruction + GradientWord.gateGradient * 4);
      storeLanes(gateGradients + (image * channels + channel) * 4, sum, lanes);
    }
  }
}
