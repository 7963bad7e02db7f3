/** The kinds of neurons that every architecture's layers may be made of: the published ones, and others for comparisons. */
import { integrateAndFire } from '../operators/integrateAndFire.js';
import { lif } from '../operators/lif.js';
import { relu } from '../operators/relu.js';

/** The operators that may be a network's neurons. */
export const neuronNames = ['lif', 'integrateAndFire', 'relu'] as const;
export type NeuronName = (typeof neuronNames)[number];

/** Each appends neurons of its kind, whatever the layer is called. Kinds take of τ and threshold what they have. */
export const neuronBuilders: Readonly<Record<NeuronName, typeof lif>> = { lif, integrateAndFire, relu };
