/**
 * Golden inference files (PyTorch 1.13.1, CPU), seeds chosen so that an exact float32 implementation reproduces every spike. Those called
 * `infer_…` were computed with the authors' own module: one at T = 4 travels with the repository, the others lie in the shared folder.
 * `plain_T1` travels too: the same weights at T = 1, from plain PyTorch modules that have every spike of all authors' files.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { type LoadedParameters, loadParameters } from '../../src/interop/loadParameters.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { sharedPath } from '../shared.js';

export interface GoldenCase {
  readonly configuration: { readonly T: number; readonly num_heads: number; readonly min_threshold_margin: number };
  readonly firingRates: Readonly<Record<string, number>>;
  readonly loaded: LoadedParameters;
  readonly input: { readonly shape: readonly number[]; readonly data: Float32Array };
  readonly logits: Float32Array;
  readonly activations: ReadonlyMap<string, Float32Array>;
  readonly spikes: ReadonlyMap<string, Uint8Array>;
}

const fixtures = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'fixtures', 'golden');

/** The path of a golden file: bundled, or shared, or undefined. */
export function goldenPath(file: string): string | undefined {
  const bundled = join(fixtures, file);
  return existsSync(bundled) ? bundled : sharedPath('golden', file);
}

export async function loadGolden(name: string): Promise<GoldenCase> {
  const json = JSON.parse(readFileSync(goldenPath(`${name}.json`)!, 'utf8'));
  const checkpoint = await openCheckpointFile(goldenPath(json.weights ?? `${name}.pth`)!);
  const loaded = await loadParameters(checkpoint, { heads: json.num_heads, timeSteps: json.T });
  await checkpoint.close();
  const values = await openSafetensors(fileFromBytes(readFileSync(goldenPath(`${name}.safetensors`)!), name));
  const activations = new Map<string, Float32Array>();
  const spikes = new Map<string, Uint8Array>();
  for (const [key, tensor] of values.tensors) {
    if (key.startsWith('act.')) activations.set(key.slice(4), await tensor.readFloat32());
    if (key.startsWith('spikes.')) spikes.set(key.slice(7), await tensor.readBytes());
  }
  const input = values.tensors.get('input')!;
  return {
    configuration: json,
    firingRates: json.firing_rate,
    loaded,
    input: { shape: input.shape, data: await input.readFloat32() },
    logits: await values.tensors.get('logits')!.readFloat32(),
    activations,
    spikes,
  };
}
