/** The photographs that come with the program: what commands take when no image is named. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Their paths, in the order of their names. */
export async function bundledPhotographs(): Promise<string[]> {
  const folder = fileURLToPath(new URL('../../assets/photographs', import.meta.url));
  const names = (await readdir(folder)).filter((name) => /\.jpg$/.test(name));
  return names.sort().map((name) => join(folder, name));
}
