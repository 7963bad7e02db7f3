/**
 * How published data sets of several views say what shows which place: each layout is a file beside this one, which looks at names and lists and says of each image which
 * place it shows, from where, and what it is for.
 */
import type { Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { isImageName, someNames } from '../names.js';

/** What an image is for: to be trained on, to be looked for, to be found, or both of these. */
export type Role = 'train' | 'query' | 'gallery' | 'both';

export interface PlacedImage {
  /** Path in the tree. */
  readonly file: string;
  readonly place: string;
  /** From where: `drone`, `satellite`, `street` … */
  readonly view: string;
  readonly role: Role;
}

export interface LayoutRequest {
  readonly part: Split;
  /** Of data that was taken at several altitudes, which: the name of its folder. */
  readonly altitude: string | undefined;
}

export interface PairsLayout {
  /** In words, for who looks for it. */
  readonly name: string;
  /** Undefined for another layout; else what lists the images of a part, none where there is no such part. Throws DataError for what must be said and is not. */
  recognise(tree: FileTree): ((request: LayoutRequest) => Promise<readonly PlacedImage[]>) | undefined;
}

/** Images whose paths end as the pattern says, with the groups that it found; what stands before is the folder that the data lies in, of which there may be one. */
export function imagesLike({ name, files }: FileTree, pattern: RegExp) {
  const found: { readonly file: string; readonly groups: Readonly<Record<string, string>> }[] = [];
  const roots = new Set<string>();
  for (const file of files) {
    if (!isImageName(file)) continue;
    const match = pattern.exec(file);
    if (match?.groups === undefined) continue;
    roots.add(match.groups.root ?? '');
    found.push({ file, groups: match.groups });
  }
  if (roots.size > 1)
    throw new DataError(
      `${name}: holds several data sets, in ${someNames([...roots].map((root) => root || '.'))}; give one`,
    );
  return found;
}

/** The altitude that was asked for, or the only one; undefined where there are none. Throws DataError for one that there is not, and where several are and none was asked for. */
export function chosenAltitude(
  { name }: FileTree,
  there: ReadonlySet<string>,
  asked: string | undefined,
): string | undefined {
  const names = someNames([...there].sort());
  if (asked !== undefined && there.size === 0)
    throw new DataError(`${name}: its images are not told apart by altitude; leave the altitude out`);
  if (asked !== undefined && !there.has(asked))
    throw new DataError(`${name}: has no images from the altitude ${asked}; there are ${names}`);
  const [only, ...others] = there;
  if (asked === undefined && others.length > 0)
    throw new DataError(`${name}: was taken at several altitudes, ${names}; say which is meant`);
  return asked ?? only;
}
