/**
 * The arrays of prepared sequences that the field passes around, `NTU60_CS.npz` and others of CTR-GCN's preparation: `x_train`, `y_train`, `x_test`, `y_test`; x is
 * `[N, T, bodies · 75]`, padded with zeros to the longest sequence, y one-hot `[N, classes]` or class numbers `[N]`. They stream by: padding of many gigabytes is never held.
 */
import { basename } from 'node:path';
import type { Split } from '../datasets/layout.js';
import { DataError, MissingSplitError } from '../errors.js';
import type { ByteSource } from '../events/byteSource.js';
import { type ElementType, isReadable, readColumn } from '../events/elementTypes.js';
import { rangeSource } from '../events/held.js';
import { Inlet } from '../events/inlet.js';
import { openNodeSource } from '../events/nodeSource.js';
import { inletOf, readNumpyHeader } from '../events/npy.js';
import { arraysOf } from '../events/npzMembers.js';
import { type HeldSequences, heldCount, heldNumber, SequenceHolder } from './heldSequences.js';
import { ntuActions } from './ntuActions.js';
import { type NtuProtocol, ntuClassCount, ntuProtocolOfArchive } from './ntuNames.js';
import { axes } from './skeletonSequence.js';

const joints = 25;
const mostBodies = 4;
const mostFrames = 36_000;
const mostSequences = 4_000_000;
const mostClasses = 100_000;

export interface PreparedArrays {
  readonly store: HeldSequences;
  readonly classes: readonly string[];
  readonly labels: Int32Array;
  readonly notes: readonly string[];
}

/**
 * The sequences of a split.
 *
 * @param protocol How the caller says that the data is divided, if he does; the archive is divided already.
 * @throws DataError naming the file and the array; MissingSplitError where the archive has no arrays of the split.
 */
export async function readNtuArrays(path: string, split: Split, protocol?: NtuProtocol): Promise<PreparedArrays> {
  const source = await openNodeSource(path);
  try {
    return await ntuArraysOf(source, split, protocol);
  } finally {
    await source.close();
  }
}

/** As {@link readNtuArrays}, from a source that stays open. */
export async function ntuArraysOf(source: ByteSource, split: Split, protocol?: NtuProtocol): Promise<PreparedArrays> {
  const path = source.name;
  const named = ntuProtocolOfArchive(basename(path));
  if (protocol !== undefined && named !== undefined && named !== protocol)
    throw new DataError(
      `${path}: is divided as ${named}, not as ${protocol}; set data.protocol to ${named}, or give other data`,
    );
  const arrays = new Map(await arraysOf(await rangeSource(source, new Inlet(source.stream()))));
  const [values, answers] = [`x_${split}`, `y_${split}`].map((name) => arrays.get(name));
  if (!values || !answers) throw missingArrays(path, split, [...arrays.keys()]);
  const found = await readLabels(answers);
  const { store, empty } = await readValues(values, found.labels.length);
  const labels = Int32Array.from({ length: heldCount(store) }, (_, i) => found.labels[heldNumber(store, i)]!);
  const count =
    found.classes ?? ntuClassCount(protocol ?? named ?? (labels.some((label) => label >= 60) ? 'xsub120' : 'xsub'));
  const notes = empty === 0 ? [] : [`${values.name}: ${empty} sequences are left out: all their frames are 0`];
  return { store, classes: classNames(count), labels, notes };
}

function missingArrays(path: string, split: Split, names: readonly string[]): DataError {
  const other = split === 'train' ? 'test' : 'train';
  if (names.includes(`x_${other}`) && !names.includes(`x_${split}`))
    return new MissingSplitError(`${path}: has no ${split} split: no arrays x_${split} and y_${split}`);
  const found = names.length === 0 ? 'none' : names.slice(0, 8).join(', ');
  return new DataError(
    `${path}: has no arrays x_${split} and y_${split} (found ${found}); expected those of NTU60_CS.npz and the like`,
  );
}

function classNames(count: number): readonly string[] {
  if (count === 60 || count === 120) return ntuActions.slice(0, count);
  return Array.from({ length: count }, (_, i) => `class ${i}`);
}

interface Rows {
  readonly count: number;
  /** The other axes. */
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly inlet: Inlet;
}

async function openRows(source: ByteSource, dimensions: readonly number[]): Promise<Rows> {
  const inlet = inletOf(source);
  const { element, fortranOrder, shape } = await readNumpyHeader(source.name, inlet);
  if ('fields' in element || !isReadable(element))
    throw new DataError(`${source.name}: its elements are no numbers that can be read; save float32`);
  if (!dimensions.includes(shape.length))
    throw new DataError(
      `${source.name}: has the shape [${shape.join(', ')}]; expected ${dimensions.join(' or ')} axes`,
    );
  if (fortranOrder && shape.length > 1)
    throw new DataError(`${source.name}: is stored in Fortran's order; save numpy.ascontiguousarray of it`);
  const [count, ...others] = shape as [number, ...number[]];
  if (count > mostSequences)
    throw new DataError(`${source.name}: has ${count} rows, more than the ${mostSequences} allowed`);
  return { count, shape: others, type: element, inlet };
}

/** Gives each row in turn, in memory that the next one replaces. */
async function* rowsOf(name: string, { count, shape, type, inlet }: Rows): AsyncGenerator<Float64Array> {
  const length = shape.reduce((product, size) => product * size, 1);
  const row = new Float64Array(length);
  try {
    for (let i = 0; i < count; i++) {
      if (!(await inlet.fill(length * type.size)))
        throw new DataError(`${name}: ends after ${i} of ${count} rows; copy or download the file again`);
      readColumn(inlet.bytes.subarray(inlet.start, inlet.end), { type, offset: 0, stride: type.size }, row, length);
      inlet.start += length * type.size;
      yield row;
    }
    // To the end, where the checksum is.
    await inlet.skip(Number.POSITIVE_INFINITY);
  } finally {
    await inlet.close();
  }
}

async function readLabels(
  source: ByteSource,
): Promise<{ readonly labels: Int32Array; readonly classes: number | undefined }> {
  const rows = await openRows(source, [1, 2]);
  const [classes] = rows.shape;
  if (classes !== undefined && !(classes >= 1 && classes <= mostClasses))
    throw new DataError(`${source.name}: has ${classes} columns; expected one for each class`);
  const most = classes ?? ntuActions.length;
  const labels: number[] = [];
  for await (const row of rowsOf(source.name, rows)) {
    const label = classes === undefined ? row[0]! : row.indexOf(1);
    const isOneHot = classes === undefined || row.every((value, i) => value === (i === label ? 1 : 0));
    if (!isOneHot || !Number.isInteger(label) || label < 0 || label >= most)
      throw new DataError(
        `${source.name}: row ${labels.length} names no class; expected one 1 among zeros, or a number from 0 to ${most - 1}`,
      );
    labels.push(label);
  }
  return { labels: Int32Array.from(labels), classes };
}

async function readValues(
  source: ByteSource,
  expected: number,
): Promise<{ readonly store: HeldSequences; readonly empty: number }> {
  const rows = await openRows(source, [3]);
  const [frames, width] = rows.shape as [number, number];
  const bodies = width / (joints * axes);
  const fits = Number.isInteger(bodies) && bodies >= 1 && bodies <= mostBodies && frames >= 1 && frames <= mostFrames;
  if (!fits) {
    await rows.inlet.close();
    throw new DataError(
      `${source.name}: has the shape [${[rows.count, ...rows.shape].join(', ')}]; expected [N, T, 150]: T frames of 2 bodies of ${joints} joints`,
    );
  }
  if (rows.count !== expected) {
    await rows.inlet.close();
    throw new DataError(
      `${source.name}: has ${rows.count} sequences and ${expected} classes of sequences; expected as many`,
    );
  }
  const holder = new SequenceHolder(source.name, bodies, joints);
  let [number, empty] = [0, 0];
  for await (const row of rowsOf(source.name, rows)) {
    const valid = validFrames(row, width);
    if (Number.isNaN(valid))
      throw new DataError(`${source.name}: sequence ${number} has values that are no finite numbers; prepare it again`);
    if (valid === 0) empty++;
    else holder.add(number, row, valid);
    number++;
  }
  return { store: holder.held(), empty };
}

/** As the published feeder counts: frames whose sum is not 0, which are assumed to come first. NaN when the values are not finite. */
function validFrames(row: Float64Array, width: number): number {
  let valid = 0;
  for (let start = 0; start < row.length; start += width) {
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += row[i]!;
    if (!Number.isFinite(sum)) return Number.NaN;
    if (sum !== 0) valid++;
  }
  return valid;
}
