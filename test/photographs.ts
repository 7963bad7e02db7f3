/** Photographs for tests: those that come with the program, and more that show nothing the default model knows (test/fixtures/photographs). */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a photograph by its name, such as `cat` or `rocket`. @throws Error when there is none. */
export function photographPath(name: string): string {
  for (const folder of ['../assets/photographs', './fixtures/photographs']) {
    const path = fileURLToPath(new URL(`${folder}/${name}.jpg`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(`there is no photograph ${name}.jpg, neither in assets/photographs nor in test/fixtures/photographs`);
}
