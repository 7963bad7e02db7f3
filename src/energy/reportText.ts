/** How the energy report writes numbers, names and lists. */

export function escaped(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

/** Three digits that count, in the unit that fits. */
export function joules(millijoules: number): string {
  if (millijoules === 0) return '0';
  if (millijoules < 1e-4) return `${(1e6 * millijoules).toPrecision(3)} nJ`;
  if (millijoules < 0.1) return `${(1000 * millijoules).toPrecision(3)} µJ`;
  return `${millijoules.toPrecision(3)} mJ`;
}

/** 12 345 678 → `12.3 M`. */
export function operations(count: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (count >= size) return `${(count / size).toPrecision(3)} ${unit}`;
  return String(Math.round(count));
}

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export function definitionList(entries: readonly (readonly [string, string])[]): string {
  return `<dl>${entries.map(([term, value]) => `<div><dt>${term}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

/** The last part of a path: a report is handed on, and where a person keeps files is nobody's business. */
export function baseName(path: string): string {
  const parts = path.split(/[/\\]/).filter((part) => part !== '');
  return parts.at(-1) ?? path;
}

/** What stands in place of a firing rate where a layer is fed by numbers: the first by pixels or what else the samples are, others by neurons that give numbers out. */
export function numbersFed(index: number, data: object): string {
  if (index > 0) return 'numbers';
  return 'noun' in data && data.noun !== 'image' ? `${String(data.noun)}s` : 'pixels';
}
