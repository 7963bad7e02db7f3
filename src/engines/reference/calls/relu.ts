import type { ReluCall, ReluGradientCall } from '../../calls/relu.js';
import { realView } from '../memory.js';

export function relu(call: ReluCall): () => void {
  const input = realView(call.name, call.input);
  const output = realView(call.name, call.output);
  return () => {
    for (let i = 0; i < output.length; i++) output[i] = Math.max(0, input[i]!);
  };
}

export function reluGradient(call: ReluGradientCall): () => void {
  const { name, accumulate } = call;
  const input = realView(name, call.input);
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  return () => {
    for (let i = 0; i < inputGradient.length; i++) {
      const gradient = input[i]! > 0 ? outputGradient[i]! : 0;
      inputGradient[i] = accumulate ? inputGradient[i]! + gradient : gradient;
    }
  };
}
