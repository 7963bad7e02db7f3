import type { AdamWCall } from '../../calls/adamW.js';
import { doubleView, realView } from '../memory.js';

export function adamW(call: AdamWCall): () => void {
  const { name, lines } = call;
  const [parameters, gradients] = [realView(name, call.parameters), realView(name, call.gradients)];
  const [first, second] = [realView(name, call.firstMoment), realView(name, call.secondMoment)];
  const decays = realView(name, call.decays);
  const numbers = doubleView(name, call.numbers);
  return () => {
    const [scale, firstDecay, firstShare, secondDecay, secondShare] = numbers as unknown as number[];
    const [keep, stepSize, rootScale, epsilon] = numbers.subarray(5) as unknown as number[];
    for (let i = 0; i < 16 * lines; i++) {
      if (scale! < 1) gradients[i] = scale! * gradients[i]!;
      const gradient = gradients[i]!;
      const m = firstDecay! * first[i]! + firstShare! * gradient;
      const v = secondDecay! * second[i]! + secondShare! * gradient * gradient;
      first[i] = m;
      second[i] = v;
      const kept = decays[i >>> 4] === 0 ? parameters[i]! : keep! * parameters[i]!;
      parameters[i] = kept - (stepSize! * m) / (Math.sqrt(v) * rootScale! + epsilon!);
    }
  };
}
