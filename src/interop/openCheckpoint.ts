/**
 * Opens a checkpoint of any supported format, told apart by its first bytes; the file's name does not matter. A file that is
 * something else gets a message that says what it looks like.
 */
import type { Checkpoint } from './checkpoint.js';
import { CheckpointError } from './errors.js';
import { openPthLegacy, openPthZip } from './pth.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { openSafetensors } from './safetensors.js';
import { isShardIndex } from './shardedCheckpoint.js';

const HEAD_BYTES = 512;

/**
 * Opens a checkpoint: every dictionary of tensors in it, under any key. Optimizer, schedulers, arguments and objects of unknown classes are
 * skipped. Nothing in the file is executed. The file stays open until `close()`; when this throws, closing it is the caller's business.
 *
 * @throws CheckpointError when the file is no checkpoint, damaged, truncated, or refused as hostile.
 */
export async function openCheckpoint(file: RandomAccessFile): Promise<Checkpoint> {
  if (file.size === 0) throw new CheckpointError(`${file.name}: is empty (0 bytes); download or copy it again`);
  const head = await file.read(0, Math.min(HEAD_BYTES, file.size));
  if (startsWith(head, 'PK\x03\x04')) return openPthZip(file);
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return openPthLegacy(file);
  if (looksLikeSafetensors(head)) return openSafetensors(file);
  if (isShardIndex(file.name)) {
    throw new CheckpointError(
      `${file.name}: is the index of a checkpoint in several files, which only Node can open, by its path; join the parts into one file`,
    );
  }
  const known = KNOWN_STRANGERS.find(({ matches }) => matches(head));
  if (known !== undefined) throw new CheckpointError(`${file.name}: ${known.message}`);
  throw new CheckpointError(
    `${file.name}: is not a checkpoint: it begins like neither a PyTorch nor a safetensors file; name a .pth or .safetensors file`,
  );
}

function looksLikeSafetensors(head: Uint8Array): boolean {
  // A header of 16 MB and more would make the fourth byte of its length non-zero; 100 MB is the limit, 0x05f5e100.
  return head.length > 8 && head[8] === 0x7b && head[3]! <= 5 && head.subarray(4, 8).every((byte) => byte === 0);
}

interface Stranger {
  matches(head: Uint8Array): boolean;
  readonly message: string;
}

/** What people give by mistake, most telling first. */
const KNOWN_STRANGERS: readonly Stranger[] = [
  {
    matches: (head) => /^\s*<(!doctype|html|head|body|\?xml|!--)/i.test(textOf(head)),
    message:
      'looks like an HTML page: the download probably failed (a page that asks for confirmation or a login was saved instead); download the file in a browser and check its size',
  },
  {
    matches: (head) => startsWith(head, 'version https://git-lfs'),
    message: 'is a Git LFS pointer, not the file itself; run "git lfs pull" or download the file',
  },
  { matches: (head) => startsWith(head, '\x89PNG'), message: image('PNG') },
  { matches: (head) => startsWith(head, '\xff\xd8\xff'), message: image('JPEG') },
  { matches: (head) => startsWith(head, 'GIF8'), message: image('GIF') },
  { matches: (head) => startsWith(head, 'RIFF') && textOf(head).slice(8, 12) === 'WEBP', message: image('WebP') },
  {
    matches: (head) => startsWith(head, 'PK\x05\x06'),
    message: 'is an empty zip archive; name a .pth or .safetensors file',
  },
  { matches: (head) => startsWith(head, '\x1f\x8b'), message: packed('gzip') },
  { matches: (head) => startsWith(head, 'BZh'), message: packed('bzip2') },
  { matches: (head) => startsWith(head, '\xfd7zXZ'), message: packed('xz') },
  { matches: (head) => startsWith(head, '\x28\xb5\x2f\xfd'), message: packed('zstd') },
  { matches: (head) => textOf(head).slice(257, 262) === 'ustar', message: packed('tar') },
  {
    matches: (head) => startsWith(head, '\x89HDF'),
    message: 'is an HDF5 file (Keras or NIR), not a PyTorch or safetensors checkpoint; convert it first',
  },
  {
    matches: (head) => startsWith(head, '\x93NUMPY'),
    message: 'is a NumPy array, not a checkpoint; name a .pth or .safetensors file',
  },
  {
    matches: (head) => /^\s*[{[]/.test(textOf(head)),
    message: 'is a JSON text, not a checkpoint; name a .pth or .safetensors file',
  },
  {
    matches: (head) => head.every((byte) => byte === 0),
    message: 'begins with zeros only: the download or copy was not completed; download or copy it again',
  },
];

function image(kind: string): string {
  return `is a ${kind} image, not a checkpoint; name a .pth or .safetensors file (and give the image as the image)`;
}

function packed(kind: string): string {
  return `is a ${kind} archive; unpack it and name the checkpoint inside`;
}

function startsWith(head: Uint8Array, signature: string): boolean {
  return textOf(head.subarray(0, signature.length)) === signature;
}

/** Byte for byte, so that offsets in the text are offsets in the file. */
function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
