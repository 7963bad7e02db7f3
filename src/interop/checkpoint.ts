/**
 * What every checkpoint reader returns: named tensors that are read from the file only when asked for. Also the check that a
 * checkpoint fits a network. File formats are the business of `pth.ts` and `safetensors.ts`.
 */
import { elementCount, formatShape, type Shape, sameShape } from '../graph/shape.js';
import type { DType } from './dtype.js';
import { CheckpointError, printable } from './errors.js';

/** One tensor of an open checkpoint, row-major, whatever its layout in the file. */
export interface CheckpointTensor {
  /** Name in the authors' `state_dict`, without the prefixes of wrappers. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The elements as float32, read now; each call reads again. @throws CheckpointError when the file is damaged. */
  readFloat32(): Promise<Float32Array<ArrayBuffer>>;
  /** The elements as little-endian bytes of `dtype`, read now. @throws CheckpointError when the file is damaged. */
  readBytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** One dictionary of tensors in a file: weights, averaged weights, the state of an optimizer. */
export interface TensorSet {
  /** The keys that lead to it, with dots between; empty for the file's own dictionary. */
  readonly path: string;
  /** Of every tensor that can be read, by its name as it stands in the file. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Names of what else there is and may have been meant for a tensor, and why it cannot be read. */
  readonly unreadable: ReadonlyMap<string, string>;
  /**
   * @param as What the tensor is called; by default as in the file.
   * @throws CheckpointError when there is no such tensor that can be read, or the file is damaged where it should be.
   */
  tensor(name: string, as?: string): CheckpointTensor;
}

export interface Checkpoint {
  /** What messages call the file. */
  readonly name: string;
  readonly format: 'pth-zip' | 'pth-legacy' | 'safetensors';
  /**
   * The tensors under `model`, `state_dict`, `model_state_dict`, `model_ema` or `state_dict_ema`, else of the file's own dictionary, else of the
   * largest there is; without the prefixes of wrappers. What cannot be read for its type is left out.
   *
   * @throws CheckpointError when none of them can be read, or the file is damaged.
   */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Every dictionary of tensors in the file, that of `tensors` first. */
  readonly sets: readonly TensorSet[];
  /** safetensors: its `__metadata__`. pth: numbers, texts and truth values beside the weights, such as `epoch`. */
  readonly metadata: Record<string, string>;
  /** What to say when there are no weights: that a whole module stands where they should be. */
  readonly hint?: string;
  /** Closes the file; tensors cannot be read afterwards. */
  close(): Promise<void>;
}

export interface ExpectedParameter {
  readonly name: string;
  readonly shape: Shape;
}

/** No network has as many tensors; a file that claims more is hostile or damaged. */
export const MAXIMUM_TENSORS = 100_000;

/** What PyTorch's wrappers put in front of every name: data parallelism, and `torch.compile`. */
const WRAPPER_PREFIXES = ['module.', '_orig_mod.'];

/** Removes the prefixes of wrapper modules that every name carries, outermost first. */
export function withoutWrapperPrefix<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  let entries = [...tensors];
  for (let round = 0; round < 2 * WRAPPER_PREFIXES.length; round++) {
    const prefix = WRAPPER_PREFIXES.find((candidate) => allBeginWith(candidate, entries));
    if (prefix === undefined) break;
    entries = entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]);
  }
  return new Map(entries);
}

function allBeginWith(prefix: string, entries: readonly (readonly [string, unknown])[]): boolean {
  return entries.length > 0 && entries.every(([name]) => name.startsWith(prefix) && name !== prefix);
}

/** All tensors of a set that can be read. @throws CheckpointError when there are some and none can be, or the file is damaged. */
export function tensorsOf(fileName: string, set: TensorSet): Map<string, CheckpointTensor> {
  const [[name, reason] = []] = set.unreadable;
  if (set.shapes.size === 0 && name !== undefined)
    throw new CheckpointError(`${fileName}: ${printable(name)} ${reason}`);
  const places = new Map([...set.shapes.keys()].map((place) => [place, place]));
  const tensors = new Map<string, CheckpointTensor>();
  for (const [as, place] of withoutWrapperPrefix(places)) tensors.set(as, set.tensor(place, as));
  return tensors;
}

/**
 * The checkpoint's tensors for exactly the expected parameters, in the expected order. A tensor may be anything that has a shape.
 *
 * The counters `num_batches_tracked` of batch normalisation may be missing or extra, and of shape `[1]` where PyTorch has
 * `[]`: they do not take part in inference, and some writers have no scalars.
 *
 * @throws CheckpointError naming the missing, extra and mis-shaped parameters.
 */
export function matchParameters<Tensor extends { readonly shape: Shape }>(
  checkpoint: { readonly name: string; readonly tensors: ReadonlyMap<string, Tensor> },
  expected: Iterable<ExpectedParameter>,
): Map<string, Tensor> {
  const matched = new Map<string, Tensor>();
  const missing: string[] = [];
  const misshaped: string[] = [];
  const expectedNames = new Set<string>();
  for (const { name, shape } of expected) {
    expectedNames.add(name);
    const tensor = checkpoint.tensors.get(name);
    if (tensor === undefined) {
      if (!isBatchCounter(name)) missing.push(name);
    } else if (!fits(name, tensor.shape, shape)) {
      misshaped.push(`${name} ${formatShape(tensor.shape)} instead of ${formatShape(shape)}`);
    } else {
      matched.set(name, tensor);
    }
  }
  const extra = [...checkpoint.tensors.keys()].filter((name) => !expectedNames.has(name) && !isBatchCounter(name));
  const complaints = [
    ...complaint('missing', missing),
    ...complaint('extra', extra),
    ...complaint('mis-shaped', misshaped),
  ];
  if (complaints.length === 0) return matched;
  throw new CheckpointError(
    `${checkpoint.name}: does not fit the network: ${complaints.join('; ')}; choose the model that the file was saved from`,
  );
}

function fits(name: string, found: Shape, expected: Shape): boolean {
  return (
    sameShape(found, expected) || (isBatchCounter(name) && elementCount(found) === 1 && elementCount(expected) === 1)
  );
}

function isBatchCounter(name: string): boolean {
  return name === 'num_batches_tracked' || name.endsWith('.num_batches_tracked');
}

const NAMED_IN_MESSAGES = 8;

function complaint(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMED_IN_MESSAGES).map(printable).join(', ');
  const more = names.length > NAMED_IN_MESSAGES ? ` and ${names.length - NAMED_IN_MESSAGES} more` : '';
  return [`${names.length} ${what}: ${shown}${more}`];
}
