// @ts-check
/**
 * One hash for the content of many files: the build is stale when the hash differs from the one it was made from.
 * Content and not modification times, because a checkout or a copy gives every file a new time and the same content.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Hashes the names and contents of `paths` (files, or folders with everything below them). A path that does not exist
 * counts as such: it makes another hash than an empty file.
 *
 * @param {string} root folder that the paths are relative to
 * @param {readonly string[]} paths
 * @returns {string} SHA-256, hexadecimal
 */
export function fingerprint(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((entry) => filesBelow(root, entry))) {
    const content = readIfPresent(join(root, path));
    hash.update(`${path}\0${content === undefined ? 'absent' : content.length}\0`);
    if (content !== undefined) hash.update(content);
  }
  return hash.digest('hex');
}

/**
 * The files below `path`, in an order that does not depend on the file system, with `/` between folders.
 *
 * @param {string} root
 * @param {string} path
 * @returns {string[]} relative to `root`; `[path]` when it is a file or absent
 */
export function filesBelow(root, path) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (!found?.isDirectory()) return [path];
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesBelow(root, `${path}/${name}`));
}

/**
 * @param {string} path
 * @returns {Buffer | undefined} undefined when there is no such file
 */
export function readIfPresent(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
