/** The photographs that come with the project; assets/photographs/SOURCES.md says where they are from. */

const addresses = import.meta.glob<string>('../../../assets/photographs/*.jpg', {
  eager: true,
  query: '?url',
  import: 'default',
});

const photographs = new Map(
  Object.entries(addresses)
    .map(([path, address]) => [path.replace(/^.*\/|\.jpg$/g, ''), address] as const)
    // The cat first, by which the lab is known.
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b)),
);

function rank(name: string): number {
  return name === 'cat' ? 0 : 1;
}

export const photographNames: readonly string[] = [...photographs.keys()];

export function photographAddress(name: string): string {
  return photographs.get(name)!;
}
