/** A model as commands load it: with what `tune` measured for it, if anything. */
import { choicesFolder, formsOf, ratesOf, savedChoices } from '../api/choices.js';
import type { Model } from '../api/model.js';
import type { Io } from './io.js';
import { oneLine } from './text.js';

/** Gives the model the forms that were measured for it; a file that does not fit is as good as none, and named. */
export async function applyChoices(io: Io, model: Model): Promise<void> {
  const folder = choicesFolder(io.environment);
  const kept = folder === undefined ? undefined : await savedChoices(folder, model);
  if (!kept) return;
  if ('choices' in kept) await model.chooseForms(formsOf(kept.choices), ratesOf(kept.choices));
  else {
    io.stderr.write(`note: ${oneLine(`${kept.file}: ${kept.unusable}`)}; ignored: run tune again, or tune --forget\n`);
  }
}
