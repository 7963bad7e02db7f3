/**
 * How published data sets of recordings say what is what: each layout is a file beside this one, which looks at names and lists and says which
 * file, and which part of it, is of which class in which split.
 */
import type { Split } from '../../datasets/layout.js';
import { hasExtension } from '../../names.js';
import type { FileTree } from './fileTree.js';

/** A recording, or a part of one in microseconds. */
export interface PlacedRecording {
  /** Its path in the tree. */
  readonly file: string;
  /** An index into the classes. */
  readonly label: number;
  /** As the file's own clock has it; the whole file without. */
  readonly from?: number;
  readonly to?: number;
}

export interface PlacedRecordings {
  readonly classes: readonly string[];
  readonly recordings: readonly PlacedRecording[];
  /** Lines about what was passed over or decided. */
  readonly notes: readonly string[];
}

/** A layout that was recognised. */
export interface FoundLayout {
  /** Whether there are splits; without them `train` is the whole set. */
  readonly divided: boolean;
  /** Throws MissingSplitError or DataError naming the file that is wrong. */
  place(split: Split): Promise<PlacedRecordings>;
}

export interface EventLayout {
  readonly name: string;
  /** Undefined for another layout. Throws DataError for one that is nearly this. */
  recognise(tree: FileTree): Promise<FoundLayout | undefined>;
}

/** Endings of recordings, in any case. */
export const recordingExtensions: readonly string[] = [
  '.aedat',
  '.aedat2',
  '.aedat3',
  '.aedat4',
  '.bin',
  '.bs2',
  '.raw',
  '.dat',
  '.es',
  '.npy',
  '.npz',
  '.h5',
  '.hdf5',
  '.csv',
];

export function isRecordingName(file: string): boolean {
  return hasExtension(file, recordingExtensions);
}

/** The folder of a path in a tree, `` at the root, else ending with `/`. */
export function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/') + 1);
}

/** The lines of a list without empty ones, and what messages call each. */
export function linesOf(text: string, name: string): readonly { readonly line: string; readonly place: string }[] {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ line: line.trim(), place: `${name}: line ${i + 1}` }))
    .filter(({ line }) => line !== '');
}

/** The only file of this name, wherever it lies. */
export function fileNamed({ files }: FileTree, name: string): string | undefined {
  return files.find((file) => file === name || file.endsWith(`/${name}`));
}
