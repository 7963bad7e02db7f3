/** Sums are float64 and rounded to float32 once. */
import type { TimeMeanCall, TimeMeanGradientCall } from '../../calls/timeMean.js';
import { realView } from '../memory.js';

export function timeMean(call: TimeMeanCall): () => void {
  const { name, timeSteps, elements } = call;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let j = 0; j < elements; j++) {
      let sum = 0;
      for (let step = 0; step < timeSteps; step++) sum += input[step * elements + j]!;
      output[j] = sum / timeSteps;
    }
  };
}

export function timeMeanGradient(call: TimeMeanGradientCall): () => void {
  const { name, timeSteps, elements } = call;
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  return () => {
    for (let step = 0; step < timeSteps; step++) {
      for (let j = 0; j < elements; j++) inputGradient[step * elements + j] = outputGradient[j]! / timeSteps;
    }
  };
}
