/**
 * MS-ResNet as a graph: Hu et al., "Advancing Spiking Neural Networks toward Deep Residual Learning", TNNLS 2024 (arXiv 2112.08954), the
 * authors' `models/MS_ResNet.py` with basic blocks (18 and 34 layers). Residual connections run between membrane potentials, as in
 * Meta-SpikeFormer, which took them from here. The network of 104 layers has another stem and pools its shortcuts; it is not here.
 *
 * Their neuron, `m = d·m·(1 − s) + x`, `s = [m > θ]`, d = 0.25, θ = 0.5, is the leaky integrate-and-fire neuron with τ = 1/(1 − d) and
 * threshold θ/τ: that one's membrane is `m/τ`. It fires from its threshold on, theirs above it, so the threshold is the next larger float32.
 */
import { z } from 'zod';
import { type Graph, GraphBuilder } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import { add } from '../operators/add.js';
import { batchNorm } from '../operators/batchNorm.js';
import { conv2d } from '../operators/conv2d.js';
import { linear } from '../operators/linear.js';
import { spatialMean, timeMean } from '../operators/means.js';
import { parametersOf } from '../operators/registry.js';
import { repeatTime } from '../operators/repeatTime.js';
import { mapToTokens, tokensToMap } from '../operators/reshape.js';
import {
  type Architecture,
  imagenetNormalisation,
  type ParameterShapes,
  resolved,
  type Variant,
} from './architecture.js';
import { type Head, type StageMap, stageMap } from './head.js';
import { neuronBuilders, neuronNames } from './neurons.js';

const channelCount = z.number().int().min(1).max(8192);
const depth = z.number().int().min(1).max(64);

/** What distinguishes one MS-ResNet from another. */
export const msResNetConfigurationSchema = z.strictObject({
  /** Channels of the four stages; the stem has those of the first. */
  widths: z.tuple([channelCount, channelCount, channelCount, channelCount]).default([64, 128, 256, 512]),
  /** Blocks of the four stages. */
  blocks: z.tuple([depth, depth, depth, depth]),
  inputChannels: channelCount.default(3),
  classes: z.number().int().min(1).max(100_000).default(1000),
  timeSteps: z.number().int().min(1).max(16).default(6),
  /** What neurons are: leaky integrate-and-fire as published, without leak, or rectified linear units, which make the float twin. */
  neuron: z.enum(neuronNames).default('lif'),
  /** τ of every leaky neuron, in time steps: the share 1 − 1/τ of the membrane stays. */
  tau: z
    .number()
    .min(1)
    .max(100)
    .default(4 / 3),
  /** Of the authors' membrane, into which the whole input flows; neurons fire above it. */
  threshold: z.number().positive().default(0.5),
});

export type MsResNetConfiguration = z.output<typeof msResNetConfigurationSchema>;

/** The next larger float32 of a positive number. */
function nextFloat32(value: number): number {
  const words = new Uint32Array(Float32Array.of(value).buffer);
  words[0]! += 1;
  return new Float32Array(words.buffer)[0]!;
}

/** Builds the network's graph for a valid configuration. */
export function msResNet(configuration: MsResNetConfiguration, head: Head = classifier(configuration)): Graph {
  const { widths, blocks, inputChannels, timeSteps, neuron, tau, threshold } = configuration;
  const graph = new GraphBuilder('ms-resnet', inputChannels);
  const neurons = (name: string, input: string, within = graph) =>
    neuronBuilders[neuron](within, name, input, {
      tau,
      threshold: nextFloat32(neuron === 'lif' ? threshold / tau : threshold),
    });
  const norm = (name: string, input: string, channels: number) =>
    batchNorm(graph, name, input, channels, { parameterPrefix: `${name}.bn` });

  /** Neurons, 3×3, norm, neurons, 3×3, norm, and the shortcut: by a 1×1 convolution where the map changes. */
  const block = (name: string, input: string, inputs: number, outputs: number, stride: number): string => {
    const layer = (index: number, x: string, before: number, step: number) => {
      const at = (offset: number) => `${name}.residual_function.${index + offset}`;
      const options = { inputChannels: before, outputChannels: outputs, kernel: 3, stride: step };
      return norm(at(2), conv2d(graph, at(1), neurons(at(0), x), options), outputs);
    };
    // The shortcut first, so that the last convolution can add it as it writes.
    let shortcut = input;
    if (stride !== 1 || inputs !== outputs) {
      const options = { inputChannels: inputs, outputChannels: outputs, kernel: 1, stride };
      shortcut = norm(`${name}.shortcut.1`, conv2d(graph, `${name}.shortcut.0`, input, options), outputs);
    }
    const y = layer(3, layer(0, input, inputs, stride), outputs, 1);
    return graph.stage(name, add(graph, `${name}.residual`, y, shortcut));
  };

  const frames = repeatTime(graph, 'frames', graph.input, timeSteps);
  const stem = { inputChannels, outputChannels: widths[0], kernel: 7, stride: 2 };
  let x = graph.stage('conv1', norm('conv1.1', conv2d(graph, 'conv1.0', frames, stem), widths[0]));
  let channels = widths[0];
  const maps: StageMap[] = [];
  for (const [index, count] of blocks.entries()) {
    const stage = `conv${index + 2}_x`;
    const width = widths[index]!;
    for (let i = 0; i < count; i++) {
      x = block(`${stage}.${i}`, x, channels, width, i === 0 ? 2 : 1);
      channels = width;
    }
    maps.push(stageMap(graph, stage, x, width));
  }
  head(graph, { maps, features: x, channels, timeSteps, neurons });
  return graph.build();
}

/**
 * Neurons, linear, mean over space, mean over time. The authors take the means first; a linear layer's result is the same, and here it is
 * fed by spikes.
 */
function classifier({ classes }: MsResNetConfiguration): Head {
  return (graph, { features, channels, neurons }) => {
    const spikes = neurons('mem_update', features);
    const layer = { inputChannels: channels, outputChannels: classes, bias: true, layout: 'linear' } as const;
    const scores = linear(graph, 'fc', mapToTokens(graph, 'fc.tokens', spikes), layer);
    const pooled = spatialMean(graph, 'pool', tokensToMap(graph, 'fc.map', scores, spikes));
    graph.output(logitsOutput, timeMean(graph, 'fc.mean', pooled), 'logits');
  };
}

const STEM = 'conv1.0.weight';
const firstOf = (stage: number) => `conv${stage}_x.0.residual_function.1.weight`;
const stages = [2, 3, 4, 5];

function recognise(
  shapes: ParameterShapes,
  given: Partial<MsResNetConfiguration> = {},
): MsResNetConfiguration | undefined {
  const stem = shapes.get(STEM);
  const widths = stages.map((stage) => shapes.get(firstOf(stage))?.[0]);
  if (stem?.length !== 4 || widths.some((width) => width === undefined)) return undefined;
  const blocks = stages.map(() => 1);
  for (const name of shapes.keys()) {
    const [, stage, index] = /^conv([2-5])_x\.(0|[1-9]\d{0,8})\./.exec(name) ?? [];
    if (stage !== undefined) blocks[Number(stage) - 2] = Math.max(blocks[Number(stage) - 2]!, Number(index) + 1);
  }
  const classes = shapes.get('fc.weight')?.[0] ?? shapes.get('fc.bias')?.[0];
  const seen = { widths, blocks, inputChannels: stem[1], ...(classes === undefined ? {} : { classes }) };
  return resolved(msResNetConfigurationSchema, { ...seen, ...given });
}

/** The authors start with the threshold of their norms, and with 0 at the end of a block, which is then the identity. */
function startingScales(configuration: MsResNetConfiguration): ReadonlyMap<string, number> {
  const scales = parametersOf(msResNet(configuration)).filter(({ name }) => name.endsWith('.bn.weight'));
  const ends = /\.residual_function\.5\.bn\.weight$/;
  return new Map(scales.map(({ name }) => [name, ends.test(name) ? 0 : configuration.threshold]));
}

const published = (blocks: MsResNetConfiguration['blocks']): Variant<MsResNetConfiguration> => ({
  configuration: { blocks },
  provenance:
    'Hu et al., Advancing Spiking Neural Networks toward Deep Residual Learning, TNNLS 2024: ImageNet-1K, T = 6',
  inputSize: [224, 224],
  normalisation: imagenetNormalisation,
});

export const msResNetArchitecture: Architecture<MsResNetConfiguration> = {
  name: 'ms-resnet',
  title: 'MS-ResNet',
  schema: msResNetConfigurationSchema,
  sizes: { 'ms-resnet-18': published([2, 2, 2, 2]), 'ms-resnet-34': published([3, 4, 6, 3]) },
  parameterNames: {
    anchor: /^conv[2-5]_x\.0\.residual_function\.1\.weight$/,
    modules: /conv1|conv[2-5]_x|fc/,
    head: /^fc\./,
    frame: [STEM, ...stages.map(firstOf)],
  },
  unseen: ['timeSteps', 'neuron', 'tau', 'threshold'],
  build: msResNet,
  recognise,
  startingScales,
};
