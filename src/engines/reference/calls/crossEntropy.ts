import type { CrossEntropyCall } from '../../calls/crossEntropy.js';
import { doubleView, realView } from '../memory.js';

export function crossEntropy(call: CrossEntropyCall): () => void {
  const { name, rows, classes } = call;
  const scores = realView(name, call.scores);
  const labels = call.labels && realView(name, call.labels);
  const targets = call.targets && realView(name, call.targets);
  const numbers = doubleView(name, call.numbers);
  const gradient = realView(name, call.gradient);
  const [losses, likeliest] = [realView(name, call.losses), realView(name, call.likeliest)];
  return () => {
    const [scale, smoothing] = numbers as unknown as [number, number];
    for (let row = 0; row < rows; row++) {
      const [start, end] = [row * classes, (row + 1) * classes];
      const z = scores.subarray(start, end);
      const largest = z.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
      likeliest[row] = Math.max(0, z.indexOf(largest));
      const logNorm = largest + Math.log(z.reduce((sum, score) => sum + Math.exp(score - largest), 0));
      const label = labels ? labels[row]! : 0;
      const counts = !labels || (Number.isInteger(label) && label >= 0 && label < classes);
      const target = (k: number) =>
        targets ? targets[start + k]! : (k === label ? 1 - smoothing : 0) + smoothing / classes;
      const mass = targets ? targets.subarray(start, end).reduce((sum, value) => sum + value, 0) : 1;
      let loss = 0;
      for (let k = 0; k < classes; k++) {
        const logProbability = z[k]! - logNorm;
        if (target(k) !== 0) loss -= target(k) * logProbability;
        gradient[start + k] = counts ? scale * (mass * Math.exp(logProbability) - target(k)) : 0;
      }
      losses[row] = counts ? loss : 0;
    }
  };
}
