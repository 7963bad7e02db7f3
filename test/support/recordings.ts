/** Recordings made by hand, in the format of N-MNIST, and archives of files. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type Row = readonly [t: number, x: number, y: number, p: number];

/** Records of five bytes: x, y, then the polarity's bit and 23 bits of microseconds. */
export function nmnistBytes(rows: readonly Row[]): Uint8Array {
  return Uint8Array.from(rows.flatMap(([t, x, y, p]) => [x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255]));
}

/** A bright dot that walks to the right (class 0) or down (class 1), another for every number. */
export function walk(label: number, number: number): Row[] {
  return Array.from({ length: 40 }, (_, i) => {
    const [along, across] = [(i + number) % 12, 3 + ((number * 5 + (i % 3)) % 7)];
    return [1000 * i + number, label === 0 ? along : across, label === 0 ? across : along, i % 2] as const;
  });
}

/** Writes files below a folder. */
export async function writeTree(root: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
}

/** The same files as a ustar archive. */
export function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Uint8Array {
  const parts = Object.entries(files).flatMap(([name, content]) => {
    const data = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const header = new Uint8Array(512);
    const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
    put(name, 0);
    put('0000644\0', 100);
    put(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    put('        ', 148);
    put('0', 156);
    put('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, new Uint8Array((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, new Uint8Array(1024)]);
}
