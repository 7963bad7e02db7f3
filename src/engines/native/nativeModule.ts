/**
 * Finds and loads the native twin of the kernels: a module of Node that scripts/build-native.mjs makes from `native/` where there is a C++ compiler. Whatever is wrong with it
 * is told in a line, and wasm serves; a damaged file is never loaded, because loading one could end the process. In a browser there is none.
 */
import { EngineError } from '../errors.js';
import { isNode } from '../wasm/platform.js';
import type { Addon } from './addon.js';
import { revision } from './revision.generated.js';
import { selfTest } from './selfTest.js';

export interface NativeModule {
  readonly addon: Addon;
  readonly path: string;
  readonly instructionSet: string;
  /** Whether to take it where no engine is asked for: its registers are wider than those of wasm, or its instruction set was asked for. */
  readonly preferred: boolean;
}

/** Sets with registers of more than 128 bits. With SSE4.1 native kernels take up to twice as long as those of wasm. */
const wideInstructionSets: readonly string[] = ['avx2', 'avx512'];

/** The module, or why there is none: a line without a full stop. */
export type Availability =
  | { readonly module: NativeModule; readonly reason?: undefined }
  | { readonly module?: undefined; readonly reason: string };

/** What scripts/build-native.mjs writes beside the module. */
interface Manifest {
  readonly revision?: unknown;
  readonly sha256?: unknown;
}

// What is used of Node: its modules are imported by names that bundlers do not follow.
interface Files {
  existsSync(path: string): boolean;
  readFileSync(path: string): Uint8Array;
}

interface Hash {
  update(data: Uint8Array): Hash;
  digest(encoding: 'hex'): string;
}

interface Crypto {
  createHash(algorithm: 'sha256'): Hash;
}

interface ModuleLoading {
  createRequire(from: string): (path: string) => Addon;
}

interface Addresses {
  fileURLToPath(address: URL): string;
}

const nodeFiles = 'node:fs';
const nodeCrypto = 'node:crypto';
const nodeModule = 'node:module';
const nodeUrl = 'node:url';

const here = import.meta.url;
const found = new Map<string, Promise<Availability>>();

/**
 * The native module for this machine. It is looked for once. `SPIKEFORMER_NATIVE_FOLDER` names another folder than the package's.
 *
 * @param instructionSet Default: what `SPIKEFORMER_NATIVE_ISA` says, else the widest that the processor has.
 */
export function nativeModule(instructionSet?: string): Promise<Availability> {
  if (!isNode()) return Promise.resolve({ reason: 'a page runs wasm' });
  const { SPIKEFORMER_NATIVE_FOLDER: folder = '', SPIKEFORMER_NATIVE_ISA: fromEnvironment = '' } = process.env;
  const wanted = instructionSet ?? fromEnvironment;
  const key = `${folder}\0${wanted}`;
  const known = found.get(key);
  if (known) return known;
  const loading = load(folder, wanted).catch((cause: unknown) => ({ reason: lineOf(cause) }));
  found.set(key, loading);
  return loading;
}

function lineOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split('\n')[0]!.trim();
}

async function load(folder: string, wanted: string): Promise<Availability> {
  const { fileURLToPath }: Addresses = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeUrl);
  const own = folder || fileURLToPath(new URL(`../../../dist/native/${process.platform}-${process.arch}`, here));
  const path = `${own}/spikeformer.node`;
  const damage = await damageOf(own, path);
  if (damage) return { reason: damage };
  const { createRequire }: ModuleLoading = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeModule);
  const addon = createRequire(here)(path);
  const { instructionSets } = addon;
  if (addon.revision !== revision) return { reason: `${path}: was built from other sources; run npm run build` };
  const instructionSet = wanted || instructionSets.at(-1);
  if (instructionSet === undefined || !instructionSets.includes(instructionSet))
    return { reason: `${path}: this processor cannot run ${wanted || 'any of its instruction sets'}` };
  const preferred = wanted !== '' || wideInstructionSets.includes(instructionSet);
  const wrong = selfTest(addon, instructionSet);
  return wrong ? { reason: `${path}: ${wrong}` } : { module: { addon, path, instructionSet, preferred } };
}

/** What is wrong with the files, found without loading them. */
async function damageOf(folder: string, path: string): Promise<string | undefined> {
  const { existsSync, readFileSync }: Files = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeFiles);
  if (!existsSync(path)) return `there is no ${path}; it is built where there is a C++ compiler`;
  const { createHash }: Crypto = await import(/* @vite-ignore */ /* webpackIgnore: true */ nodeCrypto);
  const manifest = manifestOf(() => readFileSync(`${folder}/spikeformer.json`));
  if (manifest.revision !== revision) return `${path}: was built from other sources; run npm run build`;
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
  return hash === manifest.sha256 ? undefined : `${path}: is damaged; delete it and run npm run build`;
}

function manifestOf(read: () => Uint8Array): Manifest {
  try {
    return JSON.parse(new TextDecoder().decode(read()));
  } catch {
    return {};
  }
}

/** @throws EngineError saying why there is none. */
export async function requireNativeModule(instructionSet?: string): Promise<NativeModule> {
  const { module, reason } = await nativeModule(instructionSet);
  if (module) return module;
  throw new EngineError(`there is no native engine: ${reason}`);
}
