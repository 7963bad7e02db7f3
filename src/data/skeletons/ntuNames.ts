/**
 * What the names of NTU RGB+D's recordings say, `SsssCcccPpppRrrrAaaa`, and how the published protocols divide them (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020).
 * Reads nothing.
 */

export interface NtuName {
  /** Without folders and ending. */
  readonly stem: string;
  /** Where the cameras stood, 1 to 17 in NTU RGB+D 60, up to 32 in 120. */
  readonly setup: number;
  /** 1 to 3. */
  readonly camera: number;
  /** Who acts, 1 to 40, up to 106 in 120. */
  readonly performer: number;
  /** 1 facing one camera, 2 facing another. */
  readonly replication: number;
  /** Counted from 1; classes are counted from 0. */
  readonly action: number;
}

const filePattern = /(?:^|[/\\])(S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3}))(?:\.[^/\\]*)?$/;

/** Undefined for a file of another name. */
export function ntuName(file: string): NtuName | undefined {
  const match = filePattern.exec(file);
  if (match === null) return undefined;
  const [setup, camera, performer, replication, action] = match.slice(2).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { stem: match[1]!, setup, camera, performer, replication, action };
}

export const ntuProtocols = ['xsub', 'xview', 'xsub120', 'xset'] as const;

/**
 * - `xsub` (60 actions): 20 of 40 performers train, the others test.
 * - `xview` (60): cameras 2 and 3 train, camera 1 tests.
 * - `xsub120` (120): 53 of 106 performers train.
 * - `xset` (120): even setups train, odd ones test.
 */
export type NtuProtocol = (typeof ntuProtocols)[number];

const trained60 = [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38] as const;
const trained120 = [
  ...trained60,
  ...[45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94],
  ...[95, 97, 98, 100, 103],
];

const performers60: ReadonlySet<number> = new Set(trained60);
const performers120: ReadonlySet<number> = new Set(trained120);

const trains: Readonly<Record<NtuProtocol, (name: NtuName) => boolean>> = {
  xsub: ({ performer }) => performers60.has(performer),
  xview: ({ camera }) => camera !== 1,
  xsub120: ({ performer }) => performers120.has(performer),
  xset: ({ setup }) => setup % 2 === 0,
};

/** Whether a protocol trains on a recording; it tests on the others. */
export function isNtuTraining(name: NtuName, protocol: NtuProtocol): boolean {
  return trains[protocol](name);
}

/** Actions of a protocol: the first so many. */
export function ntuClassCount(protocol: NtuProtocol): 60 | 120 {
  return protocol === 'xsub' || protocol === 'xview' ? 60 : 120;
}

const archives: readonly (readonly [RegExp, NtuProtocol])[] = [
  [/NTU_?60_(CS|XSub)\b/i, 'xsub'],
  [/NTU_?60_(CV|XView)\b/i, 'xview'],
  [/NTU_?120_(CS|CSub|XSub)\b/i, 'xsub120'],
  [/NTU_?120_(CSet|XSet)\b/i, 'xset'],
];

/** The protocol that a file name of the arrays that the field passes around speaks of (`NTU60_CS.npz`); undefined for others. */
export function ntuProtocolOfArchive(file: string): NtuProtocol | undefined {
  return archives.find(([pattern]) => pattern.test(file))?.[1];
}
