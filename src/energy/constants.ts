/**
 * Energy per operation, in picojoules, by technology and bit width. The default is what the spiking literature uses and the paper with it:
 * 45 nm, 32-bit floating point (Horowitz, "Computing's energy problem", ISSCC 2014: multiplication 3.7, addition 0.9).
 */
import { z } from 'zod';

const picojoules = z.number().positive().max(1e6);

export const energyConstantsSchema = z.strictObject({
  name: z.string().min(1).max(200),
  /** One addition of a weight: what a spike costs. */
  accumulate: picojoules,
  /** One multiplication and addition. */
  multiplyAccumulate: picojoules,
});

export type EnergyConstants = z.output<typeof energyConstantsSchema>;

/** Horowitz' table for 45 nm at 0.9 V: additions and multiplications of floating point and integers. */
export const energyTable = {
  '45nm-float32': { name: '45 nm, float32', accumulate: 0.9, multiplyAccumulate: 4.6 },
  '45nm-float16': { name: '45 nm, float16', accumulate: 0.4, multiplyAccumulate: 1.5 },
  '45nm-int32': { name: '45 nm, int32', accumulate: 0.1, multiplyAccumulate: 3.2 },
  '45nm-int8': { name: '45 nm, int8', accumulate: 0.03, multiplyAccumulate: 0.23 },
} as const satisfies Record<string, EnergyConstants>;

export const defaultEnergyConstants: EnergyConstants = energyTable['45nm-float32'];
