/** What a person should know of a network that was recognised by shapes alone, and of weights that were chosen among several: a line each. */
import { metaSpikeformerSizes, publishedDepths, sizeNames, stageNames } from '../models/configurations.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import { printable } from './errors.js';

const NAMED = 8;

/** @param first What would have been taken, had it fitted. */
export function weightsNote(taken: string, others: readonly string[], first: string): string[] {
  if (others.length === 0) return [];
  const names = others.slice(0, NAMED).map(printable).join(', ');
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
  const why = taken === first ? '' : ` (${printable(first)} does not fit a network)`;
  return [`the weights ${printable(taken)} were taken${why}; --weights chooses another: ${names}${more}`];
}

/**
 * Nothing for a network with the depths of the published ones, whatever its widths: of those nothing can be missing. Shapes cannot tell a
 * shallow network from a deep one of which a part is missing.
 */
export function architectureNote({ embedDim, depths }: MetaSpikeformerConfiguration): string[] {
  if (depths.join() === publishedDepths.join()) return [];
  const size = sizeNames.find((name) => metaSpikeformerSizes[name].embedDim.join() === embedDim.join());
  const whose = size === undefined ? 'the published networks have' : `${size} of the same widths has`;
  const empty = stageNames.filter((_, index) => depths[index] === 0);
  const holes = empty.map((stage) => `; ${stage} has no blocks`).join('');
  const remedy = size === undefined ? '--depths' : `--size ${size} or --depths`;
  return [
    `this is no published network: its shapes say ${depths.join(',')} blocks, ${whose} ${publishedDepths.join(',')}${holes}; if a part may be missing, give ${remedy} to say what should be there`,
  ];
}
