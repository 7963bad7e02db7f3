/**
 * Where the events are in an HDF5 file: the usual places first, then the groups from the root down, in the order of their names. Links into other files are not followed.
 */
import type { CompoundMember, Dataset, File, Group } from 'h5wasm';
import { DataError } from '../errors.js';
import type { Sensor } from './events.js';
import type { Hdf5 } from './hdf5Library.js';
import { byUsualNames, type ColumnName, missingColumns } from './tableColumns.js';

export type Hdf5Table =
  /** A dataset for each column. */
  | { readonly kind: 'columns'; readonly path: string; readonly columns: Readonly<Record<ColumnName, Dataset>> }
  /** A dataset of records. */
  | {
      readonly kind: 'records';
      readonly path: string;
      readonly dataset: Dataset;
      readonly members: Readonly<Record<ColumnName, CompoundMember>>;
    }
  /** A dataset `[N, 4]`. */
  | { readonly kind: 'matrix'; readonly path: string; readonly dataset: Dataset };

const usualPlaces = ['events', 'CD/events', 'CD'] as const;
const deepest = 6;
const mostObjects = 2000;
const compound = 6;

/**
 * @param asked A group or dataset, instead of looking for one.
 * @throws DataError where there is none, or several and none in a usual place.
 */
export function findTable(name: string, file: File, library: Hdf5, asked?: string): Hdf5Table {
  if (asked !== undefined) {
    const table = tableAt(file, library, asked.replace(/^\/+|\/+$/g, ''));
    if (table) return table;
    throw new DataError(`${name}: has no events at ${asked}; name a group that holds t, x, y and p, or leave it out`);
  }
  for (const place of usualPlaces) {
    const table = tableAt(file, library, place);
    if (table) return table;
  }
  const seen: string[] = [];
  const tables = [...search(file, library, '', 0, seen)];
  if (tables.length === 0) throw missingColumns(name, seen, 'datasets');
  if (tables.length === 1) return tables[0]!;
  const places = tables.map(({ path }) => `/${path}`).slice(0, 6);
  throw new DataError(`${name}: holds several recordings (${places.join(', ')}); say which by its place (--dataset)`);
}

function* search(group: Group, library: Hdf5, path: string, depth: number, seen: string[]): Generator<Hdf5Table> {
  const own = tableIn(group, library, path);
  if (own) yield own;
  if (depth >= deepest) return;
  for (const key of [...group.keys()].sort()) {
    if (seen.length >= mostObjects) return;
    const place = path === '' ? key : `${path}/${key}`;
    seen.push(place);
    const entity = group.get(key);
    if (entity instanceof library.Group) yield* search(entity, library, place, depth + 1, seen);
    else if (entity instanceof library.Dataset && !own) {
      const table = tableOf(entity, place);
      if (table) yield table;
    }
  }
}

function tableAt(file: File, library: Hdf5, path: string): Hdf5Table | undefined {
  let entity: ReturnType<Group['get']> = file;
  for (const key of path === '' ? [] : path.split('/')) {
    if (!(entity instanceof library.Group) || !entity.keys().includes(key)) return undefined;
    entity = entity.get(key);
  }
  if (entity instanceof library.Group) return tableIn(entity, library, path);
  return entity instanceof library.Dataset ? tableOf(entity, path) : undefined;
}

function tableIn(group: Group, library: Hdf5, path: string): Hdf5Table | undefined {
  const datasets: [string, Dataset][] = [];
  for (const key of group.keys().slice(0, mostObjects)) {
    const entity = group.get(key);
    if (entity instanceof library.Dataset && entity.shape?.length === 1) datasets.push([key, entity]);
  }
  const columns = byUsualNames(datasets);
  return columns && { kind: 'columns', path, columns };
}

function tableOf(dataset: Dataset, path: string): Hdf5Table | undefined {
  const { shape, type, compound_type: records } = dataset.metadata;
  if (type === compound && records && shape?.length === 1) {
    const members = byUsualNames(records.members.map((member) => [member.name, member] as const));
    return members && { kind: 'records', path, dataset, members };
  }
  const isMatrix = type !== compound && shape?.length === 2 && shape[1] === 4;
  return isMatrix && /events?$/i.test(path) ? { kind: 'matrix', path, dataset } : undefined;
}

/** What stands beside the events: `width` and `height`, or Metavision's `geometry`, as in "640x480", of their group or a group above it. */
export function sensorOf(library: Hdf5, file: File, path: string): Sensor | undefined {
  const keys = path === '' ? [] : path.split('/');
  for (let depth = keys.length; depth >= 0; depth--) {
    const entity = depth === 0 ? file : file.get(keys.slice(0, depth).join('/'));
    if (!(entity instanceof library.Group) && !(entity instanceof library.Dataset)) continue;
    const { attrs } = entity;
    const [, across, down] = /^(\d{1,5})x(\d{1,5})$/.exec(String(attrs.geometry?.value ?? '')) ?? [];
    const [width, height] = [Number(across ?? attrs.width?.value), Number(down ?? attrs.height?.value)];
    const isSide = (side: number) => Number.isInteger(side) && side > 0 && side <= 0xffff;
    if (isSide(width) && isSide(height)) return { width, height };
  }
  return undefined;
}
