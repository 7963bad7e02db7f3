/** The recordings that come with the project; assets/recordings/SOURCES.md says how they are made. */

const addresses = import.meta.glob<string>('../../../assets/recordings/*.bin', {
  eager: true,
  query: '?url',
  import: 'default',
});

const recordings = new Map(
  Object.entries(addresses).map(([path, address]) => [path.replace(/^.*\/|\.bin$/g, ''), address] as const),
);

export const recordingNames: readonly string[] = [...recordings.keys()].sort();

/** The one that is shown first. */
export const firstRecording = recordings.has('seven') ? 'seven' : recordingNames[0]!;

export function recordingAddress(name: string): string {
  return recordings.get(name)!;
}
