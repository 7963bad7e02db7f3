import type { AddCall, AddConstantCall } from '../../calls/add.js';
import { realView } from '../memory.js';

export function add(call: AddCall): () => void {
  const { name } = call;
  const output = realView(name, call.output);
  const a = realView(name, call.a);
  const b = realView(name, call.b);
  return () => {
    for (let i = 0; i < output.length; i++) output[i] = a[i % a.length]! + b[i % b.length]!;
  };
}

export function addConstant({ name, tensor, value }: AddConstantCall): () => void {
  const values = realView(name, tensor);
  const constant = realView(name, value);
  return () => {
    for (let i = 0; i < values.length; i++) values[i]! += constant[0]!;
  };
}
