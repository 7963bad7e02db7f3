/** What a network for retrieval says about one image by itself: its descriptor, which says nothing to a person before it is compared with others. */
import { descriptorsOutput } from '../../models/descriptorHead.js';
import type { Telling } from '../task.js';

export interface Description {
  /** `[D]`, of length 1. */
  readonly descriptor: Float32Array;
}

export const descriptions: Telling<Description> = {
  takes: [],
  decode: (outputs, originals) => {
    const { shape, data } = outputs.get(descriptorsOutput)!;
    const dimensions = shape.at(-1)!;
    return originals.map((_, i) => ({ descriptor: data.slice(i * dimensions, (i + 1) * dimensions) }));
  },
  json: ({ descriptor }) => ({ descriptor: Array.from(descriptor), bits: bitsOf(descriptor) }),
  print: ({ descriptor }, { dim }) => [
    `descriptor of ${descriptor.length} numbers; its signs  ${bitsOf(descriptor).slice(0, 64)}`,
    dim('compare it with those of other images: search'),
  ],
  draw: () => '',
};

/** The signs as hexadecimal digits, four to a digit, the first number in the highest bit; 1 for numbers that are not negative. */
function bitsOf(descriptor: Float32Array): string {
  let text = '';
  for (let start = 0; start < descriptor.length; start += 4) {
    let digit = 0;
    for (let i = 0; i < 4; i++) digit = 2 * digit + ((descriptor[start + i] ?? -1) >= 0 ? 1 : 0);
    text += digit.toString(16);
  }
  return text;
}
