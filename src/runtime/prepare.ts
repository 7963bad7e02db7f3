/**
 * From the network as the authors define it to the one that runs: which passes, in which order, and the form of each RepConv.
 */
import type { Graph } from '../graph/graph.js';
import { parametersOf } from '../operators/registry.js';
import { absorbBorder } from './passes/absorbBorder.js';
import { foldBatchNorm } from './passes/foldBatchNorm.js';
import { fuseResidual } from './passes/fuseResidual.js';
import { hoistTime } from './passes/hoistTime.js';
import {
  findRepConvs,
  type MergedRepConv,
  mergeRepConv,
  type RepConv,
  type RepConvForm,
} from './passes/mergeRepConv.js';
import type { Network, Pass } from './passes/pass.js';

export interface PrepareOptions {
  /** Fold batch norms, merge RepConv, fuse residual sums. False: every module as the authors wrote it. Default true. */
  readonly fold?: boolean;
  /** Let layers add the residual themselves. Default true; readers that know only plain layers leave it out. */
  readonly fuse?: boolean;
  /** The form of every RepConv; `auto` (default) takes what is faster for the layer's shape; or by name, `auto` where none is given. */
  readonly repConv?: RepConvForm | 'auto' | ReadonlyMap<string, RepConvForm>;
  /** Wholly merged kernels that an engine made ahead (`mergeByEngine`), by the RepConv's name. */
  readonly merged?: ReadonlyMap<string, MergedRepConv>;
  /** The input is one image shown at every step (default), or a sequence of frames. */
  readonly input?: 'image' | 'frames';
}

export function prepareNetwork(network: Network, options: PrepareOptions = {}): Network {
  const form = options.repConv ?? 'auto';
  const passes: Pass[] = [];
  if ((options.input ?? 'image') === 'image') passes.push(hoistTime);
  if (options.fold ?? true) {
    passes.push(foldBatchNorm, mergeRepConv(chooser(form), options.merged), absorbBorder);
    if (options.fuse ?? true) passes.push(fuseResidual);
  }
  return passes.reduce((current, pass) => pass(current), network);
}

/** The graph alone, as `prepareNetwork` rewrites it: what is asked of its structure needs no weights. */
export function prepareGraph(graph: Graph, options: Omit<PrepareOptions, 'merged'> = {}): Graph {
  // Known kernels are not computed.
  const merged = new Map(repConvNames(graph).map((name) => [name, { weight: none, bias: none }]));
  return prepareNetwork(withoutWeights(graph), { ...options, merged }).graph;
}

/** What the RepConvs of a graph are called, as `PrepareOptions.repConv` names them. */
export function repConvNames(graph: Graph): readonly string[] {
  return findRepConvs(foldBatchNorm(withoutWeights(graph)).graph).map(({ name }) => name);
}

const none = new Float32Array(0);

function withoutWeights(graph: Graph): Network {
  return { graph, parameters: new Map(parametersOf(graph).map(({ name }) => [name, none])) };
}

function chooser(form: NonNullable<PrepareOptions['repConv']>): (repConv: RepConv) => RepConvForm {
  if (form === 'auto') return chooseRepConvForm;
  if (typeof form === 'string') return () => form;
  return (repConv) => form.get(repConv.name) ?? chooseRepConvForm(repConv);
}

/** Channels up to which one spike-fed 3×3 beats a 1×1, a depthwise and a dense 1×1 in this engine; see docs/performance.md. */
const fullMergeChannels = 64;

/**
 * One 3×3 costs 9·C² additions times the firing rate and saves two sweeps over memory; unmerged costs C² spike-fed and C² dense.
 * Per channel the first grows nine times faster, so small layers merge and large ones do not.
 */
export function chooseRepConvForm({ channels }: RepConv): RepConvForm {
  return channels <= fullMergeChannels ? 'full' : 'none';
}
