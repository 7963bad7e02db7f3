/**
 * A recipe is everything that decides a training run, in one readable file: network, data, optimizer, schedule, loss, augmentation,
 * seed. The same recipe on the same data gives the same weights. Recipes come from outside and pass one schema.
 */
import { z } from 'zod';
import type { Protocol } from '../data/skeletons/protocols.js';
import { spaceAxes } from '../graph/graph.js';
import { type AnyAugmentation, type AnyInput, type AnyPreprocessing, inputOf } from '../modalities/inputs.js';
import { defaultModality, type ModalityName, modalityNames } from '../modalities/names.js';
import type { ConfigurationSchema, NetworkConfiguration } from '../models/architecture.js';
import {
  architectureNames,
  architectureOf,
  defaultArchitectureName,
  graphOf,
  type NetworkDescription,
} from '../models/registry.js';
import { type AnyMetric, defaultTask, taskNamed } from '../tasks/registry.js';
import { TrainingError } from './errors.js';
import { clipped, plainCopy } from './plainData.js';
import { misfit, problemsIn, type RecipeDraft, type RecipeProblem } from './recipeProblems.js';
import { lossSchemaOf, recipeSchema, recipeSchemaOf } from './recipeSchema.js';
import { assign, parseAssignments } from './settings.js';

/** A recipe as its schema gives it, defaults filled in. */
export type ParsedRecipe = z.output<typeof recipeSchema>;

/** A network's configuration, and which architecture's it is; without a name Meta-SpikeFormer's. */
export interface RecipeModel extends NetworkConfiguration {
  readonly architecture?: string;
}

export interface Recipe extends Omit<ParsedRecipe, 'model' | 'data' | 'augmentation'> {
  readonly model: RecipeModel;
  readonly data: ParsedRecipe['data'] & DataReading;
  readonly augmentation: AnyAugmentation;
}

/** What only some modalities' recipes say of how their data is read. */
export interface DataReading {
  /** Seconds of the clips that long recordings are cut into. */
  readonly clip?: number | undefined;
  /** How a data set that is published with several divisions is divided. */
  readonly protocol?: Protocol | undefined;
}

/** What goes into the network that a recipe trains. */
export function recipeInput({ data }: { readonly data: { readonly modality?: ModalityName | undefined } }): AnyInput {
  return inputOf(data.modality);
}

/** What the recipe asks of the reading of its data, as far as it says something. */
export function recipeReading({ data = {} }: PartialRecipe): object {
  const fields = Object.keys(inputOf(data.modality).reading);
  const said = fields.map((field) => [field, Reflect.get(data, field) as unknown] as const);
  return Object.fromEntries(said.filter(([, value]) => value !== undefined));
}

/** How good a network is at what the recipe asks of it. */
export function metricOf({ task, model }: Pick<Recipe, 'task' | 'model'>): AnyMetric {
  return taskNamed(task).metric(model);
}

/** The network that a recipe trains. */
export function recipeNetwork({
  model,
  task,
}: Pick<Recipe, 'model' | 'task'>): Required<NetworkDescription> & { readonly task: string } {
  const { architecture = defaultArchitectureName, ...configuration } = model;
  return { architecture, configuration, task };
}

/** How samples become input in a part of a run. */
export interface Phase {
  readonly preprocessing: AnyPreprocessing;
  readonly augmentation: AnyAugmentation;
}

/** The phase of an epoch, counted from 0: one of `smallerFirst`, or the recipe's own. Equal phases are the same object. */
export function phasesOf(recipe: Recipe): (epoch: number) => Phase {
  const whole = { preprocessing: recipe.data.preprocessing, augmentation: recipe.augmentation };
  let end = 0;
  const smaller = recipe.smallerFirst.map(({ epochs, imageSize, augmentation = recipe.augmentation }) => {
    end += epochs;
    const preprocessing = recipeInput(recipe).resized(whole.preprocessing, imageSize) as AnyPreprocessing;
    return { end, phase: { preprocessing, augmentation } };
  });
  return (epoch) => smaller.find((part) => epoch < part.end)?.phase ?? whole;
}

/** What may be known of a recipe that is not right as a whole. */
export type PartialRecipe = { readonly [Key in Exclude<keyof Recipe, 'model' | 'data'>]?: Recipe[Key] | undefined } & {
  readonly model?: Known<Recipe['model']>;
  readonly data?: Known<Recipe['data']>;
};

type Known<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** @throws TrainingError naming every field that is wrong, and the setting that made it so. */
export function parseRecipe(value: unknown, source: string): Recipe {
  return recipeOf({ source, value: plainCopy(value, source) as Record<string, unknown>, assignments: [] });
}

/** @throws TrainingError as `parseRecipe`. */
export function recipeOf(draft: RecipeDraft): Recipe {
  const { recipe, problems } = checkRecipe(draft.value);
  if (recipe === undefined || problems.length > 0) throw misfit(draft, problems);
  return recipe;
}

/** Fields whose content has a schema that depends on the rest of the recipe. */
const ownSchemas: ReadonlySet<string> = new Set(['model', 'loss']);

/** All that is wrong with a recipe by itself. */
export function checkRecipe(value: unknown): {
  readonly recipe?: Recipe;
  readonly partial: PartialRecipe;
  readonly problems: readonly RecipeProblem[];
} {
  const written = isRecord(value) ? value : {};
  const modality = modalityIn(written);
  const ownSchema = recipeSchemaOf(modality);
  const parsed = ownSchema.safeParse(value);
  const { architecture, schema, model } = modelIn(written, modality);
  const network = schema.safeParse(model);
  const task = z.safeParse(recipeSchema.shape.task, written.task).data ?? defaultTask;
  const loss = lossSchemaOf(taskNamed(task)).prefault({}).safeParse(written.loss);
  const problems = [
    // What the network is and what its loss says, their own schemas know better.
    ...(parsed.success ? [] : problemsIn(parsed.error, [], written)).filter(({ path }) => !ownSchemas.has(path[0]!)),
    ...(loss.success ? [] : problemsIn(loss.error, ['loss'], written.loss)),
    ...unknownArchitecture(architecture),
    ...(network.success ? [] : problemsIn(network.error, ['model'], model)),
    ...(network.success ? spaceProblems(architecture, network.data, modality, written.data) : []),
  ];
  const partial = {
    ...knownFields(ownSchema, written),
    data: knownFields(ownSchema.shape.data, written.data),
    model: { distillation: false, ...knownFields(schema, model) },
    loss: loss.data,
  } as PartialRecipe;
  const contradictions = contradictionsOf(partial);
  if (!parsed.success || !network.success || !loss.success || problems.length > 0 || contradictions.length > 0)
    return { partial, problems: [...problems, ...contradictions] };
  // The default is left unsaid: recipes from before the names are the same recipes.
  const named = architecture === defaultArchitectureName ? {} : { architecture: architecture as string };
  return { recipe: { ...parsed.data, model: { ...named, ...network.data }, loss: loss.data }, partial, problems: [] };
}

interface WrittenModel {
  readonly architecture: unknown;
  /** Of that architecture, or where there is none of the default one. */
  readonly schema: ConfigurationSchema<NetworkConfiguration>;
  /** Without the name of the architecture. */
  readonly model: unknown;
}

function modelIn({ model, data }: Record<string, unknown>, modality: ModalityName): WrittenModel {
  if (!isRecord(model)) return { architecture: defaultArchitectureName, schema: architectureOf({}).schema, model };
  const { architecture = defaultArchitectureName, ...configuration } = model;
  const known = architectureNames().find((name) => name === architecture);
  const { schema } = architectureOf({ architecture: known });
  return { architecture, schema, model: { ...impliedBy(data, modality, schema), ...configuration } };
}

/** What the preprocessing says of the network by itself: its channels, as many time steps as there are frames, its joints. */
function impliedBy(
  data: unknown,
  modality: ModalityName,
  { shape }: ConfigurationSchema<NetworkConfiguration>,
): Readonly<Record<string, number>> {
  const input = inputOf(modality);
  const preprocessing = input.preprocessing.safeParse(isRecord(data) ? data.preprocessing : undefined);
  if (!preprocessing.success) return {};
  const { channels, frames } = input.shapeOf(preprocessing.data);
  const own = Object.entries(input.implies?.(preprocessing.data) ?? {}).filter(([field]) => field in shape);
  return {
    inputChannels: channels,
    ...(frames === undefined ? {} : { timeSteps: frames }),
    ...Object.fromEntries(own),
  };
}

/** The default where what is written is none: then the schema says so. */
function modalityIn({ data }: Record<string, unknown>): ModalityName {
  return modalityNames.find((name) => isRecord(data) && name === data.modality) ?? defaultModality;
}

function unknownArchitecture(architecture: unknown): RecipeProblem[] {
  const names = architectureNames();
  if (names.some((name) => name === architecture)) return [];
  const found = clipped(String(architecture));
  const message = `recipe is wrong at model.architecture: found ${found}, expected ${names.join(' or ')}`;
  return [{ path: ['model', 'architecture'], message }];
}

/** Images have height and width, skeletons are rows of joints: a network takes the one or the other. */
function spaceProblems(
  architecture: unknown,
  configuration: NetworkConfiguration,
  modality: ModalityName,
  data: unknown,
): RecipeProblem[] {
  if (unknownArchitecture(architecture).length > 0) return [];
  const input = inputOf(modality);
  const preprocessing = input.preprocessing.safeParse(isRecord(data) ? data.preprocessing : undefined);
  if (!preprocessing.success) return [];
  const graph = graphOf({ architecture: architecture as string, configuration });
  const { places } = input.shapeOf(preprocessing.data);
  if (spaceAxes(graph) !== places.length) {
    const taken = spaceAxes(graph) === 1 ? 'rows of joints' : 'images or frames';
    const message = `recipe is wrong at model.architecture: ${architecture} takes ${taken}; a recipe for ${input.noun}s needs another architecture`;
    return [{ path: ['model', 'architecture'], message }];
  }
  if (graph.rowLength === undefined || graph.rowLength === places[0]) return [];
  const message = `recipe is wrong at model.joints: the network takes ${graph.rowLength} joints in a row, the preprocessing makes ${places[0]}; leave model.joints and model.bodies out`;
  return [{ path: ['model', 'joints'], message }];
}

/** The fields that are right by themselves. */
function knownFields(
  { shape }: { readonly shape: Readonly<Record<string, z.ZodType>> },
  value: unknown,
): Record<string, unknown> {
  const written = isRecord(value) ? value : {};
  return Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, z.safeParse(schema, written[key]).data]),
  );
}

/** Whether samples of a batch are mixed (mixup, CutMix), in one phase at least. */
export function mixesSamples({
  augmentation,
  smallerFirst,
  data,
}: {
  readonly augmentation?: PartialRecipe['augmentation'];
  readonly smallerFirst?: PartialRecipe['smallerFirst'];
  readonly data?: PartialRecipe['data'];
}): boolean {
  const input = inputOf(data?.modality);
  const parts = [augmentation, ...(smallerFirst ?? []).map((part) => part.augmentation)];
  return parts.some((part) => part && input.mixes(part));
}

function contradictionsOf(recipe: PartialRecipe): RecipeProblem[] {
  const { task, model, loss } = recipe;
  const own = [
    ...framesContradiction(recipe),
    ...decayContradiction(recipe),
    ...stemContradiction(recipe),
    ...roundingContradiction(recipe),
  ];
  if (!task || !loss) return own;
  return [...own, ...taskNamed(task).contradictions(loss, { model, mixes: mixesSamples(recipe) })];
}

/** Frames come one for each time step, or there is one for all of them. */
function framesContradiction({ model, data }: PartialRecipe): RecipeProblem[] {
  if (!data?.preprocessing || model?.timeSteps === undefined) return [];
  const { frames = model.timeSteps } = inputOf(data.modality).shapeOf(data.preprocessing);
  if (frames === model.timeSteps) return [];
  const message = `the network has ${model.timeSteps} time steps, the preprocessing makes ${frames} frames; set both timeSteps and data.preprocessing.timeSteps, or leave model.timeSteps out`;
  return [{ path: ['model', 'timeSteps'], message }];
}

/** A decay that nothing reads would be one that is missed. */
function decayContradiction({ schedule }: PartialRecipe): RecipeProblem[] {
  if (!schedule || schedule.kind === 'warmUpStableDecay') return [];
  const field = (['decayEpochs', 'decay'] as const).find((name) => schedule[name] !== undefined);
  if (field === undefined) return [];
  const message = `schedule.${field} is of the kind warmUpStableDecay, not ${schedule.kind}; set schedule.kind=warmUpStableDecay or leave it out`;
  return [{ path: ['schedule', field], message }];
}

/** The stem follows from images, for a network whose weights do not come from elsewhere. */
function stemContradiction({ whitenedStem, finetune, data }: PartialRecipe): RecipeProblem[] {
  if (!whitenedStem) return [];
  const path = ['whitenedStem'];
  if (inputOf(data?.modality).name !== defaultModality)
    return [{ path, message: `whitenedStem looks at images, not at ${data!.modality}; leave it out` }];
  if (finetune === null || finetune === undefined) return [];
  return [{ path, message: 'whitenedStem would replace what finetune brings; leave one of them out' }];
}

/** Weights are rounded where spikes feed them. */
function roundingContradiction({ roundedWeights, model }: PartialRecipe): RecipeProblem[] {
  if (!roundedWeights || model?.neuron !== 'relu') return [];
  const message = 'roundedWeights rounds weights that spikes feed; a network of relu neurons has none, leave it out';
  return [{ path: ['roundedWeights'], message }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Changes a recipe as written, before it is parsed: `schedule.learningRate=0.002`, `timeSteps=4`. A name that is not in the recipe but in
 * its network goes there. Values are JSON, or else text.
 *
 * @throws TrainingError for an assignment that is none.
 */
export function withSettings(recipe: unknown, assignments: readonly string[]): unknown {
  return draftOf(recipe, 'recipe', assignments).value;
}

/** @throws TrainingError for a recipe that is no plain object and for assignments that are none, all of them at once. */
export function draftOf(recipe: unknown, source: string, settings: readonly string[]): RecipeDraft {
  const value = plainCopy(recipe, source);
  if (!isRecord(value))
    throw new TrainingError(`${source}: expected a JSON object, like the recipes that come with the program`);
  const assignments = parseAssignments(settings, Object.keys(recipeSchema.shape));
  for (const assignment of assignments) assign(value, assignment);
  return { source, value, assignments };
}
