/** Sequences that are held in memory which threads share, each with its own number of frames: what becomes of arrays that are too large to hold as they are stored. */
import { sharedBytes } from '../datasets/sharedBytes.js';
import { axes, type SkeletonSequence } from './skeletonSequence.js';

/** It can be sent to another thread. */
export interface HeldSequences {
  readonly kind: 'held';
  /** What messages call it; sequences are numbered behind it. */
  readonly name: string;
  readonly joints: number;
  /** Bodies of every sequence that is read. */
  readonly bodies: number;
  /** Floats of sequences, `[frames, its bodies, joints, 3]` one behind the other. */
  readonly blocks: readonly Float32Array[];
  /** `[sequences, 5]`: number in the file, block, first float, frames, and bodies that are held; further ones are zeros. */
  readonly places: Float64Array;
}

const placeFields = 5;

export function heldCount({ places }: HeldSequences): number {
  return places.length / placeFields;
}

function placeOf({ places }: HeldSequences, position: number) {
  const [number, block, start, frames, bodies] = places.subarray(placeFields * position, placeFields * (position + 1));
  return { number: number!, block: block!, start: start!, frames: frames!, bodies: bodies! };
}

/** Which sequence of the file it is, counted from 0. */
export function heldNumber(store: HeldSequences, position: number): number {
  return placeOf(store, position).number;
}

export function heldName(store: HeldSequences, position: number): string {
  return `${store.name} ${heldNumber(store, position)}`;
}

/** The floats of a sequence as they are held. */
export function heldFloats(store: HeldSequences, position: number): Float32Array {
  const { block, start, frames, bodies } = placeOf(store, position);
  return store.blocks[block]!.subarray(start, start + frames * bodies * store.joints * axes);
}

/** A copy. */
export function heldSequence(store: HeldSequences, position: number): SkeletonSequence {
  const { frames, bodies } = placeOf(store, position);
  const size = store.joints * axes;
  const floats = heldFloats(store, position);
  const positions = new Float64Array(frames * store.bodies * size);
  for (let frame = 0; frame < frames; frame++)
    positions.set(floats.subarray(frame * bodies * size, (frame + 1) * bodies * size), frame * store.bodies * size);
  return { name: heldName(store, position), frames, bodies: store.bodies, joints: store.joints, positions };
}

/** Floats of a block: 32 MiB, so that little is asked for in vain. */
const blockFloats = 1 << 23;

/** Takes sequences in; asks the memory budget block by block. */
export class SequenceHolder {
  readonly #name: string;
  readonly #joints: number;
  readonly #bodies: number;
  readonly #blocks: Float32Array[] = [];
  readonly #places: number[] = [];
  /** Floats of the last block that are taken. */
  #used = 0;

  constructor(name: string, bodies: number, joints: number) {
    this.#name = name;
    this.#bodies = bodies;
    this.#joints = joints;
  }

  /**
   * Copies the frames of a sequence, without the bodies at the end that are 0 in all of them.
   *
   * @param number What messages call it.
   * @param values `[frames, bodies, joints, 3]`
   * @throws DataError when the memory that data may take is used up.
   */
  add(number: number, values: Float64Array, frames: number): void {
    const size = this.#joints * axes;
    const bodies = this.#bodiesIn(values, frames);
    const block = this.#room(frames * bodies * size);
    this.#places.push(number, this.#blocks.length - 1, this.#used, frames, bodies);
    for (let frame = 0; frame < frames; frame++) {
      const from = frame * this.#bodies * size;
      block.set(values.subarray(from, from + bodies * size), this.#used);
      this.#used += bodies * size;
    }
  }

  held(): HeldSequences {
    const bytes = sharedBytes(8 * this.#places.length, this.#name);
    const places = new Float64Array(bytes.buffer);
    places.set(this.#places);
    const [name, joints, bodies] = [this.#name, this.#joints, this.#bodies];
    return { kind: 'held', name, joints, bodies, blocks: this.#blocks, places };
  }

  #bodiesIn(values: Float64Array, frames: number): number {
    const size = this.#joints * axes;
    for (let bodies = this.#bodies; bodies > 1; bodies--) {
      for (let frame = 0; frame < frames; frame++) {
        const end = (frame * this.#bodies + bodies) * size;
        for (let i = end - size; i < end; i++) if (values[i] !== 0) return bodies;
      }
    }
    return 1;
  }

  #room(floats: number): Float32Array {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.length - this.#used >= floats) return last;
    const length = Math.max(floats, blockFloats);
    const block = new Float32Array(sharedBytes(4 * length, `${this.#name}: its sequences`).buffer);
    this.#blocks.push(block);
    this.#used = 0;
    return block;
  }
}
