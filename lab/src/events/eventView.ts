/** What of this pane is in the address, so that a view can be shared. What comes from an address passes one schema; a value that cannot be is named and replaced. */
import { z } from 'zod';
import { firstRecording, recordingNames } from './recordings.js';

/** How many times faster than life. */
export const speeds = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5] as const;

const schema = z.object({
  recording: z
    .string()
    .refine((name) => recordingNames.includes(name), `expected ${recordingNames.join(', ')}`)
    .default(firstRecording),
  layer: z
    .string()
    .regex(/^[\w.]{1,80}$/, 'expected the name of a module, such as block3.0.attn.q_lif')
    .nullable()
    .default(null),
  /** From 1; null: the recording plays from its beginning. */
  window: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'expected a whole number from 1 to 9999')
    .transform(Number)
    .nullable()
    .default(null),
});

export type EventView = z.output<typeof schema>;

const defaultView: EventView = schema.parse({});
const keys = Object.keys(schema.shape) as (keyof EventView)[];

/** @returns the view, and a line for each value that was not understood. */
export function parseEventView(fragment: string): { readonly view: EventView; readonly complaints: readonly string[] } {
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
  return { view: schema.parse(understood), complaints };
}

export function formatEventView(view: EventView): string {
  const fragment = new URLSearchParams({ pane: 'events' });
  for (const key of keys) if (view[key] !== defaultView[key]) fragment.set(key, String(view[key]));
  return fragment.toString();
}
