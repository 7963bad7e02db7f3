/** Made-up recordings in the text format of NTU RGB+D. */

export interface MadeBody {
  readonly id?: string;
  /** Of the base of its spine. */
  readonly at: readonly [x: number, y: number, z: number];
  /** How wide it is to its height. */
  readonly width?: number;
}

/** A standing figure of 25 joints: joint j is j / 25 up, and to the left and the right in turns, `width` in all. */
export function placesOf({ at: [x, y, z], width = 0.4 }: MadeBody): number[][] {
  return Array.from({ length: 25 }, (_, joint) => [
    x + (joint % 2 === 0 ? -width / 2 : width / 2) * (joint / 24),
    y + joint / 25,
    z + 0.01 * (joint % 3),
  ]);
}

/** The text of a recording whose frames have these bodies. */
export function ntuText(frames: readonly (readonly MadeBody[])[], newline = '\n'): string {
  const lines: (string | number)[] = [frames.length];
  for (const bodies of frames) {
    lines.push(bodies.length);
    for (const body of bodies) {
      lines.push(`${body.id ?? '72057594037931101'} 0 1 0 1 1 0 0.15 0.0079 2`, 25);
      for (const place of placesOf(body)) lines.push(`${place.join(' ')} 257.19 244.35 -inf nan 0.87 0.008 0.3 0.95 2`);
    }
  }
  return lines.join(newline) + newline;
}
