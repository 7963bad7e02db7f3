/** The root is float64 and rounded to float32; the sum is float64. */
import type { TemperatureCall, TemperatureGradientCall } from '../../calls/temperature.js';
import { realView } from '../memory.js';

export function temperature(call: TemperatureCall): () => void {
  const input = realView(call.name, call.input);
  const logarithm = realView(call.name, call.logarithm);
  const output = realView(call.name, call.output);
  return () => {
    const root = Math.fround(Math.sqrt(Math.min(Math.exp(logarithm[0]!), call.limit)));
    for (let i = 0; i < call.elements; i++) output[i] = input[i]! * root;
  };
}

export function temperatureGradient(call: TemperatureGradientCall): () => void {
  const input = realView(call.name, call.input);
  const logarithm = realView(call.name, call.logarithm);
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  const logarithmGradient = realView(call.name, call.logarithmGradient);
  return () => {
    const factor = Math.exp(logarithm[0]!);
    const root = Math.fround(Math.sqrt(Math.min(factor, call.limit)));
    let sum = 0;
    for (let i = 0; i < call.elements; i++) {
      sum += outputGradient[i]! * input[i]!;
      const gradient = Math.fround(outputGradient[i]! * root);
      inputGradient[i] = call.accumulate ? inputGradient[i]! + gradient : gradient;
    }
    if (factor <= call.limit) logarithmGradient[0] = logarithmGradient[0]! + 0.5 * root * sum;
  };
}
