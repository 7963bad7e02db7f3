/**
 * Meta-SpikeFormer as a graph, block for block as the paper's figure shows it: Yao et al., "Spike-driven Transformer V2",
 * ICLR 2024 (arXiv 2404.03663). Node names are the authors' module paths, so that parameters carry the names of their
 * `state_dict`. Residual connections run between membrane potentials (MS shortcut): every convolution but the first is fed by spikes.
 */
import { z } from 'zod';
import { type Graph, GraphBuilder } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import { add } from '../operators/add.js';
import { average } from '../operators/average.js';
import { batchNorm } from '../operators/batchNorm.js';
import { conv2d } from '../operators/conv2d.js';
import { linear } from '../operators/linear.js';
import { spatialMean, timeMean } from '../operators/means.js';
import { repeatTime } from '../operators/repeatTime.js';
import { mapToTokens, tokensToMap } from '../operators/reshape.js';
import { attentionBuilders, attentionNames } from './attentions.js';
import { detectionStridesNames, type Features, type Head, type StageMap, stageMap } from './head.js';
import { neuronBuilders, neuronNames } from './neurons.js';

const channelCount = z.number().int().min(1).max(8192);
const depth = z.number().int().min(0).max(64);
const stride = z.number().int().min(1).max(4);

/** What distinguishes one Meta-SpikeFormer from another. Files and options pass through this schema. */
export const metaSpikeformerConfigurationSchema = z
  .strictObject({
    /** Channels of the stages 1_2, 2, 3 and 4; stage 1_1 has half of the first. */
    embedDim: z.tuple([channelCount, channelCount, channelCount, channelCount]),
    heads: z.number().int().min(1).max(256).default(8),
    /** Expansion of the channel convolutions and of the MLPs. */
    mlpRatio: z.number().positive().max(16).default(4),
    /** Blocks in the stages 1_1, 1_2, 2, 3 and 4. */
    depths: z.tuple([depth, depth, depth, depth, depth]).default([1, 1, 2, 6, 2]),
    /** Strides of the stem and of the four downsampling convolutions; small images need 1,2,2,1,1. */
    strides: z.tuple([stride, stride, stride, stride, stride]).default([2, 2, 2, 2, 1]),
    /** Kernel of the stem, odd. */
    stemKernel: z
      .number()
      .int()
      .min(1)
      .max(15)
      .refine((size) => size % 2 === 1, 'the stem kernel must be odd')
      .default(7),
    inputChannels: channelCount.default(3),
    classes: z.number().int().min(1).max(100_000).default(1000),
    timeSteps: z.number().int().min(1).max(16).default(1),
    /** A second head on the same spikes, trained by a teacher; the answer is the mean of both. */
    distillation: z.boolean().default(false),
    /** What attention is: the published SDSA-3, or SDSA-1 of its forerunner, whose cost does not grow with the width of heads. */
    attention: z.enum(attentionNames).default('sdsa3'),
    /** What neurons are: leaky integrate-and-fire, without leak, or rectified linear units, which make the float twin. */
    neuron: z.enum(neuronNames).default('lif'),
    /** τ of every leaky neuron, in time steps. */
    tau: z.number().min(1).max(100).default(2),
    threshold: z.number().positive().default(1),
    /** Threshold of the neurons behind the products, or the counts, of attention. */
    attentionThreshold: z.number().positive().default(0.5),
    /** Channels of the feature pyramid, where the task has one; left out, 128, or 256 where there are `regionChannels`. */
    pyramidChannels: channelCount.optional(),
    /** Makes a detector one with regions (Mask R-CNN): the width of the two hidden layers that classify them, 1024 in the published one. */
    regionChannels: channelCount.optional(),
    /** Where anchors and regions of a detector lie: at the strides that the maps have (left out), or at those of the published configuration, which doubles them from map to map. */
    detectionStrides: z.enum(detectionStridesNames).optional(),
  })
  .refine((c) => c.embedDim[0] % 2 === 0, {
    path: ['embedDim'],
    error: 'the first embedDim must be even: stage 1_1 has half of it',
  })
  .refine((c) => c.embedDim[2] % c.heads === 0 && c.embedDim[3] % c.heads === 0, {
    path: ['heads'],
    error: 'the last two embedDim must be multiples of heads',
  })
  .refine((c) => c.detectionStrides === undefined || c.regionChannels !== undefined, {
    path: ['detectionStrides'],
    error: 'only a detector with regions (regionChannels) has them; leave them out',
  })
  .refine((c) => c.attention !== 'sdsa1' || c.neuron !== 'relu', {
    path: ['attention'],
    error: 'sdsa1 counts spikes and relu gives out numbers; choose sdsa3, or neurons that spike',
  });

export type MetaSpikeformerConfiguration = z.output<typeof metaSpikeformerConfigurationSchema>;
export type MetaSpikeformerOptions = z.input<typeof metaSpikeformerConfigurationSchema>;

/** SepConv widens by this factor between its two pointwise convolutions. */
const separableExpansion = 2;

/**
 * Builds the network's graph for a valid configuration.
 *
 * @param head What stands behind the last stage; by default the authors' classifier.
 */
export function metaSpikeformer(
  configuration: MetaSpikeformerConfiguration,
  head: Head = classifier(configuration),
): Graph {
  return new MetaSpikeformerBuilder(configuration).build(head);
}

/** Mean over space, neurons, linear, mean over time; two heads are outputs of their own, and their average is the answer. */
function classifier({ classes, distillation }: MetaSpikeformerConfiguration): Head {
  return (graph, { features, channels, neurons }) => {
    const spikes = neurons('lif', spatialMean(graph, 'pool', features));
    const head = (name: string) => {
      const attributes = { inputChannels: channels, outputChannels: classes, bias: true, layout: 'linear' } as const;
      return timeMean(graph, `${name}.mean`, linear(graph, name, spikes, attributes));
    };
    const first = head('head');
    if (!distillation) {
      graph.output(logitsOutput, first, 'logits');
      return;
    }
    const second = head('head_kd');
    graph.output(logitsOutput, average(graph, 'logits', [first, second]), 'logits');
    graph.output('head', first, 'logits');
    graph.output('head_kd', second, 'distilledLogits');
  };
}

class MetaSpikeformerBuilder {
  readonly #configuration: MetaSpikeformerConfiguration;
  readonly #graph: GraphBuilder;

  constructor(configuration: MetaSpikeformerConfiguration) {
    this.#configuration = configuration;
    this.#graph = new GraphBuilder('meta-spikeformer', configuration.inputChannels);
  }

  build(head: Head): Graph {
    const { embedDim, depths, strides, stemKernel, inputChannels, timeSteps } = this.#configuration;
    const [channels1, channels2, channels3, channels4] = embedDim;
    const half = channels1 / 2;
    const maps: StageMap[] = [];
    const map = (name: string, value: string, channels: number) => {
      maps.push(stageMap(this.#graph, name, value, channels));
      return value;
    };
    const frames = repeatTime(this.#graph, 'frames', this.#graph.input, timeSteps);
    let x = this.#downsample('downsample1_1', frames, inputChannels, half, stemKernel, strides[0], false);
    x = this.#repeat(depths[0], x, (input, i) => this.#convBlock(`ConvBlock1_1.${i}`, input, half));
    x = map('ConvBlock1_1', x, half);
    x = this.#downsample('downsample1_2', x, half, channels1, 3, strides[1]);
    x = this.#repeat(depths[1], x, (input, i) => this.#convBlock(`ConvBlock1_2.${i}`, input, channels1));
    x = map('ConvBlock1_2', x, channels1);
    x = this.#downsample('downsample2', x, channels1, channels2, 3, strides[2]);
    x = this.#repeat(depths[2], x, (input, i) => this.#convBlock(`ConvBlock2_${i + 1}.0`, input, channels2));
    x = map('ConvBlock2', x, channels2);
    x = this.#downsample('downsample3', x, channels2, channels3, 3, strides[3]);
    x = this.#repeat(depths[3], x, (input, i) => this.#transformerBlock(`block3.${i}`, input, channels3));
    x = map('block3', x, channels3);
    x = this.#downsample('downsample4', x, channels3, channels4, 3, strides[4]);
    x = this.#repeat(depths[4], x, (input, i) => this.#transformerBlock(`block4.${i}`, input, channels4));
    x = map('block4', x, channels4);
    const backbone: Features = {
      maps,
      features: x,
      channels: channels4,
      timeSteps,
      neurons: (name, input, graph) => this.#neurons(name, input, undefined, graph),
    };
    head(this.#graph, backbone);
    return this.#graph.build();
  }

  #repeat(depth: number, input: string, block: (input: string, index: number) => string): string {
    let x = input;
    for (let index = 0; index < depth; index++) x = block(x, index);
    return x;
  }

  /** Neurons of the network's kind; a layer's name is the authors', whatever kind it is. */
  #neurons(name: string, input: string, threshold = this.#configuration.threshold, graph = this.#graph): string {
    return neuronBuilders[this.#configuration.neuron](graph, name, input, {
      tau: this.#configuration.tau,
      threshold,
    });
  }

  #downsample(
    name: string,
    input: string,
    inputChannels: number,
    outputChannels: number,
    kernel: number,
    stride: number,
    spiking = true,
  ): string {
    const x = spiking ? this.#neurons(`${name}.encode_lif`, input) : input;
    const options = { inputChannels, outputChannels, kernel, stride, bias: true };
    const convolved = conv2d(this.#graph, `${name}.encode_conv`, x, options);
    return this.#graph.stage(name, batchNorm(this.#graph, `${name}.encode_bn`, convolved, outputChannels));
  }

  /** x + SepConv(x), then x + ChannelConv(x). */
  #convBlock(name: string, input: string, channels: number): string {
    const separable = this.#separableConvolution(`${name}.Conv`, input, channels);
    const x = add(this.#graph, `${name}.Conv.residual`, separable, input);
    const hidden = Math.floor(channels * this.#configuration.mlpRatio);
    let y = this.#neurons(`${name}.lif1`, x);
    y = conv2d(this.#graph, `${name}.conv1`, y, { inputChannels: channels, outputChannels: hidden, kernel: 3 });
    y = batchNorm(this.#graph, `${name}.bn1`, y, hidden);
    y = this.#neurons(`${name}.lif2`, y);
    y = conv2d(this.#graph, `${name}.conv2`, y, { inputChannels: hidden, outputChannels: channels, kernel: 3 });
    y = batchNorm(this.#graph, `${name}.bn2`, y, channels);
    return this.#graph.stage(name, add(this.#graph, `${name}.residual`, y, x));
  }

  /** Pointwise ×2, depthwise 7×7, pointwise. The last pointwise receives real numbers: nothing fires before it. */
  #separableConvolution(name: string, input: string, channels: number): string {
    const hidden = channels * separableExpansion;
    let y = this.#neurons(`${name}.lif1`, input);
    y = conv2d(this.#graph, `${name}.pwconv1`, y, { inputChannels: channels, outputChannels: hidden, kernel: 1 });
    y = batchNorm(this.#graph, `${name}.bn1`, y, hidden);
    y = this.#neurons(`${name}.lif2`, y);
    y = conv2d(this.#graph, `${name}.dwconv`, y, {
      inputChannels: hidden,
      outputChannels: hidden,
      kernel: 7,
      groups: hidden,
    });
    y = conv2d(this.#graph, `${name}.pwconv2`, y, { inputChannels: hidden, outputChannels: channels, kernel: 1 });
    return batchNorm(this.#graph, `${name}.bn2`, y, channels);
  }

  #transformerBlock(name: string, input: string, channels: number): string {
    const attention = this.#attention(`${name}.attn`, input, channels);
    const x = add(this.#graph, `${name}.attn.residual`, attention, input);
    const mlp = this.#mlp(`${name}.mlp`, x, channels);
    return this.#graph.stage(name, add(this.#graph, `${name}.mlp.residual`, mlp, x));
  }

  #attention(name: string, input: string, channels: number): string {
    const spikes = this.#neurons(`${name}.head_lif`, input);
    const project = (letter: 'q' | 'k' | 'v') =>
      this.#neurons(`${name}.${letter}_lif`, this.#repConvolution(`${name}.${letter}_conv`, spikes, channels));
    const query = project('q');
    const key = project('k');
    const value = project('v');
    const { attention, heads, attentionThreshold } = this.#configuration;
    const neurons = (layer: string, counts: string) => this.#neurons(layer, counts, attentionThreshold);
    const parts = { name, query, key, value, like: input, channels, heads, neurons };
    const fired = attentionBuilders[attention](this.#graph, parts);
    return this.#repConvolution(`${name}.proj_conv`, fired, channels);
  }

  /** RepConv and the batch normalisation outside it: linear as a whole, one 3×3 convolution at inference (`passes/mergeRepConv`). */
  #repConvolution(name: string, input: string, channels: number): string {
    return this.#graph.module(name, () => this.#repConvolutionLayers(name, input, channels));
  }

  #repConvolutionLayers(name: string, input: string, channels: number): string {
    const pointwise = { inputChannels: channels, outputChannels: channels, kernel: 1 };
    let y = conv2d(this.#graph, `${name}.0.body.0`, input, pointwise);
    y = batchNorm(this.#graph, `${name}.0.body.1`, y, channels, { padding: 1, parameterPrefix: `${name}.0.body.1.bn` });
    const depthwise = { inputChannels: channels, outputChannels: channels, kernel: 3, padding: 0, groups: channels };
    y = conv2d(this.#graph, `${name}.0.body.2.0`, y, depthwise);
    y = conv2d(this.#graph, `${name}.0.body.2.1`, y, pointwise);
    y = batchNorm(this.#graph, `${name}.0.body.2.2`, y, channels);
    return batchNorm(this.#graph, `${name}.1`, y, channels);
  }

  #mlp(name: string, input: string, channels: number): string {
    const hidden = Math.floor(channels * this.#configuration.mlpRatio);
    const layer = (inputChannels: number, outputChannels: number) =>
      ({ inputChannels, outputChannels, bias: true, layout: 'conv1d' }) as const;
    let y = mapToTokens(this.#graph, `${name}.tokens`, input);
    y = this.#neurons(`${name}.fc1_lif`, y);
    y = linear(this.#graph, `${name}.fc1_conv`, y, layer(channels, hidden));
    y = batchNorm(this.#graph, `${name}.fc1_bn`, y, hidden);
    y = this.#neurons(`${name}.fc2_lif`, y);
    y = linear(this.#graph, `${name}.fc2_conv`, y, layer(hidden, channels));
    y = batchNorm(this.#graph, `${name}.fc2_bn`, y, channels);
    return tokensToMap(this.#graph, `${name}.map`, y, input);
  }
}
