/**
 * The voxel grid (Zhu et al. 2019, "Unsupervised event-based learning of optical flow, depth, and egomotion"): each event is shared
 * between the two bins nearest in time, as in linear interpolation. And tonic's, whose bins are spaced otherwise.
 */
import type { Events } from './columns.js';
import { at, type Frame, type Places } from './representations.js';
import type { Slice } from './slice.js';

export interface VoxelGridSettings {
  readonly bins: number;
  readonly convention: 'ours' | 'tonic';
  readonly polarity: 'signed' | 'ignored';
}

/**
 * Channel b gets `Σ s·max(0, 1 − |b − τ|)` with s = ±1. Ours: `τ = (bins − 1)(t − from) / (to − from)` of the window, so that the sum
 * over the channels is the signed count. Tonic's: `τ = bins (t − t_first) / (t_last − t_first)` of the events, so that the last event
 * and the later parts of those in the last bin are lost.
 */
export function addVoxelGrid(
  events: Events,
  slice: Slice,
  places: Places,
  { bins, convention, polarity }: VoxelGridSettings,
  { target, offset }: Frame,
): void {
  const { t, x, y, p } = events;
  const { columns, rows, width } = places;
  const plane = places.height * width;
  const tonic = convention === 'tonic';
  const first = tonic ? (t[slice.start] ?? 0) : slice.from;
  const span = (tonic ? (t[slice.end - 1] ?? 0) : slice.to) - first;
  const positions = tonic ? bins : bins - 1;
  for (let i = slice.start; i < slice.end; i++) {
    const column = at(columns, x[i]!);
    const row = at(rows, y[i]!);
    if ((column | row) < 0) continue;
    const position = span > 0 ? (positions * (t[i]! - first)) / span : 0;
    const bin = Math.floor(position);
    const sign = polarity === 'signed' && p[i] === 0 ? -1 : 1;
    const pixel = offset + row * width + column;
    if (bin < bins) target[pixel + bin * plane]! += sign * (1 - (position - bin));
    if (bin + 1 < bins) target[pixel + (bin + 1) * plane]! += sign * (position - bin);
  }
}
