/**
 * Instructions of calls that are declared (`declareCall`): word 0 is the opcode, then come the addresses of the tensors (0 for one that the call does without), the sizes
 * and the settings, in the order of the declaration. The kernel is the function of the same name in `kernels/`.
 */
import type { CallDeclaration, KernelCall, NamedCall } from '../calls/call.js';
import { sizeOf, tensorOf } from '../calls/call.js';
import { EngineError } from '../errors.js';
import { Size } from './instructionSet.js';
import { bitsOf } from './numbers.js';
import { Opcode } from './opcodes.generated.js';
import type { Operands, Recording } from './recording.js';

/** The instruction's words behind the opcode, by name. */
export function declaredWords({
  tensors,
  sizes,
  settings,
}: Pick<CallDeclaration<never>, 'tensors' | 'sizes' | 'settings'>): readonly string[] {
  return [...Object.keys(tensors), ...sizes, ...Object.keys(settings)];
}

export function recordDeclared<Call extends NamedCall>(
  recording: Recording,
  { kernel, declaration }: KernelCall<Call>,
  call: Call,
): void {
  const { name } = call;
  const opcodes: Readonly<Record<string, Opcode | string>> = Opcode;
  const opcode = opcodes[kernel];
  if (!declaration || typeof opcode !== 'number')
    throw new EngineError(`${name}: the wasm engine has no kernel ${kernel}`);
  const values = [
    ...Object.keys(declaration.tensors).map((role) => {
      const tensor = tensorOf(call, role);
      return tensor ? recording.address(name, tensor) : 0;
    }),
    ...declaration.sizes.map((size) => sizeOf(call, size)),
    ...Object.values(declaration.settings).map(({ as, value }) => (as === 'word' ? value(call) : bitsOf(value(call)))),
  ];
  if (values.length >= Size.instruction / 4)
    throw new EngineError(`${name}: an instruction has ${Size.instruction / 4} words, ${kernel} needs more`);
  const operands: Operands = Object.fromEntries(values.map((value, index) => [index + 1, value]));
  recording.append(name, kernel, '', opcode, operands);
}
