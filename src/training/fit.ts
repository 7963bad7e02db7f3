/** Whether a recipe and a data set fit each other: everything that does not, at once, before anything runs. */
import type { AnyDataset } from '../data/datasets/dataset.js';
import { targetKindOf } from '../data/targets/registry.js';
import { inputOf } from '../modalities/inputs.js';
import { defaultTask, taskNamed } from '../tasks/registry.js';
import type { PartialRecipe } from './recipe.js';
import type { RecipeProblem } from './recipeProblems.js';

/** @param recipe As much of it as is known to be right by itself. */
export function dataProblems(recipe: PartialRecipe, dataset: AnyDataset): RecipeProblem[] {
  return [...networkProblems(recipe, dataset), ...batchProblems(recipe, dataset)];
}

function networkProblems(
  { task = defaultTask, model, data }: PartialRecipe,
  { name, modality, noun, targets }: AnyDataset,
): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const { names, called, unfit, numbersAreFree = false } = taskNamed(task).targets;
  const answers = names(targets).length;
  const misfit = model && unfit?.(targets, model);
  if (misfit) problems.push({ path: misfit.path, message: `${name}: ${misfit.message}` });
  if (!numbersAreFree && model?.classes !== undefined && model.classes !== answers) {
    const message = `${name}: has ${answers} ${called}, but the recipe's network has ${model.classes}; set classes=${answers}`;
    problems.push({ path: ['model', 'classes'], message });
  }
  const asked = inputOf(data?.modality);
  if (asked.name !== modality) {
    const message = `${name}: holds ${noun}s, but the recipe is for ${asked.noun}s; set data.modality=${modality} and its preprocessing, or choose other data`;
    problems.push({ path: ['data', 'modality'], message });
  }
  const channels = data?.preprocessing && asked.shapeOf(data.preprocessing).channels;
  if (model?.inputChannels !== undefined && channels !== undefined && model.inputChannels !== channels) {
    const message = `the network takes ${model.inputChannels} input channels, ${asked.noun}s are given to it in ${channels}; set inputChannels=${channels} or leave it out`;
    problems.push({ path: ['model', 'inputChannels'], message });
  }
  return problems;
}

function batchProblems(
  { data, batchSize, accumulate }: PartialRecipe,
  { name, size, noun, targets }: AnyDataset,
): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const held = heldOut(data?.holdOut ?? 0, size);
  if (held === undefined) {
    const message = `cannot hold out ${data!.holdOut} of the ${size} ${noun}s of ${name}; set data.holdOut to 0, a share below 1, or a whole number that leaves some`;
    problems.push({ path: ['data', 'holdOut'], message });
  }
  const misfit = batchSize === undefined ? undefined : targetKindOf(targets).unfitBatch?.(targets, batchSize);
  if (misfit !== undefined) problems.push({ path: ['batchSize'], message: `${name}: ${misfit}` });
  return batchSize === undefined
    ? problems
    : [...problems, ...tooLarge(batchSize, accumulate, held ?? 0, { name, size, noun })];
}

function tooLarge(
  batchSize: number,
  accumulate: number | undefined,
  held: number,
  { name, size, noun }: Pick<AnyDataset, 'name' | 'size' | 'noun'>,
): RecipeProblem[] {
  const left = size - held;
  const without = held > 0 ? ` (without ${held} held out)` : '';
  const batches = Math.floor(left / batchSize);
  if (batches === 0) {
    const message = `${name}${without} has ${left} ${noun}s, too few for one batch of ${batchSize}; set batchSize=${left} or less`;
    return [{ path: ['batchSize'], message }];
  }
  if (accumulate !== undefined && accumulate > batches) {
    const message = `${accumulate} batches to accumulate, but an epoch has ${batches}; set accumulate=${batches} or less, or a smaller batchSize`;
    return [{ path: ['accumulate'], message }];
  }
  return [];
}

/** How many samples `holdOut` sets aside; undefined when it cannot. */
function heldOut(amount: number, size: number): number | undefined {
  if (amount === 0) return 0;
  const count = amount < 1 ? Math.round(amount * size) : amount;
  return Number.isSafeInteger(count) && count >= 1 && count < size ? count : undefined;
}
