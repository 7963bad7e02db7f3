/**
 * How folders say what is what: `train/<class>/…/<image>` and `test/<class>/…/<image>` under any of the names that people give to
 * splits, or `<class>/…/<image>` alone, on disk and in archives alike. It sees names and which folders hold images, nothing else.
 */
import { DataError, MissingSplitError } from '../errors.js';
import { isCompanion, isContainer, isStray, type SplitKind, someNames, splitName } from '../names.js';

/** Which part of a data set; `test` is what is never trained on. */
export type Split = 'train' | 'test';

/** Names of folders from the root of the data downwards. */
export type Place = readonly string[];

/** What lies in a folder itself. */
export interface Listing {
  readonly folders: readonly string[];
  readonly hasImages: boolean;
}

export type Lister = (place: Place) => Promise<Listing>;

/** Where the class folders of each split are. */
export interface Layout {
  /** Whether there are splits; without them `train` is the whole set. */
  readonly divided: boolean;
  readonly train: Place | undefined;
  readonly test: Place | undefined;
  /** Folders that are neither split nor class, as paths from the root. */
  readonly ignored: readonly string[];
}

export interface LayoutOptions {
  /** What messages call the data. */
  readonly source: string;
  /** Pass over folders around class folders too; folders around splits are always passed over. */
  readonly unwrap: boolean;
}

/** More folders around a data set than anyone makes. */
const deepest = 64;

/** Throws DataError when a folder may be a split as well as a class. */
export async function findLayout(list: Lister, options: LayoutOptions): Promise<Layout> {
  return (await findSplits(list, [], options)) ?? findClasses(list, options);
}

/** The error for a data set that has no such split. */
export function noSuchSplit(source: string, split: Split): MissingSplitError {
  const names = split === 'train' ? 'train' : 'test or val or validation';
  return new MissingSplitError(
    `${source}: has no ${split} split; expected a folder called ${names} (to validate on part of the training images, hold some out)`,
  );
}

/** Throws DataError for a class of the test split that the training split lacks. */
export function knownLabel(labels: ReadonlyMap<string, number>, name: string, source: string): number {
  const label = labels.get(name);
  if (label === undefined) {
    throw new DataError(`${source}: the class "${name}" is in the test split but not in the training split`);
  }
  return label;
}

/** One line about what was passed over, or none. */
export function ignoredNote(source: string, ignored: readonly string[]): readonly string[] {
  return ignored.length === 0
    ? []
    : [`${source}: ignored ${someNames(ignored)}: neither used as a split nor as a class`];
}

/** A folder whose name speaks of a split. */
interface Candidate {
  readonly name: string;
  readonly kind: SplitKind;
  readonly exact: boolean;
  /** Whether folders lie in it, which may be classes. */
  readonly holdsFolders: boolean;
  readonly hasImages: boolean;
}

async function findSplits(list: Lister, place: Place, options: LayoutOptions): Promise<Layout | undefined> {
  if (place.length > deepest) return undefined;
  const { folders } = await list(place);
  const kept = folders.filter((name) => !isStray(name));
  const candidates = await candidatesAmong(list, place, kept);
  const chosen = await splitsAmong(list, place, kept, candidates, options);
  if (chosen !== undefined) return layoutOf(list, place, folders, chosen);
  const around = kept.length === 1 ? kept : kept.filter((name) => !isCompanion(name));
  if (around.length !== 1) return undefined;
  const inner = await findSplits(list, [...place, around[0]!], options);
  const beside = folders.filter((name) => name !== around[0]).map((name) => [...place, name].join('/'));
  return inner && { ...inner, ignored: [...beside, ...inner.ignored] };
}

async function candidatesAmong(list: Lister, place: Place, names: readonly string[]): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const name of names) {
    const spoken = splitName(name);
    if (spoken === undefined) continue;
    const { folders, hasImages } = await list([...place, name]);
    candidates.push({ name, ...spoken, holdsFolders: folders.some((inner) => !isStray(inner)), hasImages });
  }
  return candidates;
}

/** Those that are splits, and not classes one of which happens to be called "train". */
async function splitsAmong(
  list: Lister,
  place: Place,
  kept: readonly string[],
  candidates: readonly Candidate[],
  { source }: LayoutOptions,
): Promise<readonly Candidate[] | undefined> {
  const exact = candidates.filter((candidate) => candidate.exact);
  const filled = candidates.filter(({ holdsFolders }) => holdsFolders);
  const shaped = filled.filter(({ exact, hasImages }) => exact || !hasImages);
  const others = kept.filter((name) => !exact.some((candidate) => candidate.name === name));
  if (kindsOf(shaped) >= 2) return [...shaped, ...exact.filter((candidate) => !shaped.includes(candidate))];
  if (kindsOf(exact) >= 2) return exact;
  const [split] = exact;
  if (split === undefined) return undefined;
  if (others.length === 0) return exact;
  if (!split.holdsFolders || split.hasImages) return undefined;
  const strangers = await withImages(list, place, others, 2);
  if (strangers.length < 2) return exact;
  throw new DataError(
    `${source}: ${split.name} may be a split or a class: it holds folders, but ${strangers.join(', ')} beside it hold images; give ${[source, ...place, split.name].join('/')}, or move away what does not belong to the data`,
  );
}

function kindsOf(candidates: readonly Candidate[]): number {
  return new Set(candidates.map(({ kind }) => kind)).size;
}

/** The first few of these folders that hold images. */
async function withImages(list: Lister, place: Place, names: readonly string[], count: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    if (found.length < count && (await list([...place, name])).hasImages) found.push(name);
  }
  return found;
}

/** The training split, and of test and validation the first that has classes. */
async function layoutOf(
  list: Lister,
  place: Place,
  folders: readonly string[],
  splits: readonly Candidate[],
): Promise<Layout> {
  const best = (kind: SplitKind) => splits.filter((split) => split.kind === kind).sort(byFitness)[0];
  const [train, test, validation] = [best('train'), best('test'), best('validation')];
  const evaluated = test?.holdsFolders === false && validation?.holdsFolders ? validation : (test ?? validation);
  const used = [train, test, validation].filter((split) => split !== undefined);
  const unlabelled = test !== undefined && evaluated === validation ? [test] : [];
  const beside = folders.filter((name) => !used.some((split) => split.name === name) || name === unlabelled[0]?.name);
  return {
    divided: true,
    train: train && (await withoutContainers(list, [...place, train.name], train.kind)),
    test: evaluated && (await withoutContainers(list, [...place, evaluated.name], evaluated.kind)),
    ignored: beside.map((name) => [...place, name].join('/')),
  };
}

/** Exact names first, then those with classes, then the shortest, then lower case. */
function byFitness(a: Candidate, b: Candidate): number {
  const rank = (split: Candidate) => (split.exact ? 0 : 2) + (split.holdsFolders ? 0 : 1);
  return rank(a) - rank(b) || a.name.length - b.name.length || (a.name > b.name ? -1 : 1);
}

/** `seg_train/seg_train/<class>`, `train/images/<class>`. */
async function withoutContainers(list: Lister, place: Place, kind: SplitKind): Promise<Place> {
  for (let inner = place; inner.length <= deepest; ) {
    const kept = (await list(inner)).folders.filter((name) => !isStray(name));
    const [name] = kept;
    if (kept.length !== 1 || name === undefined) return inner;
    if (splitName(name)?.kind !== kind && !isContainer(name)) return inner;
    const next = [...inner, name];
    const below = await list(next);
    if (below.hasImages || !below.folders.some((folder) => !isStray(folder))) return inner;
    inner = next;
  }
  return place;
}

/** The whole set: class folders, in an archive below any number of folders around them. */
async function findClasses(list: Lister, { unwrap }: LayoutOptions): Promise<Layout> {
  let place: Place = [];
  const ignored: string[] = [];
  for (;;) {
    const { folders } = await list(place);
    const kept = folders.filter((name) => !isStray(name));
    ignored.push(...folders.filter(isStray).map((name) => [...place, name].join('/')));
    const around = unwrap && kept.length === 1 && place.length < deepest ? [...place, kept[0]!] : undefined;
    const inner = around && (await list(around));
    if (around === undefined || inner === undefined || inner.hasImages || inner.folders.every(isStray)) {
      const set = await unlabelledSplits(list, place, kept);
      return { divided: false, train: place, test: undefined, ignored: [...ignored, ...set] };
    }
    place = around;
  }
}

/** A folder called "test" or "val" beside two classes or more is no class; one called "train" may be (the vehicle). */
async function unlabelledSplits(list: Lister, place: Place, kept: readonly string[]): Promise<string[]> {
  const splits = kept.filter((name) => {
    const spoken = splitName(name);
    return spoken?.exact && name.toLowerCase() !== 'train';
  });
  const classes =
    splits.length === 0
      ? []
      : await withImages(
          list,
          place,
          kept.filter((name) => !splits.includes(name)),
          2,
        );
  return classes.length < 2 ? [] : splits.map((name) => [...place, name].join('/'));
}
