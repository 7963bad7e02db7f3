import { MetaSpikeformerError } from '../errors.js';

/** A checkpoint file cannot be read, is refused, does not fit the network, or cannot be written. */
export class CheckpointError extends MetaSpikeformerError {}

/** A name from a file, fit for one line of a message: control characters escaped, long ones cut. */
export function printable(text: string): string {
  const line = text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
