/** What a network answered: all its named outputs read back after a run, in the field's layout, and refused where they are no numbers. */
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import { operatorOf } from '../operators/registry.js';
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
    outputs.set(name, inFieldLayout(graph, value, { shape, data: values }));
  }
  return outputs;
}

/** Behind the mean over time vectors have one layout, and maps `[B, H, W, C]` are a step's. */
function inFieldLayout(graph: Graph, value: string, tensor: FieldTensor): FieldTensor {
  const { shape, data } = tensor;
  if (shape.length <= 3) return tensor;
  const node = graph.nodes.find(({ name }) => name === value);
  if (shape.length !== 4 || node === undefined || operatorOf(node).meanOver !== 'time')
    return realToChannelsFirst(data, shape, shape[0]!);
  const once = realToChannelsFirst(data, [1, ...shape], 1);
  return { shape: once.shape.slice(1), data: once.data };
}

function checkFinite(values: Float32Array, name: string, network: string, channels: number): void {
  const bad = firstNonFinite(values);
  if (bad < 0) return;
  const what = name === logitsOutput ? `the score of class ${bad % channels}` : `number ${bad} of the output ${name}`;
  throw new UsageError(`${network}: ${what} is ${values[bad]}; the weights or the input are too large for float32`);
}
