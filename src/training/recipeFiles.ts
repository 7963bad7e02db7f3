/** Recipes by name (those that ship) or by path, read and checked. */
import { readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { reasonOf } from '../interop/fileReasons.js';
import { TrainingError } from './errors.js';
import { draftOf, type Recipe, recipeOf } from './recipe.js';
import { withoutComments } from './recipeComments.js';
import type { RecipeDraft } from './recipeProblems.js';

/** A recipe is a page of text. */
const largestRecipe = 1_000_000;

/** Asked for only when it is needed: a bundle may have no address of its own. */
const folder = () => fileURLToPath(new URL('../../recipes/', import.meta.url));

export function recipeNames(): readonly string[] {
  return readdirSync(folder())
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/**
 * @param nameOrPath A shipped recipe's name, or a file; a run's own `recipe.json` is one too.
 * @param assignments `key=value` on top, as `withSettings` takes them.
 * @throws TrainingError when there is no such recipe or it is wrong, naming everything that is.
 */
export async function openRecipe(nameOrPath: string, assignments: readonly string[]): Promise<Recipe> {
  return recipeOf(await draftRecipe(nameOrPath, assignments));
}

/** As `openRecipe`, but only read: what is wrong with it can then be said together with what does not fit the data. */
export async function draftRecipe(nameOrPath: string, assignments: readonly string[]): Promise<RecipeDraft> {
  const shipped = recipeNames().includes(nameOrPath);
  const path = shipped ? `${folder()}${nameOrPath}.json` : nameOrPath;
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile()) {
    throw new TrainingError(`recipe ${nameOrPath}: is not a file but a folder or a device; name a JSON file`);
  }
  if (found === undefined) {
    throw new TrainingError(
      `recipe ${nameOrPath}: there is no such recipe and no such file; the program comes with ${recipeNames().join(', ')}`,
    );
  }
  if (found.size > largestRecipe)
    throw new TrainingError(`${path}: has ${found.size} bytes; a recipe is a small JSON file`);
  const { run: _provenance, ...recipe } = parseJson(await readText(path), path);
  return draftOf(recipe, path, assignments);
}

/** Without the byte order mark that editors on Windows put before a text, and JSON does not have. */
async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder().decode(await readFile(path));
  } catch (cause) {
    throw new TrainingError(`${path}: cannot be read: ${reasonOf(cause as Error)}`, { cause });
  }
}

function parseJson(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(withoutComments(text));
  } catch (cause) {
    throw new TrainingError(`${path}: is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TrainingError(`${path}: expected a JSON object, like the recipes that come with the program`);
  }
  return value as Record<string, unknown>;
}
