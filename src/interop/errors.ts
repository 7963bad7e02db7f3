import { MetaSpikeformerError, withoutControls } from '../errors.js';

/** A checkpoint file cannot be read, is refused, does not fit the network, or cannot be written. */
export class CheckpointError extends MetaSpikeformerError {}

/** A name from a file, fit for one line of a message: control characters escaped, long ones cut. */
export function printable(text: string): string {
  const line = withoutControls(text);
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
