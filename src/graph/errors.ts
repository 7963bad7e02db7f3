import { MetaSpikeformerError } from '../errors.js';

/** A graph cannot be built, or a shape does not fit a node. The message names the node and the shapes. */
export class GraphError extends MetaSpikeformerError {}
