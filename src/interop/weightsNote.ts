/** What a person should know of weights that were chosen among several. */
import { printable } from './errors.js';

const NAMED = 8;

/** @param first What would have been taken, had it fitted. */
export function weightsNote(taken: string, others: readonly string[], first: string): string[] {
  if (others.length === 0) return [];
  const names = others.slice(0, NAMED).map(printable).join(', ');
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
  const why = taken === first ? '' : ` (${printable(first)} does not fit a network)`;
  return [`the weights ${printable(taken)} were taken${why}; --weights chooses another: ${names}${more}`];
}
