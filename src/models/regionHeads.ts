/**
 * The authors' Mask R-CNN behind any backbone (He et al., "Mask R-CNN", ICCV 2017, with neurons in front of its layers; BICLab's detection of Spike-driven Transformer V2): a feature pyramid
 * that keeps time, a network that proposes regions, and, as later graphs, a head that says what a region shows and one that says which of its pixels. Which regions those are is decided
 * between the graphs, by the task. Node names are the authors' module paths; `#k` is the k-th further call of the same layer.
 */
import { GraphBuilder } from '../graph/graph.js';
import { conv2d } from '../operators/conv2d.js';
import { linear } from '../operators/linear.js';
import { maxPool } from '../operators/maxPool.js';
import { timeMean } from '../operators/means.js';
import { relu } from '../operators/relu.js';
import { mapToTokens } from '../operators/reshape.js';
import { transposedConvolution } from '../operators/transposedConvolution.js';
import { featurePyramid } from './featurePyramid.js';
import type { Features, Head } from './head.js';

/** Of the authors' detectors, where nobody says it. */
const usualPyramidChannels = 256;

/** Maps that the pyramid is made of, the coarsest; a further level is every second pixel of the last. */
const mapsTaken = 4;
/** Shapes of anchors at each place. */
export const anchorsAtPlace = 3;
/** Convolutions of the mask head. */
const maskLayers = 4;

/** Cells along each side of what is cut out of the maps. */
export const boxCells = 7;
export const maskCells = 14;

/** Names of the later graphs. */
export const boxHeadGraph = 'roi_head.bbox_head';
export const maskHeadGraph = 'roi_head.mask_head';

export interface RegionHeadSizes {
  readonly classes: number;
  readonly pyramidChannels?: number | undefined;
  readonly regionChannels: number;
}

/**
 * The first graph gives out, for the levels 0 to 4, maps `neck.i` `[T, B, channels, h, w]`, scores of anchors before a sigmoid `rpn_cls.i` `[T, B, 3, h, w]` and ways from anchors to boxes
 * `rpn_reg.i` `[T, B, 12, h, w]`. `roi_head.bbox_head` takes regions `[T, N, 1, 1, channels·49]` (channel by channel) and gives out `cls_score`, the background last, and `bbox_pred`;
 * `roi_head.mask_head` takes regions `[T, N, 14, 14, channels]` and gives out `mask_preds` `[N, classes, 28, 28]`, before a sigmoid, the mean over time.
 *
 * `fc_cls` and `fc_reg` read membranes and not spikes, as the authors' do.
 */
export function regionHeads(sizes: RegionHeadSizes): Head {
  const { pyramidChannels: channels = usualPyramidChannels } = sizes;
  return (graph, { maps, neurons }) => {
    const pyramid = featurePyramid(graph, maps.slice(-mapsTaken), channels, neurons, 'kept');
    const levels = pyramid.map(({ value }) => value);
    const last = maxPool(graph, 'neck.extra', levels.at(-1)!, { kernel: 1, stride: 2 });
    levels.push(graph.stage(`neck.${levels.length}`, last));
    for (const [level, value] of levels.entries()) graph.output(`neck.${level}`, value);
    const numbers = levels.map((value, level) => proposing(graph, value, level, channels, neurons));
    for (const [level, { scores }] of numbers.entries()) graph.output(`rpn_cls.${level}`, scores);
    for (const [level, { deltas }] of numbers.entries()) graph.output(`rpn_reg.${level}`, deltas);
    graph.later(boxHeadGraph, { graph: boxHead(sizes, channels, neurons), size: [1, 1] });
    graph.later(maskHeadGraph, { graph: maskHead(sizes, channels, neurons), size: [maskCells, maskCells] });
  };
}

/** The same weights at each level, and neurons of its own. */
function proposing(
  graph: GraphBuilder,
  input: string,
  level: number,
  channels: number,
  neurons: Features['neurons'],
): { readonly scores: string; readonly deltas: string } {
  const layer = (name: string, value: string, outputChannels: number, kernel: number) => {
    const call = level === 0 ? '' : `#${level}`;
    const spikes = neurons(`rpn_head.${name}.0${call}`, value);
    const parameterPrefix = `rpn_head.${name}.1.0`;
    const attributes = { inputChannels: channels, outputChannels, kernel, bias: true, parameterPrefix };
    return conv2d(graph, `${parameterPrefix}${call}`, spikes, attributes);
  };
  const shared = layer('rpn_conv', input, channels, 3);
  const scores = layer('rpn_cls', shared, anchorsAtPlace, 1);
  return { scores, deltas: layer('rpn_reg', shared, 4 * anchorsAtPlace, 1) };
}

function boxHead({ classes, regionChannels: hidden }: RegionHeadSizes, channels: number, neurons: Features['neurons']) {
  const inputs = channels * boxCells ** 2;
  const graph = new GraphBuilder(boxHeadGraph, inputs);
  const layer = (name: string, input: string, inputChannels: number, outputChannels: number) =>
    linear(graph, `${boxHeadGraph}.${name}`, input, { inputChannels, outputChannels, bias: true, layout: 'linear' });
  const fired = (index: number, input: string) => neurons(`${boxHeadGraph}.shared_fcs.${index}.0`, input, graph);
  let x = mapToTokens(graph, `${boxHeadGraph}.flat`, graph.input);
  x = layer('shared_fcs.0.1.0', fired(0, x), inputs, hidden);
  x = layer('shared_fcs.1.1.0', fired(1, x), hidden, hidden);
  graph.output('cls_score', layer('fc_cls', x, hidden, classes + 1));
  graph.output('bbox_pred', layer('fc_reg', x, hidden, 4 * classes));
  return graph.build();
}

function maskHead({ classes }: RegionHeadSizes, channels: number, neurons: Features['neurons']) {
  const graph = new GraphBuilder(maskHeadGraph, channels);
  const both = { inputChannels: channels, outputChannels: channels };
  let x = graph.input;
  for (let index = 0; index < maskLayers; index++) {
    const name = `${maskHeadGraph}.convs.${index}`;
    const convolved = conv2d(graph, `${name}.1.0.conv`, neurons(`${name}.0`, x, graph), {
      ...both,
      kernel: 3,
      bias: true,
    });
    x = relu(graph, `${name}.1.0.activate`, convolved);
  }
  const large = neurons(`${maskHeadGraph}.upsample.0`, x, graph);
  x = transposedConvolution(graph, `${maskHeadGraph}.upsample.1.0`, large, both);
  const attributes = { inputChannels: channels, outputChannels: classes, kernel: 1, bias: true };
  const spikes = neurons(`${maskHeadGraph}.conv_logits.0`, x, graph);
  const scores = conv2d(graph, `${maskHeadGraph}.conv_logits.1.0`, spikes, attributes);
  graph.output('mask_preds', timeMean(graph, `${maskHeadGraph}.mean`, scores));
  return graph.build();
}
