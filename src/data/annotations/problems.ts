/**
 * What is wrong with annotations. Readers collect all of it in one list instead of stopping at the first, since whoever mends a data set wants to see everything at once; the
 * list becomes an error, or a note of what was left out.
 */
import { printable } from '../../interop/errors.js';
import { DataError } from '../errors.js';

/** Each with what one and several of it are called. */
const kinds = {
  unreadable: ['unreadable file or image entry', 'unreadable files or image entries'],
  missingImage: ['missing image', 'missing images'],
  unknownClass: ['unknown class', 'unknown classes'],
  outside: ['box outside its image', 'boxes outside their images'],
  noArea: ['box without an area', 'boxes without an area'],
  noPolygon: ['mask that is none', 'masks that are none'],
  malformed: ['malformed entry', 'malformed entries'],
} as const;

export type ProblemKind = keyof typeof kinds;

/** Something in annotations that cannot be used. */
export interface AnnotationProblem {
  readonly kind: ProblemKind;
  /** The file, and what in it: a line, an object, an annotation. */
  readonly place: string;
  /** What was found, and what was expected. */
  readonly found: string;
}

/** Annotations cannot be used as they are. */
export class AnnotationError extends DataError {
  /** All of them. */
  readonly problems: readonly AnnotationProblem[];

  constructor(message: string, problems: readonly AnnotationProblem[]) {
    super(message);
    this.problems = problems;
  }
}

const mostShown = 5;
const remedy = 'mend them, or leave them out with --skip-bad';

/** "12 bad annotations: 2 boxes without an area, 10 unknown classes", most frequent first. */
export function countProblems(problems: readonly AnnotationProblem[]): string {
  const counts = new Map<ProblemKind, number>();
  for (const { kind } of problems) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const parts = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${kinds[kind][count === 1 ? 0 : 1]}`);
  return `${problems.length} bad annotation${problems.length === 1 ? '' : 's'}: ${parts.join(', ')}`;
}

/** A few lines: how many of which kind, the first ones in words, and what to do. */
export function linesOfProblems(source: string, problems: readonly AnnotationProblem[], shown = mostShown): string[] {
  const more = problems.length - shown;
  return [
    `${printable(source)}: ${countProblems(problems)}`,
    ...problems.slice(0, shown).map(({ place, found }) => `  ${printable(place)}: ${printable(found)}`),
    more > 0 ? `  and ${more} more; ${remedy}` : `  ${remedy}`,
  ];
}

/** The same as one line, which messages of errors are. */
export function annotationError(source: string, problems: readonly AnnotationProblem[]): AnnotationError {
  const [opening, ...rest] = linesOfProblems(source, problems).map((line) => line.trim());
  return new AnnotationError(`${opening}: ${rest.join('; ')}`, problems);
}
