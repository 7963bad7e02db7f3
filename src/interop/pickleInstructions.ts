/**
 * The instructions of pickles of protocols 1 to 5, as CPython's `pickletools` lists them. What no binary pickle contains (the text instructions
 * of protocol 0, extension codes) is missing, and so refused.
 */
import type { PickleInstruction, PickleMachine } from './pickleMachine.js';
import { PickleDict, PickleGlobal, PickleList, PickleObject, PickleTuple, type PickleValue } from './pickleValues.js';

const ARGUMENT_FREE = new PickleTuple([]);

/** The instructions by their code, in the order and with the names of `pickletools`. */
export const pickleInstructions: readonly (PickleInstruction | undefined)[] = byCode([
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

function byCode(
  instructions: readonly (readonly [string | number, PickleInstruction])[],
): (PickleInstruction | undefined)[] {
  const table = new Array<PickleInstruction | undefined>(256).fill(undefined);
  for (const [code, operation] of instructions) table[typeof code === 'string' ? code.charCodeAt(0) : code] = operation;
  return table;
}

function protocol(machine: PickleMachine): void {
  const version = machine.uint8();
  if (version < 2 || version > 5) throw machine.malformed(`is of protocol ${version}, not 2 to 5`);
}

function pushList(machine: PickleMachine, items: readonly PickleValue[]): void {
  machine.pushContainer(new PickleList());
  machine.append(items);
}

function pushDict(machine: PickleMachine, pairs: readonly PickleValue[]): void {
  machine.pushContainer(new PickleDict());
  machine.setItems(pairs);
}

function setItem(machine: PickleMachine): void {
  const value = machine.pop();
  const key = machine.pop();
  machine.setItems([key, value]);
}

function pushFrozenSet(machine: PickleMachine): void {
  machine.popToMark();
  machine.pushContainer(new PickleObject(new PickleGlobal('builtins', 'frozenset')));
}

function stackGlobal(machine: PickleMachine): void {
  const name = machine.pop();
  machine.global(machine.pop(), name);
}

function invoke(machine: PickleMachine, how: 'call' | 'create'): void {
  const args = machine.pop();
  machine.invoke(how, machine.pop(), args);
}

function newWithKeywords(machine: PickleMachine): void {
  machine.pop();
  invoke(machine, 'create');
}

/** Protocol 1's way to call a class: its name in the instruction, its arguments on the stack. */
function instance(machine: PickleMachine): void {
  const args = new PickleTuple(machine.popToMark());
  machine.invoke('call', new PickleGlobal(machine.line(), machine.line()), args);
}

function object(machine: PickleMachine): void {
  const [callable, ...args] = machine.popToMark();
  machine.invoke('call', callable ?? null, new PickleTuple(args));
}
