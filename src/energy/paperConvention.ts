/**
 * The energy of a spiking network as the paper computes it (Yao et al., ICLR 2024, after the SNN literature): E_AC · T · R · operations for every layer, R being
 * the firing rate of its input, and E_MAC · T · operations for the first convolution. Neurons, residual sums and folded batch norms count nothing.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import type { EnergyConstants } from './constants.js';
import type { CountedLayer } from './layers.js';

export interface PaperEnergy {
  readonly layers: readonly PaperLayer[];
  /** Millijoules per image. */
  readonly millijoules: number;
  /** The same network with ReLU instead of neurons, one pass, every operation a multiply-accumulate. */
  readonly annMillijoules: number;
}

export interface PaperLayer {
  readonly name: string;
  /** Dense operations per time step. */
  readonly operations: number;
  /** Of the input; of attention the mean of its inputs (query, key and value); null for the first convolution. */
  readonly firingRate: number | null;
  readonly millijoules: number;
}

/** @param rateOf Firing rate of a neuron layer; of a gate the share of its outputs that are spikes (`ratesOfSpikes`). */
export function paperEnergy(
  layers: readonly CountedLayer[],
  rateOf: (neurons: string) => number,
  timeSteps: number,
  constants: EnergyConstants,
): PaperEnergy {
  const rows = layers.map(({ name, operations, sources, once }): PaperLayer => {
    const steps = once ? 1 : timeSteps;
    const millijoules = (picojoules: number) => picojoules * 1e-9;
    if (sources.length === 0) {
      const whole = constants.multiplyAccumulate * steps * operations;
      return { name, operations, firingRate: null, millijoules: millijoules(whole) };
    }
    const firingRate = sources.reduce((sum, source) => sum + rateOf(source), 0) / sources.length;
    const spent = constants.accumulate * steps * firingRate * operations;
    return { name, operations, firingRate, millijoules: millijoules(spent) };
  });
  const total = (value: (row: PaperLayer) => number) => rows.reduce((sum, row) => sum + value(row), 0);
  return {
    layers: rows,
    millijoules: total((row) => row.millijoules),
    annMillijoules: constants.multiplyAccumulate * total((row) => row.operations) * 1e-9,
  };
}

const ratesSchema = z.record(z.string(), z.number().min(0).max(1));

/**
 * Rates by neuron layer as a file has them; `default` is for all that are not named.
 *
 * @throws UsageError naming `source` when a rate is no share, a name is no neuron layer of the network, or a layer has no rate.
 */
export function parseRates(value: unknown, neurons: readonly string[], source: string): (name: string) => number {
  const parsed = ratesSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UsageError(
      `${source}: ${issue.path.join('.') || 'the whole'}: ${issue.message}; expected {"LIF name": rate, "default": rate}`,
    );
  }
  const { default: fallback, ...rates } = parsed.data;
  const strangers = Object.keys(rates).filter((name) => !neurons.includes(name));
  if (strangers.length > 0)
    throw new UsageError(
      `${source}: ${strangers.slice(0, 5).join(', ')}: this network has no neuron layers of that name`,
    );
  const missing = neurons.filter((name) => rates[name] === undefined);
  if (fallback === undefined && missing.length > 0)
    throw new UsageError(`${source}: there is no rate for ${missing.slice(0, 5).join(', ')} and no default`);
  return (name) => rates[name] ?? fallback!;
}
