/**
 * The head of segmentation behind any backbone: the authors' semantic FPN (Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019, with
 * neurons in front of every convolution) on the spiking feature pyramid, which runs once, whatever T is. Node names are the authors' module paths.
 */
import type { GraphBuilder } from '../graph/graph.js';
import { logitsOutput } from '../graph/outputs.js';
import { add } from '../operators/add.js';
import { batchNorm } from '../operators/batchNorm.js';
import { conv2d } from '../operators/conv2d.js';
import { timeMean } from '../operators/means.js';
import { resizeBy, resizeLike } from '../operators/resize.js';
import { defaultPyramidChannels, featurePyramid, lastOfEachStride } from './featurePyramid.js';
import type { Features, Head } from './head.js';

/** The scores at the size of the image, `[B, classes, H, W]`. */
export const fullLogitsOutput = 'logits_full';

interface Sizes {
  readonly classes: number;
  /** Of neck and head. */
  readonly pyramidChannels?: number | undefined;
}

/**
 * Gives out `logits`, `[B, classes, h, w]` at the stride of the finest map, and `logits_full`, resampled to the image's size.
 *
 * Of maps of one stride the last is taken: of a Meta-SpikeFormer those of strides 2, 4, 8 and 16.
 */
export function semanticPyramid({ classes, pyramidChannels: channels = defaultPyramidChannels }: Sizes): Head {
  return (graph, { maps, neurons }) => {
    const pyramid = featurePyramid(graph, lastOfEachStride(maps), channels, neurons);
    const levels = pyramid.map(({ value, stride }, level) => {
      const doublings = Math.round(Math.log2(stride / pyramid[0]!.stride));
      return scaled(graph, `decode_head.scale_heads.${level}`, value, { channels, doublings, neurons });
    });
    let sum = levels[0]!;
    for (const [level, value] of levels.entries()) {
      if (level === 0) continue;
      const resized = resizeLike(graph, `decode_head.fit.${level}`, value, sum, 'bilinear');
      sum = add(graph, `decode_head.sum.${level}`, sum, resized);
    }
    const spikes = neurons('decode_head.decode_lif', sum);
    const attributes = { inputChannels: channels, outputChannels: classes, kernel: 1, bias: true };
    const scores = conv2d(graph, 'decode_head.conv_seg', spikes, attributes);
    const full = resizeLike(graph, 'decode_head.full', scores, graph.input, 'bilinear');
    graph.output(logitsOutput, timeMean(graph, 'decode_head.mean', scores), 'logits');
    graph.output(fullLogitsOutput, timeMean(graph, 'decode_head.full_mean', full), 'logits');
  };
}

/** A convolution and a doubling for each factor of two to the finest level; the finest has a convolution alone. */
function scaled(
  graph: GraphBuilder,
  name: string,
  input: string,
  {
    channels,
    doublings,
    neurons,
  }: { readonly channels: number; readonly doublings: number; readonly neurons: Features['neurons'] },
): string {
  let value = input;
  for (let stage = 0; stage < Math.max(1, doublings); stage++) {
    const at = `${name}.${stage}`;
    const attributes = { inputChannels: channels, outputChannels: channels, kernel: 3 };
    const convolved = conv2d(graph, `${at}.1.0.conv`, neurons(`${at}.0`, value), attributes);
    value = batchNorm(graph, `${at}.1.0.bn`, convolved, channels);
    if (doublings > 0) value = resizeBy(graph, `${at}.resize`, value, 2, 'bilinear');
  }
  return graph.stage(name, value);
}
