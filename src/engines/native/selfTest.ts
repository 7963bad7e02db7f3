/** A sum of a few numbers, computed natively on a memory of its own, and an instruction that must come back to JavaScript. Less than a millisecond. */
import { ElementWord, Size } from '../wasm/instructionSet.js';
import { Opcode } from '../wasm/opcodes.generated.js';
import type { Addon } from './addon.js';

const pageBytes = 65536;
/** Not a multiple of any register's lanes. */
const elements = 37;
const at = { scratch: Size.control, program: 16384, a: 20480, b: 24576, output: 28672 } as const;

/** What is wrong, or nothing. */
export function selfTest(addon: Addon, instructionSet: string): string | undefined {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const words = new Uint32Array(buffer, 0, pageBytes / 4);
  const numbers = new Float32Array(buffer, 0, pageBytes / 4);
  const calls: number[][] = [];
  const execute = (...call: number[]) => {
    calls.push(call);
  };
  const nothing = () => {};
  const session = addon.open(new Uint8Array(buffer), instructionSet, execute, nothing, nothing);
  const next = at.program + Size.instruction;
  const operands: Record<number, number> = {
    0: Opcode.add,
    [ElementWord.input]: at.a,
    [ElementWord.second]: at.b,
    [ElementWord.output]: at.output,
    [ElementWord.elements]: elements,
    [ElementWord.inputElements]: elements,
    [ElementWord.secondElements]: elements,
  };
  for (const [word, value] of Object.entries(operands)) words[at.program / 4 + Number(word)] = value;
  // No instruction has this number: wasm would be asked.
  words[next / 4] = 0;
  for (let index = 0; index < elements; index++) {
    numbers[at.a / 4 + index] = index / 3;
    numbers[at.b / 4 + index] = index * index;
  }
  addon.run(session, at.program, 2, at.scratch, 4096, 1);
  for (let index = 0; index <= elements; index++) {
    const sum = Math.fround(numbers[at.a / 4 + index]! + numbers[at.b / 4 + index]!);
    if (numbers[at.output / 4 + index] !== sum) return 'failed its self test: a sum is wrong';
  }
  const [call] = calls;
  const right = calls.length === 1 && call?.[0] === next && call[1] === at.scratch + Size.prepared && call[3] === 65536;
  return right ? undefined : 'failed its self test: wasm was not asked for what is not native';
}
