/**
 * What names of files and folders say by themselves: images, splits ("train", "seg_test"), what systems and tools leave behind. Pure
 * text, no file is looked at; names that are the same to a reader (NFC and NFD) are the same here.
 */

/** File names with these endings, in any case, are samples. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp', '.tif', '.tiff'];

/** Whether a name is that of an image that can be read here. */
export function isImageName(name: string): boolean {
  return hasExtension(name, imageExtensions);
}

export function hasExtension(name: string, extensions: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return extensions.some((extension) => lower.endsWith(extension));
}

/** macOS puts a companion of metadata beside each file on foreign disks and in archives; its name ends as the file's does. */
export function isMacDouble(name: string): boolean {
  return name.startsWith('._');
}

/** The name of a class: accents may be one character or two, which no reader can tell apart. */
export function className(name: string): string {
  return name.normalize('NFC');
}

/** Orders strings by Unicode code points, which differs from JavaScript's own order beyond U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return orderAt(a, i) - orderAt(b, i);
  }
  return a.length - b.length;
}

/** Pairs of surrogates stand for code points above U+FFFF; single ones (bytes that are no UTF-8) for themselves, as in Python. */
function orderAt(text: string, i: number): number {
  const unit = text.charCodeAt(i);
  if (unit < 0xd800 || unit >= 0xe000) return unit;
  const isLow = unit >= 0xdc00;
  const other = text.charCodeAt(isLow ? i - 1 : i + 1) & 0xfc00;
  return other === (isLow ? 0xd800 : 0xdc00) ? unit + 0x10000 : unit;
}

/** Orders names with numbers in them as people count: `2.png` before `10.png`. What is equal so far is ordered by code points. */
export function compareNatural(a: string, b: string): number {
  const [as, bs] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []];
  for (let i = 0; i < Math.min(as.length, bs.length); i++) {
    const order = comparePieces(as[i]!, bs[i]!);
    if (order !== 0) return order;
  }
  return as.length - bs.length || compareCodePoints(a, b);
}

/** Numbers of any length, without their leading zeros. */
function comparePieces(a: string, b: string): number {
  if (!/^\d/.test(a) || !/^\d/.test(b)) return compareCodePoints(a, b);
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || compareCodePoints(x, y);
}

/** Sorts strings by code points; for the usual names, which have none beyond U+D7FF, by what the machine compares fastest. */
export function sortCodePoints(names: string[]): string[] {
  const plain = !names.some((name) => /[\ud800-\uffff]/.test(name));
  return plain ? names.sort() : names.sort(compareCodePoints);
}

/** What operating systems, servers, version control, notebooks and package managers leave in folders. Never data, whatever it holds. */
const strays: ReadonlySet<string> = new Set(
  (
    '__macosx .ds_store .appledouble .spotlight-v100 .fseventsd .temporaryitems .trashes .directory desktop.ini thumbs.db ' +
    '.thumbnails @eadir #recycle @recycle $recycle.bin lost+found .git .github .svn .hg .dvc .cache .idea .vscode ' +
    '.ipynb_checkpoints __pycache__ .pytest_cache .venv venv node_modules'
  ).split(' '),
).add('system volume information');

/** Whether a folder is no part of any data set. */
export function isStray(name: string): boolean {
  const lower = name.toLowerCase();
  return strays.has(lower) || lower.startsWith('.trash') || isMacDouble(lower);
}

/** False for nearly every path: whether it is worth looking at its folders one by one. */
export function mayBeStray(path: string): boolean {
  return /(?:^|\/)(?:[._@#$]|lost\+|system |desktop|thumbs|venv|node_modules)/i.test(path);
}

/** What people keep beside images. A folder of such a name may be a class, but not without images. */
const companions: ReadonlySet<string> = new Set(
  (
    'annotation annotations label labels doc docs documentation meta metadata devkit script scripts code src csv json xml ' +
    'info log logs imagesets splits notebooks models weights checkpoints results output outputs license licenses'
  ).split(' '),
);

/** Whether a folder without images may lie among class folders. */
export function isCompanion(name: string): boolean {
  return name.startsWith('.') || companions.has(name.toLowerCase());
}

export type SplitKind = 'train' | 'validation' | 'test';

const kinds: ReadonlyMap<string, SplitKind> = new Map([
  ...(['train', 'training', 'trn', 'trainval'] as const).map((word) => [word, 'train'] as const),
  ...(['val', 'valid', 'validation', 'validate', 'vali', 'dev', 'eval', 'evaluation'] as const).map(
    (word) => [word, 'validation'] as const,
  ),
  ...(['test', 'testing', 'tst'] as const).map((word) => [word, 'test'] as const),
]);
const fillers: ReadonlySet<string> = new Set(
  'set sets data dataset images image imgs img pictures photos split splits folder fold part'.split(' '),
);

/** What a name says about a split. */
export interface SplitName {
  readonly kind: SplitKind;
  /** False when other words stand beside it ("seg_train"): then only the neighbours tell it from a class ("steam train"). */
  readonly exact: boolean;
}

/** The split that a folder's name speaks of: "train", "Validation", "test_set", "val2017", "seg_train"; undefined for none or two. */
export function splitName(name: string): SplitName | undefined {
  const words = name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .flatMap(withoutSet)
    .filter((word) => word !== '');
  const spoken = words.filter((word) => kinds.has(word));
  if (spoken.length !== 1) return undefined;
  const kind = kinds.get(spoken[0]!)!;
  const exact = words.every((word) => kinds.has(word) || fillers.has(word));
  const atAnEnd = words[0] === spoken[0] || words.at(-1) === spoken[0];
  return exact || (atAnEnd && words.length > 1) ? { kind, exact } : undefined;
}

/** "trainset" is "train set". */
function withoutSet(word: string): string[] {
  const match = /^(.+?)(sets?|data|images?|imgs?)$/.exec(word);
  return match !== null && kinds.has(match[1]!) ? [match[1]!, match[2]!] : [word];
}

/** Folders that may lie around class folders inside a split. */
export function isContainer(name: string): boolean {
  return name.toLowerCase() === 'classes' || fillers.has(name.toLowerCase());
}

/** A few names of many, for messages. */
export function someNames(names: readonly string[], shown = 8): string {
  const more = names.length > shown ? ` and ${names.length - shown} more` : '';
  return `${names.slice(0, shown).join(', ')}${more}`;
}
