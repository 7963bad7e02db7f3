/** Which class of a model a class folder is. */
import { UsageError } from '../errors.js';
import { className } from './names.js';

/** What a model says of its classes. */
export interface KnownClasses {
  readonly classes: number;
  readonly labels: readonly string[];
  /** False when nobody named them and `labels` only numbers them. */
  readonly hasLabels: boolean;
}

const namedInMessages = 8;

/**
 * The model's class for each class folder: by name when the model knows the names of its classes, else by position in the
 * sorted list.
 *
 * @param source What messages call the data.
 * @throws UsageError listing the folders that are no class of the model, or when there are more folders than classes.
 */
export function matchClasses(model: KnownClasses, folders: readonly string[], source: string): readonly number[] {
  const { classes } = model;
  if (folders.length > classes) {
    throw new UsageError(
      `${source}: holds ${folders.length} class folders, but the model has ${classes} classes; choose the data or the model that fits`,
    );
  }
  if (!model.hasLabels) return folders.map((_, index) => index);
  const labels = model.labels.map(className);
  const names = folders.map(className);
  const strangers = folders.filter((_, index) => !labels.includes(names[index]!));
  if (strangers.length > 0) {
    // None of them known is another model's data, rather than other words for the same things.
    const advice =
      strangers.length === folders.length
        ? 'rename the folders, or choose the model that knows them'
        : 'rename the folders';
    throw new UsageError(
      `${source}: ${strangers.length} of ${folders.length} class folders are not classes of the model: ${listed(strangers)}; its classes are ${listed(model.labels)}; ${advice}`,
    );
  }
  const ambiguous = names.filter((name) => labels.indexOf(name) !== labels.lastIndexOf(name));
  if (ambiguous.length > 0) {
    throw new UsageError(
      `${source}: the model has several classes named ${listed(ambiguous)}; give its labels unique names`,
    );
  }
  return names.map((name) => labels.indexOf(name));
}

function listed(names: readonly string[]): string {
  const more = names.length > namedInMessages ? ` and ${names.length - namedInMessages} more` : '';
  return `${names.slice(0, namedInMessages).join(', ')}${more}`;
}
