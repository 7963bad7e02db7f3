/**
 * Which of the tensors in a checkpoint are the weights: finds the architecture's parameters under whatever wrappers and modules put in front of
 * their names, in every dictionary of the file, and says which other sets there are. Takes what the authors' scripts would evaluate: raw
 * weights before averaged ones, and those before a teacher's.
 */
import type { Shape } from '../graph/shape.js';
import type { ParameterNames } from '../models/architecture.js';
import { architectureNames, architectureOf } from '../models/registry.js';
import type { Checkpoint, TensorSet } from './checkpoint.js';

/** Tensors of a file that are, by their names, parameters of a network. */
export interface WeightSet {
  /** The architecture that has parameters of these names. */
  readonly architecture: string;
  /** What a person calls it: its keys and module, such as `model_ema`; `.` for the file's own dictionary. */
  readonly name: string;
  readonly set: TensorSet;
  /** By the parameter's name in the authors' `state_dict`. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** By the same name, for what cannot be read. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** From the parameter's name to its name in `set`. */
  readonly places: ReadonlyMap<string, string>;
}

type Places = ReadonlyMap<string, string>;

/** An architecture's names, ready to be looked for. */
interface Vocabulary extends Pick<ParameterNames, 'anchor' | 'head'> {
  readonly architecture: string;
  /** A parameter's name behind anything: the architecture's own modules begin it. */
  readonly ownModule: RegExp;
}

function vocabularyOf(architecture: string): Vocabulary {
  const { anchor, head, modules } = architectureOf({ architecture }).parameterNames;
  return { architecture, anchor, head, ownModule: new RegExp(`(?:^|\\.)((?:${modules.source})\\..+)$`) };
}

/** What compilers and shardings put anywhere into a name. */
const TRANSPARENT = /(^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.)+/g;
/** What profilers leave beside every module's parameters, and what only the module itself can read. */
const PROFILE = /(^|\.)(?:total_(?:ops|params)|_extra_state)$/;

/** First parts of names that wrappers, losses and metrics leave beside a network's own; nothing flows through them. */
const STRAY =
  /^(?:n_averaged|num_updates|decay|initted|_?step|epoch|global_(?:step|iter)|iter|iteration|lr|seed|version|best_.*|class_weights?|pos_weight|device_indicator|_?dummy(?:_param)?|loss.*|crit)$|(?:^|_)(?:loss|losses|criterion|criteria|metrics?|acc|accuracy|top[15]|auroc|auc|f1|precision|recall|confmat|teacher|ema|swa|mixup|cutmix|optimizer|scheduler|scaler)(?:_|$|\d)|(?:Loss|Metrics?|Acc|Accuracy|Criterion)$/;

const AVERAGED = /(?:^|[._])(?:ema\d*|swa|avg|average|averaged|averages|shadow|polyak)(?:[._]|$)|Ema$|EMA/;
const ANOTHER = /(?:^|[._])(?:teacher|momentum|target|frozen|old|initial|init|encoder_k)(?:[._]|$)/;
const PREFERRED = ['model', 'state_dict', 'model_state_dict'];

/** More than this many copies of one architecture are no training state. */
const MOST_SETS = 64;

/**
 * Every set of weights in the file, the one that is taken unless another is asked for first.
 *
 * @param architectures The architectures whose parameters are looked for; by default all.
 */
export function weightSetsOf(
  { sets }: Pick<Checkpoint, 'sets'>,
  architectures: readonly string[] = architectureNames(),
): readonly WeightSet[] {
  const vocabularies = architectures.map(vocabularyOf);
  const found: WeightSet[] = [];
  for (const set of sets) {
    for (const weights of vocabularies.flatMap((vocabulary) => weightsIn(set, vocabulary))) {
      if (found.length < MOST_SETS) found.push(weights);
    }
  }
  const order = new Map(found.map((weights, index) => [weights, index]));
  return distinct(found).sort((a, b) => rankOf(a.name) - rankOf(b.name) || order.get(a)! - order.get(b)!);
}

/** Names are for choosing by: of two that are alike the later ones are numbered. */
function distinct(found: WeightSet[]): WeightSet[] {
  const count = new Map<string, number>();
  for (const [index, weights] of found.entries()) {
    const times = (count.get(weights.name) ?? 0) + 1;
    count.set(weights.name, times);
    if (times > 1) found[index] = { ...weights, name: `${weights.name}#${times}` };
  }
  return found;
}

function rankOf(name: string): number {
  if (ANOTHER.test(name)) return 300;
  if (AVERAGED.test(name)) return 200;
  const parts = name.split('.');
  const preferred = PREFERRED.findIndex((key) => parts.includes(key));
  const own = name === '.' ? PREFERRED.length : PREFERRED.length + parts.length;
  return preferred < 0 ? own : preferred;
}

/** A name in the file, taken apart. */
interface Place {
  readonly prefix: string;
  readonly parameter: string;
}

function weightsIn(set: TensorSet, vocabulary: Vocabulary): WeightSet[] {
  const all = [...set.shapes.keys(), ...set.unreadable.keys()];
  const groups = new Map<string, Map<string, string>>();
  const strays: (readonly [string, string])[] = [];
  for (const name of all) {
    const plain = name.replace(TRANSPARENT, '$1');
    if (PROFILE.test(plain)) continue;
    const place = placeOf(plain, vocabulary);
    if (place === undefined) strays.push([plain, name]);
    else groupOf(groups, place.prefix).set(place.parameter, name);
  }
  const anchored: [string, Map<string, string>][] = [];
  for (const [prefix, places] of groups) {
    if ([...places.keys()].some((name) => vocabulary.anchor.test(name))) anchored.push([prefix, places]);
    else for (const [parameter, name] of places) strays.push([prefix + parameter, name]);
  }
  for (const [prefix] of anchored) groups.delete(prefix);
  return anchored.slice(0, MOST_SETS).map(([prefix, places]) => {
    adoptHead(groups, prefix, places, vocabulary);
    for (const [plain, name] of strays) {
      if (!plain.startsWith(prefix)) continue;
      const rest = plain.slice(prefix.length);
      if (!STRAY.test(rest.split('.', 1)[0]!)) places.set(rest, name);
    }
    return weightSet(set, prefix, places, vocabulary);
  });
}

/** A program that puts its own head on a backbone has the head beside it: `model.backbone.…` and `model.head.weight`. */
function adoptHead(
  groups: ReadonlyMap<string, Places>,
  prefix: string,
  places: Map<string, string>,
  { head }: Vocabulary,
): void {
  if ([...places.keys()].some((name) => head.test(name))) return;
  let nearest: readonly [string, Places] | undefined;
  for (const group of groups) {
    const encloses = prefix.startsWith(group[0]) && [...group[1].keys()].some((name) => head.test(name));
    if (encloses && group[0].length >= (nearest?.[0].length ?? 0)) nearest = group;
  }
  for (const [parameter, name] of nearest?.[1] ?? []) if (head.test(parameter)) places.set(parameter, name);
}

function placeOf(name: string, { ownModule }: Vocabulary): Place | undefined {
  const parameter = ownModule.exec(name)?.[1];
  if (parameter === undefined) return undefined;
  const prefix = name.slice(0, name.length - parameter.length);
  return { prefix, parameter: parameter.replace(/\.module(?=\.)/g, '') };
}

function groupOf(groups: Map<string, Map<string, string>>, prefix: string): Map<string, string> {
  const group = groups.get(prefix) ?? new Map<string, string>();
  groups.set(prefix, group);
  return group;
}

function weightSet(set: TensorSet, prefix: string, places: Places, { architecture }: Vocabulary): WeightSet {
  const shapes = new Map<string, Shape>();
  const unreadable = new Map<string, string>();
  for (const [parameter, place] of places) {
    const shape = set.shapes.get(place);
    if (shape) shapes.set(parameter, shape);
    else unreadable.set(parameter, set.unreadable.get(place)!);
  }
  // A wrapper says nothing about which weights these are.
  const modules = prefix.split('.').filter((part) => part !== '' && part !== 'module');
  const name = [...(set.path === '' ? [] : [set.path]), ...modules].join('.');
  return { architecture, name: name === '' ? '.' : name, set, shapes, unreadable, places };
}
