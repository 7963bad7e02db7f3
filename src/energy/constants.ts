/**
 * Energy per operation and per access to memory, in picojoules, by technology and bit width; the one place where such numbers stand. They are Horowitz' table for
 * 45 nm at 0.9 V ("Computing's energy problem (and what we can do about it)", ISSCC 2014). The default is what the spiking literature
 * uses and the paper with it: 32-bit floating point, multiplication 3.7, addition 0.9.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { described, nearestName } from '../optionNames.js';

export interface MemoryConstants {
  readonly name: string;
  /** One weight read. */
  readonly weightRead: number;
  /** One membrane, sum or real number read. */
  readonly membraneRead: number;
  readonly membraneWrite: number;
  /** One neuron's bit. */
  readonly spikeRead: number;
  readonly spikeWrite: number;
}

export interface EnergyConstants {
  readonly name: string;
  /** One addition of a weight: what a spike costs. */
  readonly accumulate: number;
  /** One multiplication and addition. */
  readonly multiplyAccumulate: number;
  readonly memory: MemoryConstants;
}

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

const largest = 1e6;
const name = z.string().min(1).max(200);
const operation = z.number().positive().max(largest);
/** A memory may cost nothing, where its energy is counted elsewhere. */
const access = z.number().nonnegative().max(largest);

const { memory: defaultMemory } = defaultEnergyConstants;

const memorySchema = z.strictObject({
  name: name.optional(),
  weightRead: access.default(defaultMemory.weightRead),
  membraneRead: access.default(defaultMemory.membraneRead),
  membraneWrite: access.default(defaultMemory.membraneWrite),
  spikeRead: access.default(defaultMemory.spikeRead),
  spikeWrite: access.default(defaultMemory.spikeWrite),
});

const energyConstantsSchema = z.strictObject({
  name: name.optional(),
  accumulate: operation.default(defaultEnergyConstants.accumulate),
  multiplyAccumulate: operation.default(defaultEnergyConstants.multiplyAccumulate),
  memory: memorySchema.optional(),
});

/** A file of energy constants with every field at its default, for help and messages. */
export const energyConstantsShape: string = (() => {
  const { accumulate, multiplyAccumulate } = defaultEnergyConstants;
  const { name: _name, ...accesses } = defaultMemory;
  const shape = { name: 'my chip', accumulate, multiplyAccumulate, memory: { name: 'my memory', ...accesses } };
  return JSON.stringify(shape).replaceAll(':', ': ').replaceAll(',', ', ');
})();

/**
 * Constants as a file has them: picojoules. What a file leaves out has the default's value.
 *
 * @param source What messages and, without a name of their own, the constants are called.
 * @throws UsageError naming `source`, the field that is wrong, what was found, and the shape of such a file.
 */
export function parseEnergyConstants(value: unknown, source: string): EnergyConstants {
  const parsed = energyConstantsSchema.safeParse(value);
  if (!parsed.success) {
    throw new UsageError(
      `${source}: ${whatIsWrong(parsed.error.issues[0]!, value)}; the shape is ${energyConstantsShape}, in picojoules; every field may be left out and then has the value shown`,
    );
  }
  const own = source.split(/[/\\]/).at(-1)!;
  const { name: title = own, memory, ...rest } = parsed.data;
  if (memory === undefined) return { name: title, ...rest, memory: defaultMemory };
  return { name: title, ...rest, memory: { ...memory, name: memory.name ?? `memory of ${title}` } };
}

function whatIsWrong(issue: z.core.$ZodIssue, value: unknown): string {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const [stranger] = issue.keys;
    const known = field === '' ? energyConstantsSchema.shape : memorySchema.shape;
    const meant = nearestName(stranger!, Object.keys(known));
    const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    return `there is no field ${field === '' ? '' : `${field}.`}${stranger}${hint}`;
  }
  const found = issue.path.reduce<unknown>((part, key) => Reflect.get(part as object, key), value);
  const isNumber = /^(accumulate|multiplyAccumulate|memory\..*(Read|Write))$/.test(field);
  const zero = field.startsWith('memory.') ? 'from 0' : 'above 0';
  const expected = isNumber ? `a number ${zero} to ${largest}` : field.endsWith('name') ? 'a text' : 'an object';
  return `${field === '' ? 'the whole' : field}: found ${described(found)}, expected ${expected}`;
}
