/** Hamming's distance of one binary descriptor from many (`src/engines/calls/spikeDistances.ts`): an XOR and a count for 64 neurons. */
import { claimStart } from './threads';

enum Word {
  gallery = 1,
  query,
  output,
  rows,
  channels,
}

/** Tasks are rows. */
export function spikeDistances(instruction: usize, from: u32, until: u32): void {
  const rows = load<u32>(instruction + Word.rows * 4);
  const rowBytes: usize = ((load<u32>(instruction + Word.channels * 4) + 31) >>> 5) << 2;
  const query: usize = load<u32>(instruction + Word.query * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const last = claimStart(rows, until);
  for (let row: usize = claimStart(rows, from); row < last; row++) {
    const gallery: usize = load<u32>(instruction + Word.gallery * 4) + row * rowBytes;
    let distance: u64 = 0;
    let at: usize = 0;
    for (; at + 8 <= rowBytes; at += 8) distance += popcnt(load<u64>(gallery + at) ^ load<u64>(query + at));
    if (at < rowBytes) distance += popcnt(load<u32>(gallery + at) ^ load<u32>(query + at));
    store<f32>(output + (row << 2), <f32>distance);
  }
}
