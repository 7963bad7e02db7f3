/** The command line inside the test process, and the fixtures its tests share. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { type Io, plainColours } from '../../src/cli/io.js';
import { main } from '../../src/cli/program.js';
import { openCheckpointFile, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import type { TensorData } from '../../src/interop/tensorData.js';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const fixture = (...parts: string[]) => join(repository, 'test', 'fixtures', ...parts);

/** A network of ten classes for small images, and what the authors' module gave for its `input`; T = 4. */
export const checkpoint = fixture('golden', 'infer_T4_kd.pth');
export const golden = fixture('golden', 'infer_T4_kd.safetensors');

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Overrides {
  /** Called as soon as the command listens for Ctrl-C; pressing it is calling what is passed. */
  readonly onListening?: (pressControlC: () => void) => void;
  readonly environment?: Io['environment'];
  readonly writeOut?: (text: string) => void;
  /** What comes on standard input; by default a person sits there. */
  readonly stdin?: Uint8Array;
}

export async function spikeformer(args: readonly string[], overrides: Overrides = {}): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const code = await main(args, {
    stdout: {
      write: (text) => {
        overrides.writeOut?.(text);
        stdout += text;
      },
    },
    stderr: {
      write: (text) => {
        stderr += text;
      },
    },
    ...(overrides.stdin ? { stdin: partsOf(overrides.stdin) } : {}),
    colours: plainColours,
    environment: overrides.environment ?? {},
    onInterrupt(callback) {
      overrides.onListening?.(callback);
      return () => undefined;
    },
  });
  return { code, stdout, stderr };
}

async function* partsOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 1000) yield bytes.subarray(start, start + 1000);
}

/** The document on standard output, which must be alone there. */
export async function json(args: readonly string[], overrides: Overrides = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await spikeformer([...args, '--json'], overrides);
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'spikeformer-'));
  return { path, remove: () => rm(path, { recursive: true }) };
}

/** Every file and folder below `folder`, sorted. */
export async function everythingIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

export async function writeTensors(path: string, tensors: Record<string, TensorData>): Promise<string> {
  await writeSafetensors(path, new Map(Object.entries(tensors)));
  return path;
}

export function zeros(...shape: number[]): TensorData {
  return { dtype: 'float32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

/**
 * The golden network without most of its blocks, for tests of what is done with answers and not of the answers: it loads in a third of the time, and images still
 * differ in what it says of them.
 */
export async function writeSmallNetwork(path: string): Promise<string> {
  const source = await openCheckpointFile(checkpoint);
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of source.tensors) {
    const { dtype, shape } = tensor;
    if (!/^block[34]\.[1-9]/.test(name)) tensors.set(name, { dtype, shape, data: await tensor.readBytes() });
  }
  await source.close();
  await writeSafetensors(path, tensors);
  return path;
}

/** The golden network saved as ours are, with names for its classes. */
export async function writeLabelled(path: string, labels: readonly string[]): Promise<string> {
  const source = await openCheckpointFile(checkpoint);
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of source.tensors) {
    tensors.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.readBytes() });
  }
  await source.close();
  await writeSafetensors(path, tensors, { 'meta-spikeformer': JSON.stringify({ labels }) });
  return path;
}

/** Writes small files as `class/file`. */
export async function plant(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [place, content] of Object.entries(files)) {
    const path = join(folder, place);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content);
  }
}

/** Two classes that any network can tell apart, `dark` and `light`: 8 × 8 images in folders below `folder`. */
export async function writeDarkAndLight(folder: string, perClass: number): Promise<void> {
  for (const [label, name] of ['dark', 'light'].entries()) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const background = { r: 60 + 130 * label + i, g: 60 + 130 * label, b: 60 + 130 * label };
      const picture = sharp({ create: { width: 8, height: 8, channels: 3, background } });
      await picture.png().toFile(join(folder, name, `${i}.png`));
    }
  }
}
