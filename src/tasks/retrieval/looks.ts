/** One descriptor out of those of several looks at an image. */
import { descriptorsOutput } from '../../models/descriptorHead.js';
import type { Outputs } from '../task.js';

/** The means of descriptors, brought to length 1 again; of one look alone its own. */
export function meanDescriptors(looks: readonly Outputs[]): Outputs {
  const parts = looks.map((outputs) => outputs.get(descriptorsOutput)!);
  const [{ shape, data: first }] = parts as [(typeof parts)[0], ...typeof parts];
  if (parts.length === 1) return looks[0]!;
  const dimensions = shape.at(-1)!;
  const data = new Float32Array(first.length);
  for (let start = 0; start < data.length; start += dimensions) {
    let squares = 0;
    for (let d = start; d < start + dimensions; d++) {
      const sum = parts.reduce((total, part) => total + part.data[d]!, 0);
      data[d] = sum;
      squares += sum * sum;
    }
    // Looks that cancel each other out leave no direction.
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let d = start; d < start + dimensions; d++) data[d]! *= scale;
  }
  return new Map([[descriptorsOutput, { shape, data }]]);
}
