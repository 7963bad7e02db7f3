/** What a network answered: all its named outputs read back after a run, in the field's layout, and refused where they are no numbers. */
import { UsageError } from '../errors.js';
import { logitsOutput } from '../graph/outputs.js';
import type { Executable } from '../runtime/compile.js';
import { firstNonFinite, realToChannelsFirst } from '../runtime/layout.js';
import type { FieldTensor, Outputs } from './types.js';

/**
 * @param network For messages.
 * @throws UsageError when an output holds something that is not finite.
 */
export async function readOutputs({ graph, program, shapes, tensor }: Executable, network: string): Promise<Outputs> {
  const outputs = new Map<string, FieldTensor>();
  for (const [name, { value }] of graph.outputs) {
    const shape = shapes.get(value)!;
    const values = await program.read(tensor(value));
    checkFinite(values, name, network, shape.at(-1)!);
    // Behind the mean over time there is one layout.
    outputs.set(name, shape.length <= 3 ? { shape, data: values } : realToChannelsFirst(values, shape, shape[0]!));
  }
  return outputs;
}

function checkFinite(values: Float32Array, name: string, network: string, channels: number): void {
  const bad = firstNonFinite(values);
  if (bad < 0) return;
  const what = name === logitsOutput ? `the score of class ${bad % channels}` : `number ${bad} of the output ${name}`;
  throw new UsageError(`${network}: ${what} is ${values[bad]}; the weights or the input are too large for float32`);
}
