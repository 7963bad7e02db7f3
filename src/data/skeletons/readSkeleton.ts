/** A sequence of skeletons out of the bytes of a file, whose format its content tells. Runs in a page too. */
import { DataError } from '../errors.js';
import { parseNtuText } from './ntuText.js';
import { parseNwUcla } from './nwUcla.js';
import type { SkeletonSample } from './preparations.js';

const [brace, zero, nine] = [0x7b, 0x30, 0x39];

/** @throws DataError naming the file when it is no sequence of skeletons. */
export function parseSkeletons(bytes: Uint8Array, name: string): SkeletonSample {
  const first = bytes.find((byte) => byte > 0x20 && byte !== 0xef && byte !== 0xbb && byte !== 0xbf);
  if (first === undefined) throw new DataError(`${name}: is empty; a sequence of skeletons was expected`);
  if (first === brace) return parseNwUcla(bytes, name);
  if (first >= zero && first <= nine) return parseNtuText(bytes, name);
  throw new DataError(
    `${name}: is no sequence of skeletons; expected JSON of NW-UCLA or the text of NTU RGB+D (.skeleton)`,
  );
}
