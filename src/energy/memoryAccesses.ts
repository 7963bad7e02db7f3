/**
 * Reads and writes that a chip which works spike by spike would make, counted from what was counted before. Every addition reads a weight and reads and writes
 * the sum that it changes; every multiplication reads a number besides. Every neuron reads and writes its membrane and writes its bit once a
 * step, and every layer reads the bits of the neurons that feed it once. Nothing is assumed to stay in registers: an upper bound.
 */
import type { MemoryConstants } from './constants.js';

export interface MemoryAccesses {
  readonly weightReads: number;
  readonly membraneReads: number;
  readonly membraneWrites: number;
  readonly spikeReads: number;
  readonly spikeWrites: number;
}

export interface CountedWork {
  readonly kind: 'convolution' | 'linear' | 'attention';
  /** Over all images and time steps. */
  readonly additions: number;
  readonly multiplications: number;
  /** Bits of neurons that the layer reads, over all images and time steps. */
  readonly neuronsRead: number;
}

/**
 * A layer's accesses. Both products of attention add integers that spikes select: sums are read instead of weights. Of numbers they multiply two that are read.
 */
export function accessesOfLayer({ kind, additions, multiplications, neuronsRead }: CountedWork): MemoryAccesses {
  const operations = additions + multiplications;
  const attention = kind === 'attention';
  return {
    weightReads: attention ? 0 : operations,
    membraneReads: operations + multiplications + (attention ? operations : 0),
    membraneWrites: operations,
    spikeReads: neuronsRead,
    spikeWrites: 0,
  };
}

/** @param updates Neurons times images times time steps. */
export function accessesOfNeurons(updates: number): MemoryAccesses {
  return { weightReads: 0, membraneReads: updates, membraneWrites: updates, spikeReads: 0, spikeWrites: updates };
}

/**
 * What the same layer of the network with ReLU reads and writes: numbers where spikes were, so a number is read with every multiplication; of attention's products two, and no
 * weight.
 */
export function accessesOfAnnLayer(kind: CountedWork['kind'], multiplications: number): MemoryAccesses {
  const attention = kind === 'attention';
  return {
    weightReads: attention ? 0 : multiplications,
    membraneReads: (attention ? 3 : 2) * multiplications,
    membraneWrites: multiplications,
    spikeReads: 0,
    spikeWrites: 0,
  };
}

/** Every ReLU reads a sum and writes a number, once. */
export function accessesOfRelus(count: number): MemoryAccesses {
  return { weightReads: 0, membraneReads: count, membraneWrites: count, spikeReads: 0, spikeWrites: 0 };
}

/** @param images The sum is divided by them. */
export function sumOfAccesses(accesses: readonly MemoryAccesses[], images = 1): MemoryAccesses {
  const total = (field: keyof MemoryAccesses) => accesses.reduce((sum, each) => sum + each[field], 0) / images;
  return {
    weightReads: total('weightReads'),
    membraneReads: total('membraneReads'),
    membraneWrites: total('membraneWrites'),
    spikeReads: total('spikeReads'),
    spikeWrites: total('spikeWrites'),
  };
}

/** Picojoules. */
export function energyOfAccesses(accesses: MemoryAccesses, constants: MemoryConstants): number {
  return (
    accesses.weightReads * constants.weightRead +
    accesses.membraneReads * constants.membraneRead +
    accesses.membraneWrites * constants.membraneWrite +
    accesses.spikeReads * constants.spikeRead +
    accesses.spikeWrites * constants.spikeWrite
  );
}
