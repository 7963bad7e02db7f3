/** The photographs that come with the program: what commands take when no image is named. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { defaultModality, type ModalityName } from '../modalities/names.js';

/**
 * Their paths, in the order of their names.
 *
 * @throws UsageError for a model that photographs say nothing to.
 */
export async function bundledPhotographs({ modality }: { readonly modality: ModalityName }): Promise<string[]> {
  if (modality !== defaultModality)
    throw new UsageError(
      `this model takes ${modality}, not the photographs that come with the program; name some ${modality}`,
    );
  const folder = fileURLToPath(new URL('../../assets/photographs', import.meta.url));
  const names = (await readdir(folder)).filter((name) => /\.jpg$/.test(name));
  return names.sort().map((name) => join(folder, name));
}
