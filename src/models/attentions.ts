/** The kinds of spike-driven self-attention that blocks may have, by the names of Yao et al. (ICLR 2024, appendix): what stands between the neurons of Q, K and V and the projection. */
import type { GraphBuilder } from '../graph/graph.js';
import { coincidence } from '../operators/coincidence.js';
import { gate } from '../operators/gate.js';
import { tokensToMap } from '../operators/reshape.js';
import { spikeAttention } from '../operators/spikeAttention.js';

export const attentionNames = ['sdsa3', 'sdsa1'] as const;
export type AttentionName = (typeof attentionNames)[number];

/** Scale of SDSA-3 whatever the head size: the authors' constant. */
const scale = 0.125;

export interface AttentionParts {
  /** The module's name. */
  readonly name: string;
  /** Maps of spikes, `[T, B, H, W, channels]`. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** A map of the same height and width, there longer than the query. */
  readonly like: string;
  readonly channels: number;
  /** Which SDSA-1 does not need: each channel attends by itself. */
  readonly heads: number;
  /** Appends the attention's own neurons. */
  neurons(name: string, input: string): string;
}

/** Each appends its nodes and returns the name of a map of spikes like the query. */
export const attentionBuilders: Readonly<
  Record<AttentionName, (graph: GraphBuilder, parts: AttentionParts) => string>
> = {
  /** `SN(scale · Q (Kᵀ V))` per head, the attention of Meta-SpikeFormer. */
  sdsa3: (graph, { name, query, key, value, like, channels, heads, neurons }) => {
    const product = spikeAttention(graph, `${name}.product`, { query, key, value }, { channels, heads, scale });
    return tokensToMap(graph, `${name}.map`, neurons(`${name}.attn_lif`, product), like);
  },
  /** `Q ⊗ SN(SUM_c(K ⊗ V))`, the attention of Spike-driven Transformer (V1). */
  sdsa1: (graph, { name, query, key, value, neurons }) => {
    const counts = coincidence(graph, `${name}.coincidences`, { key, value });
    return gate(graph, `${name}.gate`, query, neurons(`${name}.attn_lif`, counts));
  },
};
