/**
 * A machine for Python's pickle format (protocols 1 to 5) that builds inert data and executes nothing: what it builds is in
 * `pickleValues.ts`, and what a pickle's wish to call something leads to is decided by the `PickleWorld` that the caller passes.
 * The instruction set is that of CPython's `pickletools`; what no binary pickle contains (the text instructions of
 * protocol 0, extension codes) is refused. Time and memory are bounded by `PickleLimits`.
 */
import { CheckpointError } from './errors.js';
import { integerOfBytes, integerOfText } from './pickleIntegers.js';
import { DEFAULT_PICKLE_LIMITS, type PickleLimits } from './pickleLimits.js';
import {
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
  type PickleWorld,
} from './pickleValues.js';

export interface PickleResult {
  readonly value: PickleValue;
  /** Offset of the first byte after the pickle. */
  readonly end: number;
}

/**
 * Reads one pickle that starts at `start`.
 *
 * @returns undefined when the bytes end before the pickle does.
 * @throws CheckpointError when the pickle is malformed, exceeds the limits, or is refused by the world.
 */
export function readPickle(
  bytes: Uint8Array,
  fileName: string,
  world: PickleWorld,
  start = 0,
  limits: PickleLimits = DEFAULT_PICKLE_LIMITS,
): PickleResult | undefined {
  try {
    return new Machine(bytes, fileName, world, start, limits).run();
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    throw error;
  }
}

class OutOfBytes extends Error {}

const LONGEST_NAME = 1000;
const LONGEST_SKIPPED_INTEGER = 1 << 20;
const NEWLINE = 0x0a;

class Machine {
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  /** By index, which writers count up from 0: a list, because numbers that collide in a Map can be chosen. */
  private readonly memo: (PickleValue | undefined)[] = [];
  private remembered = 0;
  private readonly text = new TextDecoder('utf-8', { ignoreBOM: true });
  private containers = 0;
  private stopped = false;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly fileName: string,
    readonly world: PickleWorld,
    private at: number,
    private readonly limits: PickleLimits,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleResult {
    for (let count = 0; !this.stopped; count++) {
      if (count >= this.limits.operations) throw this.tooMuch('operations', this.limits.operations);
      const code = this.uint8();
      const operation = OPERATIONS[code];
      if (operation === undefined)
        throw this.malformed(`has the instruction 0x${code.toString(16)}, which torch.save never writes`);
      operation(this);
    }
    return { value: this.pop(), end: this.at };
  }

  stop(): void {
    this.stopped = true;
  }

  // Reading from the bytes.

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new OutOfBytes();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  uint8(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    return this.numberAt(2, (at) => this.view.getUint16(at, true));
  }

  uint32(): number {
    return this.numberAt(4, (at) => this.view.getUint32(at, true));
  }

  int32(): number {
    return this.numberAt(4, (at) => this.view.getInt32(at, true));
  }

  /** Python writes floats big-endian. */
  float64(): number {
    return this.numberAt(8, (at) => this.view.getFloat64(at, false));
  }

  length64(): number {
    const length = this.numberAt(8, (at) => Number(this.view.getBigUint64(at, true)));
    if (!Number.isSafeInteger(length)) throw this.malformed('has a text or byte string of impossible length');
    return length;
  }

  string(length: number): string {
    return this.text.decode(this.take(length));
  }

  line(): string {
    const end = this.bytes.indexOf(NEWLINE, this.at);
    if (end < 0 && this.bytes.length - this.at <= LONGEST_NAME) throw new OutOfBytes();
    if (end < 0 || end - this.at > LONGEST_NAME) throw this.malformed('has the name of a class that is too long');
    const line = this.string(end - this.at);
    this.at = end + 1;
    return line;
  }

  integer(length: number): PickleValue {
    if (length > LONGEST_SKIPPED_INTEGER) throw this.malformed(`has an integer of ${length} bytes`);
    return integerOfBytes(this.take(length));
  }

  textInteger(): PickleValue {
    const value = integerOfText(this.line());
    if (value === undefined) throw this.malformed('has an integer that is none');
    return value;
  }

  private numberAt(length: number, read: (at: number) => number): number {
    this.take(length);
    return read(this.at - length);
  }

  // The stack, its marks, and the memo.

  push(value: PickleValue): void {
    if (this.stack.length >= this.limits.stack) throw this.tooMuch('values on its stack', this.limits.stack);
    this.stack.push(value);
  }

  pop(): PickleValue {
    this.requireValue();
    return this.stack.pop()!;
  }

  top(): PickleValue {
    this.requireValue();
    return this.stack[this.stack.length - 1]!;
  }

  mark(): void {
    if (this.marks.length >= this.limits.stack) throw this.tooMuch('marks', this.limits.stack);
    this.marks.push(this.stack.length);
  }

  /** POP removes a mark if that is what is on top. */
  drop(): void {
    if (this.marks.at(-1) === this.stack.length && this.marks.length > 0) this.marks.pop();
    else this.pop();
  }

  popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.malformed('takes values from an empty stack');
    return this.stack.splice(mark);
  }

  remember(index: number): void {
    if (index >= this.limits.memo) throw this.tooMuch('remembered values', this.limits.memo);
    const value = this.top();
    while (this.memo.length <= index) this.memo.push(undefined);
    if (this.memo[index] === undefined) this.remembered++;
    this.memo[index] = value;
  }

  memoSize(): number {
    return this.remembered;
  }

  recall(index: number): void {
    const value = this.memo[index];
    if (value === undefined) throw this.malformed(`refers to value ${index}, which it never stored`);
    this.push(value);
  }

  private requireValue(): void {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.malformed('takes values from an empty stack');
  }

  // Containers and objects.

  pushContainer(value: PickleValue): void {
    this.containers++;
    if (this.containers > this.limits.containers) throw this.tooMuch('containers', this.limits.containers);
    this.push(value);
  }

  pushTuple(size: number): void {
    const items = Array.from({ length: size }, () => this.pop()).reverse();
    this.pushContainer(new PickleTuple(items));
  }

  /** Objects are inert: what is appended to them is dropped. */
  append(items: readonly PickleValue[]): void {
    const target = this.top();
    if (target instanceof PickleObject) return;
    if (!(target instanceof PickleList)) throw this.malformed('appends to something that is not a list');
    for (const item of items) target.items.push(item);
  }

  setItems(pairs: readonly PickleValue[]): void {
    const target = this.top();
    if (pairs.length % 2 !== 0) throw this.malformed('has a dictionary key without a value');
    if (!(target instanceof PickleDict || target instanceof PickleObject))
      throw this.malformed('sets items of something that is not a dictionary');
    for (let index = 0; index < pairs.length; index += 2) target.set(pairs[index]!, pairs[index + 1]!);
  }

  /** State and attributes are dropped; that of tensors and dictionaries (`_metadata`) says nothing about weights. */
  build(): void {
    this.pop();
    const target = this.top();
    if (typeof target !== 'object' || target === null)
      throw this.malformed('sets attributes of something that has none');
  }

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.malformed('names a class by something that is not a text');
    if (module.length + name.length > LONGEST_NAME) throw this.malformed('has the name of a class that is too long');
    this.pushContainer(new PickleGlobal(module, name));
  }

  invoke(how: 'call' | 'create', callable: PickleValue, args: PickleValue): void {
    this.pushContainer(this.resultOf(how, callable, args));
  }

  /** What an unknown object gives when it is called is as unknown, and so is a call with unknown arguments. */
  private resultOf(how: 'call' | 'create', callable: PickleValue, args: PickleValue): PickleValue {
    if (callable instanceof PickleObject) return new PickleObject(callable.type);
    if (!(callable instanceof PickleGlobal)) throw this.malformed('calls something that is not a function');
    if (args instanceof PickleTuple) return this.world[how](callable, args.items);
    if (args instanceof PickleObject) return this.world[how](callable, []);
    throw this.malformed(`calls ${callable.path} without arguments`);
  }

  malformed(what: string): CheckpointError {
    return new CheckpointError(`${this.fileName}: damaged: its pickle ${what}; download or copy it again`);
  }

  private tooMuch(what: string, limit: number): CheckpointError {
    return new CheckpointError(
      `${this.fileName}: refused: its pickle needs more than ${limit} ${what}; no checkpoint of weights does`,
    );
  }
}

type Operation = (machine: Machine) => void;

const ARGUMENT_FREE = new PickleTuple([]);

/** The instructions by their code, in the order and with the names of `pickletools`. */
const OPERATIONS: readonly (Operation | undefined)[] = byCode([
  // Integers, truth values, None, floats.
  ['J', (m) => m.push(m.int32())],
  ['K', (m) => m.push(m.uint8())],
  ['M', (m) => m.push(m.uint16())],
  [0x8a, (m) => m.push(m.integer(m.uint8()))],
  [0x8b, (m) => m.push(m.integer(m.uint32()))],
  ['I', (m) => m.push(m.textInteger())],
  ['L', (m) => m.push(m.textInteger())],
  ['N', (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  ['G', (m) => m.push(m.float64())],
  // Texts (T and U are Python 2's) and bytes.
  ['T', (m) => m.push(m.string(m.uint32()))],
  ['U', (m) => m.push(m.string(m.uint8()))],
  ['X', (m) => m.push(m.string(m.uint32()))],
  [0x8c, (m) => m.push(m.string(m.uint8()))],
  [0x8d, (m) => m.push(m.string(m.length64()))],
  ['B', (m) => m.pushContainer(m.take(m.uint32()))],
  ['C', (m) => m.pushContainer(m.take(m.uint8()))],
  [0x8e, (m) => m.pushContainer(m.take(m.length64()))],
  [0x96, (m) => m.pushContainer(m.take(m.length64()))],
  // A buffer that was kept outside, and the mark that one is read-only: torch.save writes neither, and nobody reads them here.
  [0x97, (m) => m.pushContainer(new PickleObject(new PickleGlobal('pickle', 'PickleBuffer')))],
  [0x98, (m) => void m.top()],
  // Containers.
  [']', (m) => m.pushContainer(new PickleList())],
  ['a', (m) => m.append([m.pop()])],
  ['e', (m) => m.append(m.popToMark())],
  ['l', (m) => pushList(m, m.popToMark())],
  [')', (m) => m.push(ARGUMENT_FREE)],
  ['t', (m) => m.pushContainer(new PickleTuple(m.popToMark()))],
  [0x85, (m) => m.pushTuple(1)],
  [0x86, (m) => m.pushTuple(2)],
  [0x87, (m) => m.pushTuple(3)],
  ['}', (m) => m.pushContainer(new PickleDict())],
  ['d', (m) => pushDict(m, m.popToMark())],
  ['s', (m) => setItem(m)],
  ['u', (m) => m.setItems(m.popToMark())],
  [0x8f, (m) => m.pushContainer(new PickleObject(new PickleGlobal('builtins', 'set')))],
  [0x90, (m) => m.append(m.popToMark())],
  [0x91, (m) => pushFrozenSet(m)],
  // The stack and the memo.
  ['0', (m) => m.drop()],
  ['2', (m) => m.push(m.top())],
  ['(', (m) => m.mark()],
  ['1', (m) => void m.popToMark()],
  ['h', (m) => m.recall(m.uint8())],
  ['j', (m) => m.recall(m.uint32())],
  ['q', (m) => m.remember(m.uint8())],
  ['r', (m) => m.remember(m.uint32())],
  [0x94, (m) => m.remember(m.memoSize())],
  // Classes, calls, objects.
  ['c', (m) => m.global(m.line(), m.line())],
  [0x93, (m) => stackGlobal(m)],
  ['R', (m) => invoke(m, 'call')],
  ['b', (m) => m.build()],
  ['i', (m) => instance(m)],
  ['o', (m) => object(m)],
  [0x81, (m) => invoke(m, 'create')],
  [0x92, (m) => newWithKeywords(m)],
  ['Q', (m) => m.push(m.world.persistent(m.pop()))],
  // The frame of the pickle itself.
  [0x80, (m) => protocol(m)],
  [0x95, (m) => void m.length64()],
  ['.', (m) => m.stop()],
]);

function byCode(operations: readonly (readonly [string | number, Operation])[]): (Operation | undefined)[] {
  const table = new Array<Operation | undefined>(256).fill(undefined);
  for (const [code, operation] of operations) table[typeof code === 'string' ? code.charCodeAt(0) : code] = operation;
  return table;
}

function protocol(machine: Machine): void {
  const version = machine.uint8();
  if (version < 2 || version > 5) throw machine.malformed(`is of protocol ${version}, not 2 to 5`);
}

function pushList(machine: Machine, items: readonly PickleValue[]): void {
  machine.pushContainer(new PickleList());
  machine.append(items);
}

function pushDict(machine: Machine, pairs: readonly PickleValue[]): void {
  machine.pushContainer(new PickleDict());
  machine.setItems(pairs);
}

function setItem(machine: Machine): void {
  const value = machine.pop();
  const key = machine.pop();
  machine.setItems([key, value]);
}

function pushFrozenSet(machine: Machine): void {
  machine.popToMark();
  machine.pushContainer(new PickleObject(new PickleGlobal('builtins', 'frozenset')));
}

function stackGlobal(machine: Machine): void {
  const name = machine.pop();
  machine.global(machine.pop(), name);
}

function invoke(machine: Machine, how: 'call' | 'create'): void {
  const args = machine.pop();
  machine.invoke(how, machine.pop(), args);
}

function newWithKeywords(machine: Machine): void {
  machine.pop();
  invoke(machine, 'create');
}

/** Protocol 1's way to call a class: its name in the instruction, its arguments on the stack. */
function instance(machine: Machine): void {
  const args = new PickleTuple(machine.popToMark());
  machine.invoke('call', new PickleGlobal(machine.line(), machine.line()), args);
}

function object(machine: Machine): void {
  const [callable, ...args] = machine.popToMark();
  machine.invoke('call', callable ?? null, new PickleTuple(args));
}
