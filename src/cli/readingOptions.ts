/** Options of every command that reads images: how much memory and time they may take, and what happens to damaged ones. */
import type { Command } from 'commander';
import { z } from 'zod';
import { damagedImages, setDecodingRules } from '../data/decodingRules.js';
import { defaultMemoryBytes, setMemoryBudget } from '../data/memoryBudget.js';
import type { Io } from './io.js';
import { wholeNumber } from './options.js';
import { counted, oneLine } from './text.js';

const units: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const smallestMemory = 2 ** 20;
const expectedSize = 'expected a size of at least 1MiB, such as 2GiB or 500MB';

/** A number with a unit. */
const memorySize = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})? ?([kmgt]i?)?b?$/i, expectedSize)
  .transform((text) => Math.floor(Number.parseFloat(text) * (units[text.replace(/[\d. ]/g, '').toLowerCase()] ?? 1)))
  .refine((bytes) => bytes >= smallestMemory && Number.isSafeInteger(bytes), expectedSize);

export const readingOptions = {
  memory: memorySize.optional(),
  decodeTimeout: wholeNumber(1, 86_400).optional(),
  tolerateDamaged: z.boolean().default(false),
};

/** Of the commands that open data of any task. */
export const skipBadHelp = 'leave out masks, boxes and places that are wrong, and say how many and why';

type ReadingOptions = z.output<z.ZodObject<typeof readingOptions>>;

export function addReadingOptions(command: Command): Command {
  return command
    .option('--memory <SIZE>', 'memory that reading data may take, such as 2GiB (default: a quarter of the machine’s)')
    .option('--decode-timeout <SECONDS>', 'how long decoding one image may take (default: 30)')
    .option('--tolerate-damaged', 'use damaged images as far as they can be decoded, and say how many there were');
}

/** Makes the options hold from now on; gives the others. */
export function applyReadingOptions<Options extends ReadingOptions>(
  options: Options,
): Omit<Options, keyof ReadingOptions> {
  const { memory, decodeTimeout, tolerateDamaged, ...others } = options;
  setMemoryBudget(memory ?? defaultMemoryBytes());
  setDecodingRules({ tolerateDamaged, ...(decodeTimeout === undefined ? {} : { timeoutSeconds: decodeTimeout }) });
  return others;
}

const named = 3;

/** For `--json`: how many damaged images were taken; nothing unless they are tolerated. */
export function damagedField({ tolerateDamaged }: ReadingOptions): { readonly damaged?: number } {
  return tolerateDamaged ? { damaged: damagedImages().length } : {};
}

/** The count, for people, with the first names. */
export function reportDamaged(io: Io, { tolerateDamaged }: ReadingOptions): void {
  if (!tolerateDamaged) return;
  const names = damagedImages();
  const which = names.slice(0, named).map(oneLine).join(', ');
  const more = names.length > named ? `, and ${names.length - named} more` : '';
  io.stderr.write(`${counted(names.length, 'damaged image')} taken${names.length > 0 ? `: ${which}${more}` : ''}\n`);
}
