/**
 * Energy per operation and per access to memory, in picojoules, by technology and bit width; the one place where such numbers stand. They are Horowitz' table for
 * 45 nm at 0.9 V ("Computing's energy problem (and what we can do about it)", ISSCC 2014). The default is what the spiking literature
 * uses and the paper with it: 32-bit floating point, multiplication 3.7, addition 0.9.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';

const picojoules = z.number().positive().max(1e6);

const memorySchema = z.strictObject({
  name: z.string().min(1).max(200),
  /** One weight read. */
  weightRead: picojoules,
  /** One membrane, sum or real number read. */
  membraneRead: picojoules,
  membraneWrite: picojoules,
  /** One neuron's bit. */
  spikeRead: picojoules,
  spikeWrite: picojoules,
});

const energyConstantsSchema = z.strictObject({
  name: z.string().min(1).max(200),
  /** One addition of a weight: what a spike costs. */
  accumulate: picojoules,
  /** One multiplication and addition. */
  multiplyAccumulate: picojoules,
  memory: memorySchema,
});

export type EnergyConstants = z.output<typeof energyConstantsSchema>;
export type MemoryConstants = z.output<typeof memorySchema>;

/** Horowitz has 20 pJ for reading 64 bits from an SRAM of 32 KB, and no figure for writing, which is taken to cost as much. */
const sramPicojoulesPerBit = 20 / 64;

function sram(weightBits: number, membraneBits: number): MemoryConstants {
  const membrane = membraneBits * sramPicojoulesPerBit;
  return {
    name: `SRAM of 32 KB, ${weightBits}-bit weights, ${membraneBits}-bit membranes`,
    weightRead: weightBits * sramPicojoulesPerBit,
    membraneRead: membrane,
    membraneWrite: membrane,
    spikeRead: sramPicojoulesPerBit,
    spikeWrite: sramPicojoulesPerBit,
  };
}

/** Additions and multiplications of floating point and integers. Sums of 8-bit weights are kept in 32 bits. */
export const energyTable = {
  '45nm-float32': { name: '45 nm, float32', accumulate: 0.9, multiplyAccumulate: 4.6, memory: sram(32, 32) },
  '45nm-float16': { name: '45 nm, float16', accumulate: 0.4, multiplyAccumulate: 1.5, memory: sram(16, 16) },
  '45nm-int32': { name: '45 nm, int32', accumulate: 0.1, multiplyAccumulate: 3.2, memory: sram(32, 32) },
  '45nm-int8': { name: '45 nm, int8', accumulate: 0.03, multiplyAccumulate: 0.23, memory: sram(8, 32) },
} as const satisfies Record<string, EnergyConstants>;

export const defaultEnergyConstants: EnergyConstants = energyTable['45nm-float32'];

/**
 * Constants as a file has them.
 *
 * @throws UsageError naming `source` and the field that is wrong or missing.
 */
export function parseEnergyConstants(value: unknown, source: string): EnergyConstants {
  const parsed = energyConstantsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new UsageError(
    `${source}: ${issue.path.join('.') || 'the whole'}: ${issue.message}; docs/energy.md shows a file of energy constants`,
  );
}
