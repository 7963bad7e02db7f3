/** A model as commands load it: with what `tune` measured for it, if anything. */
import { choicesFolder, savedChoices } from '../library/choices.js';
import type { Model } from '../library/model.js';
import type { Io } from './io.js';

/** Gives the model the forms that were measured for it. */
export async function applyChoices(io: Io, model: Model): Promise<void> {
  const folder = choicesFolder(io.environment);
  const choices = folder === undefined ? undefined : await savedChoices(folder, model);
  if (!choices) return;
  const forms = new Map(choices.layers.map(({ layer, form }) => [layer, form]));
  await model.chooseForms(forms, new Map(choices.neurons.map(({ layer, firingRate }) => [layer, firingRate])));
}
