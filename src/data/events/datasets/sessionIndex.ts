/** Recordings that an `index.json` names: an object with an entry for each file below `train/` and `test/` that says its `class`. */
import { z } from 'zod';
import { noSuchSplit, type Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import { compareCodePoints } from '../../names.js';
import type { FileTree } from './fileTree.js';
import { type EventLayout, fileNamed, folderOf, type PlacedRecordings } from './layout.js';

const indexSchema = z.record(z.string(), z.looseObject({ class: z.string().min(1).max(200) }));

type Index = z.output<typeof indexSchema>;

export const sessionIndex: EventLayout = {
  name: 'an index.json that says the class of each file',
  recognise: async (tree) => {
    const file = fileNamed(tree, 'index.json');
    if (file === undefined) return undefined;
    const parsed = indexSchema.safeParse(json(await tree.text(file)));
    if (!parsed.success) return undefined;
    return { divided: true, place: async (split) => placed(tree, file, parsed.data, split) };
  },
};

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

function placed(tree: FileTree, list: string, index: Index, split: Split): PlacedRecordings {
  const entries = Object.entries(index).sort(([a], [b]) => compareCodePoints(a, b));
  const classes = [...new Set(entries.map(([, entry]) => entry.class))].sort(compareCodePoints);
  const known = new Set(tree.files);
  const recordings = entries
    .filter(([file]) => file.startsWith(`${split}/`))
    .map(([place, entry]) => {
      const file = `${folderOf(list)}${place}`;
      if (!known.has(file)) throw new DataError(`${tree.name}/${list}: names ${place}, which is not there`);
      return { file, label: classes.indexOf(entry.class) };
    })
    .sort((a, b) => a.label - b.label || compareCodePoints(a.file, b.file));
  if (recordings.length === 0) throw noSuchSplit(tree.name, split);
  return { classes, recordings, notes: [] };
}
