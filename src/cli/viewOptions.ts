/** `--whole` and `--window`: all of an image in place of what the preprocessing shows, for models that answer for every pixel. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { ImageView, ImageWindows, Model } from '../api/model.js';
import { leastWindow, mostWindow, windowGrid } from '../api/views.js';
import type { AnyTask } from '../tasks/registry.js';
import { OptionError } from './optionParsing.js';

const expected = `expected HEIGHTxWIDTH of ${leastWindow} to ${mostWindow} pixels each, or crop, and perhaps :STRIDE from 1 to the window's side, such as 512x512:341`;

/** `crop` stands for the size of the model's input. */
const windowSchema = z
  .string()
  .regex(/^(crop|\d{1,5}x\d{1,5})(:\d{1,5}(x\d{1,5})?)?$/, expected)
  .transform((text): ImageWindows => {
    const [size, stride] = text.split(':');
    const pair = (sides: string): [number, number] => {
      const [down, right] = sides.split('x').map(Number) as [number, number?];
      return [down, right ?? down];
    };
    return {
      ...(size === 'crop' ? {} : { size: pair(size!) }),
      ...(stride === undefined ? {} : { stride: pair(stride) }),
    };
  })
  .refine(({ size = [mostWindow, mostWindow], stride = [1, 1] }) => {
    const isSize = size.every((side) => side >= leastWindow && side <= mostWindow);
    return isSize && stride.every((side, i) => side >= 1 && side <= size[i]!);
  }, expected);

export const viewOptions = { whole: z.boolean().default(false), window: windowSchema.optional() };

export interface ViewOptions {
  readonly whole: boolean;
  readonly window?: ImageWindows | undefined;
}

/** For `refine` on a whole schema. */
export const oneView = ({ whole, window }: ViewOptions) => !whole || window === undefined;
export const oneViewHelp = 'give either --whole or --window, not both';

export function addViewOptions(command: Command): Command {
  return command
    .option(
      '--whole',
      'of a segmentation: see all of each image at once, at its own size, and answer in its own pixels',
    )
    .option(
      '--window <SIZE>',
      'the same in windows HEIGHTxWIDTH[:STRIDE], or crop[:STRIDE] for windows of the model’s input (default stride: two thirds), scores averaged where they overlap',
    );
}

/** @throws OptionError for a task whose images are only seen as the preprocessing shows them. */
export function viewOf({ whole, window }: ViewOptions, { name, pixelScores }: AnyTask): ImageView | undefined {
  const view = whole ? 'whole' : window;
  if (view !== undefined && !pixelScores)
    throw new OptionError(`--${whole ? 'whole' : 'window'}: says nothing to a model for ${name}; leave it out`);
  return view;
}

/** What a document says of a view, the same for the same windows. @throws UsageError for a stride that the model's input has no room for. */
export function describedView(view: ImageView, { preprocessing }: Model): string {
  if (view === 'whole') return view;
  const { size, stride } = windowGrid(view, preprocessing.crop);
  return `window ${size.height}x${size.width}:${stride.height}x${stride.width}`;
}
