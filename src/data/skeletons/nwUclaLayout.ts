/**
 * NW-UCLA as a data set: files `aAA_sSS_eEE_vVV.json` in any folder, divided by the camera. In the copy that the field uses, some sequences of the third view are those of the
 * second, value for value; which these are is found by comparing, or said by lists beside the sequences (`test-leaked.txt`, `train-clean.txt`).
 */
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { nwUclaActions, nwUclaName } from './nwUcla.js';
import { sequenceOf } from './preparations.js';
import { isNtuProtocol, nwUclaProtocols, type Protocol } from './protocols.js';
import { readSequence } from './sequenceStore.js';

/** What there is of a split. */
export interface PlacedSequences {
  readonly classes: readonly string[];
  readonly sequences: readonly { readonly file: string; readonly label: number }[];
  readonly notes: readonly string[];
}

export function holdsNwUcla({ files }: FileTree): boolean {
  return files.some(isSequence);
}

function isSequence(file: string): boolean {
  return file.endsWith('.json') && nwUclaName(file) !== undefined;
}

const testView = 3;

/** @throws DataError for an action that there is not, a protocol of another data set, and a split without sequences. */
export async function placeNwUcla(
  tree: FileTree,
  split: Split,
  protocol: Protocol = 'crossView',
): Promise<PlacedSequences> {
  if (isNtuProtocol(protocol))
    throw new DataError(
      `${tree.name}: holds NW-UCLA, which has no protocol ${protocol}; take ${nwUclaProtocols.join(' or ')}`,
    );
  const all = tree.files.filter(isSequence);
  const files = all.filter((file) => (nwUclaName(file)!.view === testView) === (split === 'test'));
  if (files.length === 0) throw noSuchSplit(tree.name, split);
  const actions = [...nwUclaActions.keys()];
  const labelOf = (file: string) => {
    const label = actions.indexOf(nwUclaName(file)!.action);
    if (label < 0)
      throw new DataError(`${tree.name}/${file}: names an action that NW-UCLA has not; it has ${actions.join(', ')}`);
    return label;
  };
  const chosen = asksForCopies(split, protocol) ? await withoutCopies(tree, all, files, split) : files;
  const left = files.length - chosen.length;
  return {
    classes: [...nwUclaActions.values()],
    sequences: chosen.map((file) => ({ file, label: labelOf(file) })),
    notes:
      left === 0
        ? []
        : [`${tree.name}: ${left} of ${files.length} sequences of the ${split} split are left out: ${said(split)}`],
  };
}

function asksForCopies(split: Split, protocol: Protocol): boolean {
  return protocol === (split === 'test' ? 'crossViewUnleaked' : 'crossViewClean');
}

function said(split: Split): string {
  return split === 'test' ? 'they are copies of training sequences' : 'test sequences are copies of them';
}

/** Those of which the other split has no copy. A list beside the sequences knows of test sequences that are not at hand. */
async function withoutCopies(
  tree: FileTree,
  all: readonly string[],
  files: readonly string[],
  split: Split,
): Promise<readonly string[]> {
  const list = await listed(tree, split === 'test' ? 'test-leaked.txt' : 'train-clean.txt');
  if (list !== undefined) return files.filter((file) => list.has(stem(file)) !== (split === 'test'));
  const others = new Map<string, string[]>();
  for (const file of all) {
    if (files.includes(file)) continue;
    const key = takeOf(file);
    others.set(key, [...(others.get(key) ?? []), file]);
  }
  const kept: string[] = [];
  for (const file of files) if (!(await hasCopy(tree, file, others.get(takeOf(file)) ?? []))) kept.push(file);
  return kept;
}

async function listed(tree: FileTree, name: string): Promise<ReadonlySet<string> | undefined> {
  const file = tree.files.find((path) => path === name || path.endsWith(`/${name}`));
  const text = file === undefined ? undefined : await tree.text(file);
  return text === undefined ? undefined : new Set(text.split('\n').map((line) => stem(line.trim())));
}

function stem(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1).replace(/\.json$/, '');
}

/** Copies are of the same action, subject and repetition: one performance, seen by several cameras. */
function takeOf(file: string): string {
  const { action, subject, repetition } = nwUclaName(file)!;
  return `${action} ${subject} ${repetition}`;
}

async function hasCopy(tree: FileTree, file: string, others: readonly string[]): Promise<boolean> {
  if (others.length === 0) return false;
  const store = { kind: 'sequences', files: await tree.store([file, ...others]) } as const;
  const { positions } = sequenceOf(await readSequence(store, 0));
  for (let i = 1; i <= others.length; i++) {
    const other = sequenceOf(await readSequence(store, i)).positions;
    if (other.length === positions.length && other.every((value, k) => value === positions[k])) return true;
  }
  return false;
}
