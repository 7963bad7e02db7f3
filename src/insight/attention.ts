/**
 * SDSA-3 taken apart for people: per head, which tokens Q selects and what Kᵀ V counted. The same integers as in the engines' kernel
 * (`Q (Kᵀ V)`, before the scale), told from the recorded spikes of the three neuron layers.
 */
import { UsageError } from '../errors.js';
import { formatShape } from '../graph/shape.js';
import type { PackedSpikes } from '../inference/types.js';
import { fires } from '../runtime/layout.js';

/** One head at one time step. Tokens are numbered row by row; channels are the head's own. */
export interface AttentionHead {
  readonly channels: number;
  /** `[channels, channels]`: at how many tokens channel i of K and channel j of V fired together. */
  readonly coincidences: Uint32Array;
  /** Per token, how many spikes of Q it has here: how many rows of Kᵀ V it takes. */
  readonly selected: Uint32Array;
  /** Per token, how many of the coincidences happened there. */
  readonly contributed: Uint32Array;
  /** Per token, the sum of Q (Kᵀ V) over the head's channels, before the scale. */
  readonly result: Uint32Array;
}

export interface AttentionSpikes {
  readonly query: PackedSpikes;
  readonly key: PackedSpikes;
  readonly value: PackedSpikes;
}

/**
 * @param heads How many heads share the channels.
 * @throws UsageError when the three do not have one shape `[T, B, H, W, C]`, the heads do not divide the channels, or there is no such step or image.
 */
export function attentionHeads(
  spikes: AttentionSpikes,
  heads: number,
  { timeStep, image = 0 }: { readonly timeStep: number; readonly image?: number },
): readonly AttentionHead[] {
  const { shape } = spikes.query;
  const [timeSteps, images, height, width, channels] = shape as [number, number, number, number, number];
  const alike = [spikes.key, spikes.value].every((other) => formatShape(other.shape) === formatShape(shape));
  if (shape.length !== 5 || !alike || channels % heads !== 0)
    throw new UsageError(
      `attention: query ${formatShape(shape)}, key ${formatShape(spikes.key.shape)}, value ${formatShape(spikes.value.shape)}; expected one shape [T, B, H, W, C] and C a multiple of ${heads} heads`,
    );
  if (!(timeStep >= 0 && timeStep < timeSteps && image >= 0 && image < images))
    throw new UsageError(`attention: step ${timeStep} of image ${image} is not in ${formatShape(shape)}`);
  const tokens = height * width;
  const firingOf = ({ words }: PackedSpikes) => firingChannels(words, (timeStep * images + image) * tokens, channels);
  const [query, key, value] = [firingOf(spikes.query), firingOf(spikes.key), firingOf(spikes.value)];
  return Array.from({ length: heads }, (_, head) => headOf(query, key, value, tokens, head, channels / heads));
}

type Firing = (token: number, first: number, last: number) => readonly number[];

/** The channels in [first, last) that fire at a token, counted from `first`. */
function firingChannels(words: Uint32Array, firstPosition: number, channels: number): Firing {
  return (token, first, last) => {
    const firing: number[] = [];
    for (let channel = first; channel < last; channel++)
      if (fires(words, channels, firstPosition + token, channel)) firing.push(channel - first);
    return firing;
  };
}

function headOf(
  query: Firing,
  key: Firing,
  value: Firing,
  tokens: number,
  head: number,
  channels: number,
): AttentionHead {
  const [first, last] = [head * channels, (head + 1) * channels];
  const coincidences = new Uint32Array(channels * channels);
  const contributed = new Uint32Array(tokens);
  for (let token = 0; token < tokens; token++) {
    const keys = key(token, first, last);
    const values = value(token, first, last);
    contributed[token] = keys.length * values.length;
    for (const row of keys) for (const column of values) coincidences[row * channels + column]! += 1;
  }
  const rowSums = Array.from({ length: channels }, (_, row) =>
    coincidences.subarray(row * channels, (row + 1) * channels).reduce((sum, count) => sum + count, 0),
  );
  const selected = new Uint32Array(tokens);
  const result = new Uint32Array(tokens);
  for (let token = 0; token < tokens; token++) {
    const rows = query(token, first, last);
    selected[token] = rows.length;
    result[token] = rows.reduce((sum, row) => sum + rowSums[row]!, 0);
  }
  return { channels, coincidences, selected, contributed, result };
}
