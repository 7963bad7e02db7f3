/**
 * Where the large golden files are that do not travel with the repository: the folder named by META_SPIKEFORMER_SHARED, else
 * `shared` beside the repository. Tests that need them skip when they are absent.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const root = process.env.META_SPIKEFORMER_SHARED ?? join(dirname(repository), 'shared');

/** The path inside the shared folder, or undefined when there is nothing. */
export function sharedPath(...parts: readonly string[]): string | undefined {
  const path = join(root, ...parts);
  return existsSync(path) ? path : undefined;
}
