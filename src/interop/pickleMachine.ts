/**
 * What the instructions of a pickle work on: the bytes, a stack with its marks, the memo, and how many containers were made. Time and memory
 * are bounded by `PickleLimits`.
 */
import { CheckpointError } from './errors.js';
import { integerOfBytes, integerOfText } from './pickleIntegers.js';
import type { PickleLimits } from './pickleLimits.js';
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

export type PickleInstruction = (machine: PickleMachine) => void;

/** The bytes end before the pickle does. */
export class OutOfBytes extends Error {}

const LONGEST_NAME = 1000;
const LONGEST_SKIPPED_INTEGER = 1 << 20;
const NEWLINE = 0x0a;

export class PickleMachine {
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

  /** @param instructions By their code. @throws OutOfBytes; CheckpointError when the pickle is malformed, exceeds the limits, or is refused by the world. */
  run(instructions: readonly (PickleInstruction | undefined)[]): PickleResult {
    for (let count = 0; !this.stopped; count++) {
      if (count >= this.limits.operations) throw this.tooMuch('operations', this.limits.operations);
      const code = this.uint8();
      const operation = instructions[code];
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
