/**
 * What a person has chosen to see, and how it is written in the address bar, so that a view can be shared. Everything that comes from an address
 * passes one schema; a value that cannot be is named and replaced by its default.
 */
import { z } from 'zod';
import { photographNames } from '../input/photographs.js';

export const modelChoices = [
  'photographs',
  'cifar10',
  'camvid',
  'bccd',
  '15M-random',
  '31M-random',
  '55M-random',
] as const;
export const overlays = ['none', 'query', 'coincidences', 'result'] as const;
export type Overlay = (typeof overlays)[number];

export const mostTimeSteps = 8;
export const thresholdRange = { least: 0.25, most: 2, step: 0.05 } as const;

const whole = (least: number, most: number) => {
  const expected = `expected a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,6}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
};
const moduleName = z.string().regex(/^[\w.]{1,80}$/, 'expected the name of a module, such as block3.0.attn.q_lif');
const word = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, `expected ${words.join(', ')}`);

/** One entry per key of the address; a default is not written there. */
const schema = z.object({
  model: word(modelChoices).default('photographs'),
  image: z
    .string()
    .refine((name) => photographNames.includes(name), `expected ${photographNames.join(', ')}`)
    .default('cat'),
  /** Null: the model's own. */
  T: whole(1, mostTimeSteps).nullable().default(null),
  threshold: z
    .string()
    .regex(/^\d(\.\d{1,3})?$/, `expected a number from ${thresholdRange.least} to ${thresholdRange.most}`)
    .transform(Number)
    .refine(
      (value) => value >= thresholdRange.least && value <= thresholdRange.most,
      `expected a number from ${thresholdRange.least} to ${thresholdRange.most}`,
    )
    .nullable()
    .default(null),
  precision: word(['f32', 'i16']).default('f32'),
  kernel: word(['table', 'dense']).default('table'),
  threads: whole(1, 64).nullable().default(null),
  layer: moduleName.nullable().default(null),
  /** Time step that is shown, from 1. */
  step: whole(1, mostTimeSteps).default(1),
  channel: whole(0, 99_999).default(0),
  /** Row by row; null: in the middle of the map. */
  position: whole(0, 999_999).nullable().default(null),
  attention: moduleName.nullable().default(null),
  head: whole(1, 256).default(1),
  overlay: word(overlays).default('none'),
  /** Of a mask over the image, in percent. */
  opacity: whole(0, 100).default(55),
  /** Boxes of less are not shown, in percent. */
  score: whole(0, 100).default(50),
  /** Numbers of classes that are not shown, between them full stops. */
  hidden: z
    .string()
    .regex(/^(\d{1,5}(\.\d{1,5}){0,99})?$/, 'expected numbers of classes, such as 0.4.7')
    .default(''),
});

export type View = z.output<typeof schema>;

export const defaultView: View = schema.parse({});

const keys = Object.keys(schema.shape) as (keyof View)[];

/** @param fragment What follows `#`. @returns the view, and a line for each value that was not understood. */
export function parseView(fragment: string): { readonly view: View; readonly complaints: readonly string[] } {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const understood: Record<string, string> = {};
  const complaints: string[] = [];
  for (const key of keys) {
    const value = given.get(key);
    if (value === null) continue;
    const parsed = schema.shape[key].safeParse(value);
    if (parsed.success) understood[key] = value;
    else complaints.push(`address: ${key}: found “${value.slice(0, 40)}”, ${parsed.error.issues[0]!.message}`);
  }
  const wanted = schema.parse(understood);
  return { view: consistent(wanted), complaints: [...complaints, ...changedForYou(wanted)] };
}

/** What goes into the address; empty for the default view. */
export function formatView(view: View): string {
  const fragment = new URLSearchParams();
  for (const key of keys) if (view[key] !== defaultView[key]) fragment.set(key, String(view[key]));
  return fragment.toString();
}

/** The dense kernel only supports f32. */
export function consistent(view: View): View {
  return view.kernel === 'dense' ? { ...view, precision: 'f32' } : view;
}

/** What `consistent` makes otherwise than it was asked for, a line each. */
export function changedForYou(wanted: View): string[] {
  return wanted.kernel === 'dense' && wanted.precision === 'i16'
    ? ['precision: set to f32, because the dense kernel supports no other']
    : [];
}
