/** Two neighbouring axes change places (`src/engines/calls/swapAxes.ts`). */
import { claimStart } from './threads';

enum Word {
  input = 1,
  output,
  outer,
  first,
  second,
  inner,
}

/** Tasks are rows of the output that are written in one piece, of which the input has parts here and there. */
export function swapAxes(instruction: usize, from: u32, until: u32): void {
  const firsts = load<u32>(instruction + Word.first * 4);
  const seconds = load<u32>(instruction + Word.second * 4);
  const innerBytes: usize = load<u32>(instruction + Word.inner * 4) * 4;
  const tasks = load<u32>(instruction + Word.outer * 4) * seconds;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const outer = task / seconds;
    let input: usize =
      load<u32>(instruction + Word.input * 4) + (outer * firsts * seconds + (task % seconds)) * innerBytes;
    let output: usize = load<u32>(instruction + Word.output * 4) + task * firsts * innerBytes;
    for (let first: u32 = 0; first < firsts; first++) {
      if (innerBytes == 4) store<u32>(output, load<u32>(input));
      else memory.copy(output, input, innerBytes);
      input += seconds * innerBytes;
      output += innerBytes;
    }
  }
}
