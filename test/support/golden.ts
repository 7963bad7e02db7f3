/** Golden files of the shared folder: a JSON that describes, and a safetensors file of its name. */
import { readFileSync } from 'node:fs';
import { sharedPath } from '../shared.js';
import { type FixtureTensor, readTensors } from './safetensors.js';

export interface Golden<Description> {
  readonly json: Description;
  tensor(name: string): FixtureTensor;
  /** Of a tensor, as float32. */
  floats(name: string): Float32Array;
}

/** The golden `shared/golden/PARTS`, or undefined without the shared folder. */
export function sharedGolden<Description>(...parts: readonly string[]): Golden<Description> | undefined {
  const [json, data] = ['json', 'safetensors'].map((ending) => {
    const [last, ...folders] = parts.toReversed();
    return sharedPath('golden', ...folders.toReversed(), `${last}.${ending}`);
  });
  if (json === undefined || data === undefined) return undefined;
  const tensor = readTensors(data);
  return {
    json: JSON.parse(readFileSync(json, 'utf8')) as Description,
    tensor,
    floats: (name) => Float32Array.from(tensor(name).values),
  };
}
