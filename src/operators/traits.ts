/**
 * What readers of a graph ask of an operator in place of its name: each trait is one fact, and an operator has those that are true of it. Passes, calibration, energy,
 * export and the page read traits, so that a new operator is its own file and a line of the registry.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import type { NeuronDynamics } from '../engines/neuronDynamics.js';
import type { Attributes, Node } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';

/** What neurons are, whatever they give out; whether that is spikes says the operator's `kind`. */
export interface NeuronTraits<A extends Attributes = Attributes> {
  /** One step of one neuron. */
  dynamics(attributes: A): NeuronDynamics;
  /** τ in time steps (infinite without a leak) and θ, for people to look at. */
  constants(attributes: A): { readonly tau: number; readonly threshold: number };
  /** What a step leaves changes the next: the membrane. */
  readonly hasState: boolean;
  /** How often an input with one time step is shown; 1 when as long as it is. */
  shownFor(attributes: A): number;
  /** The same neurons, an input with one time step shown so often. */
  showFor(attributes: A, timeSteps: number): A;
}

/** A layer whose result is linear in its first input, with the parameter `weight` `[outputs, …]` and, if it has one, `bias` `[outputs]`. */
export interface AffineTraits<A extends Attributes = Attributes> {
  hasBias(attributes: A): boolean;
  withBias(attributes: A): A;
}

/** Normalisation of channels by statistics: an affine map per channel once they are fixed. */
export interface NormalisationTraits<A extends Attributes = Attributes> {
  /** `y = scale · x + shift` by the running statistics, in float64. */
  affine(
    attributes: A,
    parameter: (localName: string) => Float32Array,
  ): { readonly scale: Float64Array; readonly shift: Float64Array };
  /** The two nodes that train in place of one with a border: the plain normalisation, and the border behind it. Undefined without a border. */
  withoutBorder(node: Node<A>): readonly [Node, Node] | undefined;
}

/** A convolution's window, as PyTorch describes it. */
export interface ConvolutionWindow {
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Height, width. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly groups: number;
  readonly bias: boolean;
}

/** The same input at every time step. */
export interface TimeRepetitionTraits<A extends Attributes = Attributes> {
  timeSteps(attributes: A): number;
  /** Shown `timeSteps` times. */
  withTimeSteps(attributes: A, timeSteps: number): A;
}

/** `scale · Q (Kᵀ V)` per head, of the inputs 0, 1 and 2. */
export interface AttentionProduct {
  readonly heads: number;
  readonly scale: number;
}

/** Sums that spikes select: what they cost depends on how many neurons fire. Of one image and time step. */
export type SelectedSums =
  /** Every spike adds a column of weights to the outputs whose windows are over it. A linear layer is a 1×1 convolution of its tokens. */
  | { readonly kind: 'convolution' | 'linear'; readonly geometry: ConvolutionGeometry }
  /** No weights: what is added are spikes themselves and counts of them. */
  | { readonly kind: 'attention'; readonly attention: AttentionSize; readonly sums: readonly SpikeSum[] };

/** Additions without weights that spikes cause; inputs are given as places in `EnergyTraits.selectors`. */
export type SpikeSum =
  /** One whenever, at a token, a spike of one input meets a spike of the other in the same head. */
  | { readonly of: 'coincidences'; readonly one: number; readonly other: number }
  /** `width` for every spike of an input: it selects a row of so many numbers. */
  | { readonly of: 'rows'; readonly input: number; readonly width: number };

export interface AttentionSize {
  readonly tokens: number;
  readonly channels: number;
  /** Channels meet within their head alone. */
  readonly heads: number;
}

/** What an operator does with spikes, for the account of energy. */
export interface EnergyTraits<A extends Attributes = Attributes> {
  /**
   * Inputs that select what is added. When all of them carry spikes the layer adds and nothing else; when one carries numbers it multiplies. What is
   * selected are the layer's weights, or counts of the inputs themselves.
   */
  readonly selectors: readonly number[];
  /** The layer that is counted, for shapes with one image and one time step. */
  layer(attributes: A, inputs: readonly Shape[], output: Shape): SelectedSums;
}

export interface OperatorTraits<A extends Attributes = Attributes> {
  /** The result has its first input's memory in another shape: nothing runs. */
  readonly isView?: boolean;
  /** The name of the view that needs nothing but this one's result to give its first input's shape back. */
  readonly viewedBackBy?: string;
  /** Inputs that lend their height and width and nothing else: no number of theirs is read, their time steps do not count, and they get no gradient. */
  readonly lendShape?: readonly number[];
  readonly neuron?: NeuronTraits<A>;
  readonly affine?: AffineTraits<A>;
  /** A second input is a residual that is added to the result. */
  readonly takesResidual?: boolean;
  readonly normalisation?: NormalisationTraits<A>;
  /** Pixels that are added around maps; 0 for none. */
  border?(attributes: A): number;
  convolution?(attributes: A): ConvolutionWindow;
  /** The sum of its inputs, element by element. */
  readonly isSum?: boolean;
  /** The axes that it takes the mean over. Behind a mean over time there is one time step, or no such axis. */
  readonly meanOver?: 'space' | 'time';
  readonly timeRepetition?: TimeRepetitionTraits<A>;
  attention?(attributes: A): AttentionProduct;
  readonly energy?: EnergyTraits<A>;
}
