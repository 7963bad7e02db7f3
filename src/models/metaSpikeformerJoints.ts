/**
 * Meta-SpikeFormer over the joints of skeletons as a graph: the transformer blocks of Yao et al., "Spike-driven Transformer V2" (ICLR 2024), on rows of joints, as
 * action recognition uses them (`SpikeDrivenTransformerV2` of the authors of PAS-Net). Every frame is one time step. Node names are the authors' module paths.
 *
 * Convolutions are 1×1, so that only attention sees more than one joint, and nothing tells the network their order. The embedding has no neurons. In training the authors
 * do not detach the reset of neurons (`detachReset: false`).
 */
import { z } from 'zod';
import { type Graph, GraphBuilder } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import { add } from '../operators/add.js';
import { average } from '../operators/average.js';
import { batchNorm } from '../operators/batchNorm.js';
import { linear } from '../operators/linear.js';
import { spatialMean, timeMean } from '../operators/means.js';
import { repeatTime } from '../operators/repeatTime.js';
import { mapToTokens, tokensToMap } from '../operators/reshape.js';
import { spikeAttention } from '../operators/spikeAttention.js';
import { joinRow, splitRow } from '../operators/splitRow.js';
import { type Architecture, type ParameterShapes, resolved } from './architecture.js';
import { type Features, type Head, stageMap } from './head.js';
import { neuronBuilders, neuronNames } from './neurons.js';

const channelCount = z.number().int().min(1).max(8192);

/** What distinguishes one of these networks from another. */
export const metaSpikeformerJointsSchema = z
  .strictObject({
    embedDim: channelCount,
    /** Blocks. */
    depth: z.number().int().min(0).max(64),
    heads: z.number().int().min(1).max(256).default(8),
    /** Expansion of the MLPs. */
    mlpRatio: z.number().positive().max(16).default(4),
    /** Numbers of a joint: 3 of a place in space. */
    inputChannels: channelCount.default(3),
    /** Joints for which figures are given; a run takes any number of them. */
    joints: z.number().int().min(1).max(4096).default(25),
    /** Bodies side by side in the input, each a sample of its own inside; the answer is the mean over them. */
    bodies: z.number().int().min(1).max(16).default(1),
    classes: z.number().int().min(1).max(100_000).default(60),
    /** Frames of a sequence. */
    timeSteps: z.number().int().min(1).max(64).default(16),
    /** A second head on the same spikes, trained by a teacher; the answer is the mean of both. */
    distillation: z.boolean().default(false),
    /** What neurons are: leaky integrate-and-fire, without leak, or rectified linear units, which make the float twin. */
    neuron: z.enum(neuronNames).default('lif'),
    /** τ of every leaky neuron, in time steps. */
    tau: z.number().min(1).max(100).default(2),
    threshold: z.number().positive().default(1),
    /** Threshold of the neurons behind the products of attention. */
    attentionThreshold: z.number().positive().default(0.5),
  })
  .refine((c) => c.embedDim % c.heads === 0, { path: ['heads'], error: 'embedDim must be a multiple of heads' });

export type MetaSpikeformerJointsConfiguration = z.output<typeof metaSpikeformerJointsSchema>;

/** Scale of attention whatever the width of heads: the authors' constant. */
const attentionScale = 0.125;

/**
 * Builds the network's graph for a valid configuration. Its input is `[T, B, C, V]`, inside `[T, B, 1, V, C]`; several bodies are `[T, B, C, M·V]` and
 * inside `[T, B·M, 1, V, C]`, as the field folds bodies into the batch. Between attentions values are tokens, a joint each.
 *
 * @param head What stands behind the last block; by default the authors' classifier.
 */
export function metaSpikeformerJoints(
  configuration: MetaSpikeformerJointsConfiguration,
  head: Head = classifier(configuration),
): Graph {
  const { embedDim: channels, depth, heads, inputChannels, joints, bodies, timeSteps, neuron, tau } = configuration;
  const hidden = Math.floor(channels * configuration.mlpRatio);
  const graph = new GraphBuilder('meta-spikeformer-joints', inputChannels, { rowLength: bodies * joints });
  const neurons = (name: string, input: string, threshold = configuration.threshold, within = graph) =>
    neuronBuilders[neuron](within, name, input, { tau, threshold });
  const convolution = (name: string, input: string, inputs: number, outputs: number, bias: boolean) =>
    linear(graph, name, input, { inputChannels: inputs, outputChannels: outputs, bias, layout: 'conv1d' });
  const rows = repeatTime(graph, 'frames', graph.input, timeSteps);
  const frames = bodies === 1 ? rows : splitRow(graph, 'bodies', rows, bodies);
  const toMap = (name: string, tokens: string) => tokensToMap(graph, `${name}.map`, tokens, frames);

  /** A 1×1 convolution and two batch norms in a row. */
  const projection = (name: string, input: string): string =>
    graph.module(name, () => {
      const convolved = convolution(`${name}.0.conv`, input, channels, channels, false);
      return batchNorm(graph, `${name}.1`, batchNorm(graph, `${name}.0.bn`, convolved, channels), channels);
    });

  const attention = (name: string, input: string): string => {
    const spikes = neurons(`${name}.head_lif`, input);
    const fired = (['q', 'k', 'v'] as const).map((letter) =>
      neurons(`${name}.${letter}_lif`, projection(`${name}.${letter}_conv`, spikes)),
    );
    const [query, key, value] = fired.map((layer) => toMap(layer, layer)) as [string, string, string];
    const attributes = { channels, heads, scale: attentionScale };
    const product = spikeAttention(graph, `${name}.product`, { query, key, value }, attributes);
    const selected = neurons(`${name}.attn_lif`, product, configuration.attentionThreshold);
    return graph.stage(name, projection(`${name}.proj_conv`, selected));
  };

  const mlp = (name: string, input: string): string => {
    let y = convolution(`${name}.fc1_conv`, neurons(`${name}.fc1_lif`, input), channels, hidden, true);
    y = batchNorm(graph, `${name}.fc1_bn`, y, hidden);
    y = convolution(`${name}.fc2_conv`, neurons(`${name}.fc2_lif`, y), hidden, channels, true);
    return batchNorm(graph, `${name}.fc2_bn`, y, channels);
  };

  const tokens = mapToTokens(graph, 'patch_embed.tokens', frames);
  const embedded = convolution('patch_embed.proj_conv', tokens, inputChannels, channels, false);
  let x = graph.stage('patch_embed', batchNorm(graph, 'patch_embed.proj_bn', embedded, channels));
  for (let index = 0; index < depth; index++) {
    const name = `blocks.${index}`;
    x = add(graph, `${name}.attn.residual`, attention(`${name}.attn`, x), x);
    x = graph.stage(name, add(graph, `${name}.mlp.residual`, mlp(`${name}.mlp`, x), x));
  }
  const features = toMap(depth === 0 ? 'patch_embed' : `blocks.${depth - 1}`, x);
  const maps = [stageMap(graph, 'blocks', features, channels)];
  const own: Features['neurons'] = (name, input, within) => neurons(name, input, undefined, within);
  head(graph, { maps, features, channels, timeSteps, neurons: own });
  return graph.build();
}

/** Mean over joints, neurons, linear, mean over bodies and time; two heads are outputs of their own, and their average is the answer. */
function classifier({ classes, distillation, bodies }: MetaSpikeformerJointsConfiguration): Head {
  return (graph, { features, channels, neurons }) => {
    const spikes = neurons('head_lif', spatialMean(graph, 'pool', features));
    const scoresOf = (name: string) => {
      const attributes = { inputChannels: channels, outputChannels: classes, bias: true, layout: 'linear' } as const;
      const scores = graph.stage(name, linear(graph, name, spikes, attributes));
      const all =
        bodies === 1 ? scores : spatialMean(graph, `bodies.${name}`, joinRow(graph, `row.${name}`, scores, bodies));
      return timeMean(graph, `mean.${name}`, all);
    };
    const first = scoresOf('head');
    if (!distillation) {
      graph.output(logitsOutput, first, 'logits');
      return;
    }
    const second = scoresOf('head_kd');
    graph.output(logitsOutput, average(graph, 'logits', [first, second]), 'logits');
    graph.output('head', first, 'logits');
    graph.output('head_kd', second, 'distilledLogits');
  };
}

const EMBEDDING = 'patch_embed.proj_conv.weight';
const QUERY = 'blocks.0.attn.q_conv.0.conv.weight';
const HIDDEN = 'blocks.0.mlp.fc1_conv.weight';

function recognise(
  shapes: ParameterShapes,
  given: Partial<MetaSpikeformerJointsConfiguration> = {},
): MetaSpikeformerJointsConfiguration | undefined {
  const embedding = shapes.get(EMBEDDING);
  // A kernel of two dimensions would be an embedding of images.
  if (embedding?.length !== 3 || !shapes.has(QUERY)) return undefined;
  const [embedDim, inputChannels] = embedding as [number, number, number];
  let depth = 1;
  for (const name of shapes.keys()) {
    const index = /^blocks\.(0|[1-9]\d{0,8})\./.exec(name)?.[1];
    if (index !== undefined) depth = Math.max(depth, Number(index) + 1);
  }
  const hidden = shapes.get(HIDDEN)?.[0];
  const classes = shapes.get('head.weight')?.[0] ?? shapes.get('head.bias')?.[0];
  return resolved(metaSpikeformerJointsSchema, {
    embedDim,
    inputChannels,
    depth,
    ...(hidden === undefined ? {} : { mlpRatio: hidden / embedDim }),
    ...(classes === undefined ? {} : { classes }),
    distillation: shapes.has('head_kd.weight'),
    ...given,
  });
}

export const metaSpikeformerJointsArchitecture: Architecture<MetaSpikeformerJointsConfiguration> = {
  name: 'meta-spikeformer-joints',
  title: 'Meta-SpikeFormer over joints',
  schema: metaSpikeformerJointsSchema,
  // Nobody has published weights, or a table of sizes.
  sizes: {},
  parameterNames: {
    anchor: /^blocks\.\d+\.attn\.q_conv\.0\.conv\.weight$/,
    modules: /patch_embed|blocks|head|head_kd/,
    head: /^head(?:_kd)?\./,
    frame: [EMBEDDING, QUERY],
  },
  unseen: ['heads', 'joints', 'bodies', 'timeSteps', 'neuron', 'tau', 'threshold', 'attentionThreshold'],
  build: metaSpikeformerJoints,
  recognise,
};
