/**
 * What a kernel is asked to do, the same for every engine: each file of this folder describes the calls of one kernel (their types, what must hold of them, which
 * tensors they read and write), and with them their gradients. How it is done is each engine's own: `engines/reference/calls/` has a function of the same name, and the
 * wasm engine a kernel of the same name in `kernels/` (and, where its instructions need planning, a recorder in `engines/wasm/calls/`). The lists of them are made by
 * `scripts/list-calls.mjs`: to add a kernel is to add these files, and `record(call, { … })` records it.
 */
import type { Shape } from '../../graph/shape.js';
import { elementCount } from '../../graph/shape.js';
import { expectApart, expectApartOrSame, expectSize, expectStorage, expectWhole } from '../checks.js';
import type { Storage, Tensor } from '../tensor.js';

export interface NamedCall {
  /** Name of the node, for messages and profiles. */
  readonly name: string;
}

/** A kernel as those who record calls know it. */
export interface KernelCall<Call extends NamedCall> {
  /** Name of the kernel, the same in every engine. */
  readonly kernel: string;
  /** @throws EngineError that begins with the name of the call, when it cannot be done as it stands. */
  check(call: Call): void;
  /** Tensors whose contents the kernel uses. */
  reads(call: Call): readonly Tensor[];
  /** Tensors whose contents the kernel changes; also in `reads` when what they held before matters. */
  writes(call: Call): readonly Tensor[];
  /** The call as a list, for engines that need no more than that; only where the call is declared. */
  readonly declaration?: CallDeclaration<Call>;
}

type Optional<Value> = readonly (Value | undefined)[];

/** Describes a kernel by functions. `kernel` is the name of the constant that holds the result. */
export function defineCall<Call extends NamedCall>(
  kernel: string,
  parts: {
    readonly check: (call: Call) => void;
    readonly reads: (call: Call) => Optional<Tensor>;
    readonly writes: (call: Call) => Optional<Tensor>;
  },
): KernelCall<Call> {
  return {
    kernel,
    check: parts.check,
    reads: (call) => parts.reads(call).filter((tensor) => tensor !== undefined),
    writes: (call) => parts.writes(call).filter((tensor) => tensor !== undefined),
  };
}

type KeysOf<Call, Value> = { [Key in keyof Call]-?: Call[Key] extends Value ? Key : never }[keyof Call] & string;

export interface DeclaredTensor<Call> {
  /** `update`: what the tensor held before matters, and it is changed. */
  readonly access: 'read' | 'write' | 'update';
  readonly storage: Storage;
  /** As many elements as the tensor must have; of spikes the last axis is the channels, which are packed. */
  readonly shape: (call: Call) => Shape;
  /** Tensors whose very memory this one may be, because each element is read just before it is written. */
  readonly inPlaceOf?: readonly string[];
}

export interface DeclaredSetting<Call> {
  readonly as: 'float32' | 'word';
  readonly value: (call: Call) => number;
}

/** A call as a list: an instruction of the wasm engine is its tensors, sizes and settings in this order (see `declaredWords`). */
export interface CallDeclaration<Call> {
  readonly tensors: Readonly<Record<string, DeclaredTensor<Call>>>;
  /** Whole numbers of at least 1. */
  readonly sizes: readonly string[];
  /** Other numbers. */
  readonly settings: Readonly<Record<string, DeclaredSetting<Call>>>;
}

/** Declares a kernel whose tensors have shapes that follow from its sizes: checks, and the wasm engine's instruction, follow from the declaration. */
export function declareCall<Call extends NamedCall>(
  kernel: string,
  parts: {
    readonly sizes: readonly KeysOf<Call, number>[];
    /** Every tensor of the call; one that the call may do without is left out of the call. */
    readonly tensors: { readonly [Role in KeysOf<Call, Tensor | undefined>]: DeclaredTensor<Call> };
    readonly settings?: Readonly<Record<string, DeclaredSetting<Call>>>;
    /** What must hold besides; asked after the sizes and before the tensors. */
    readonly check?: (call: Call) => void;
  },
): KernelCall<Call> {
  const { sizes, settings = {} } = parts;
  const tensors: Readonly<Record<string, DeclaredTensor<Call>>> = parts.tensors;
  const roles = Object.entries(tensors);
  const tensorsBut = (call: Call, access: DeclaredTensor<Call>['access']) =>
    roles.flatMap(([role, declared]) => (declared.access === access ? [] : (tensorOf(call, role) ?? [])));
  return {
    kernel,
    check: (call) => {
      expectWhole(call.name, Object.fromEntries(sizes.map((size) => [size, sizeOf(call, size)])));
      parts.check?.(call);
      for (const [role, declared] of roles) checkTensor(call, role, declared);
      for (const [role, declared] of roles) if (declared.access !== 'read') checkApart(call, role, tensors);
    },
    reads: (call) => tensorsBut(call, 'write'),
    writes: (call) => tensorsBut(call, 'read'),
    declaration: { tensors, sizes, settings },
  };
}

export function read<Call>(storage: Storage, shape: (call: Call) => Shape): DeclaredTensor<Call> {
  return { access: 'read', storage, shape };
}

export function write<Call>(
  storage: Storage,
  shape: (call: Call) => Shape,
  inPlaceOf: readonly string[] = [],
): DeclaredTensor<Call> {
  return { access: 'write', storage, shape, inPlaceOf };
}

/** Of tensors that are changed by what they hold. */
export function update<Call>(storage: Storage, shape: (call: Call) => Shape): DeclaredTensor<Call> {
  return { access: 'update', storage, shape };
}

/** A number that kernels are given as a float32. */
export function float32<Call>(value: (call: Call) => number): DeclaredSetting<Call> {
  return { as: 'float32', value };
}

/** A whole number from 0 up: a choice, or 1 for true. */
export function word<Call>(value: (call: Call) => number): DeclaredSetting<Call> {
  return { as: 'word', value };
}

/** The call's tensor of that role, if it has one. */
export function tensorOf<Call extends NamedCall>(call: Call, role: string): Tensor | undefined {
  return (call as Readonly<Record<string, unknown>> & Call)[role] as Tensor | undefined;
}

/** The call's size of that name. */
export function sizeOf<Call extends NamedCall>(call: Call, size: string): number {
  return (call as Readonly<Record<string, unknown>> & Call)[size] as number;
}

function checkTensor<Call extends NamedCall>(call: Call, role: string, declared: DeclaredTensor<Call>): void {
  const tensor = tensorOf(call, role);
  if (!tensor) return;
  const shape = declared.shape(call);
  expectStorage(call.name, tensor, declared.storage);
  expectSize(call.name, role, tensor, elementCount(shape), shape.at(-1) ?? 1);
}

function checkApart<Call extends NamedCall>(
  call: Call,
  role: string,
  tensors: Readonly<Record<string, DeclaredTensor<Call>>>,
): void {
  const tensor = tensorOf(call, role);
  if (!tensor) return;
  const { inPlaceOf = [] } = tensors[role]!;
  const others = Object.keys(tensors).filter((other) => other !== role);
  const present = (roles: readonly string[]) => roles.flatMap((other) => tensorOf(call, other) ?? []);
  expectApart(call.name, tensor, present(others.filter((other) => !inPlaceOf.includes(other))));
  expectApartOrSame(call.name, tensor, present(inPlaceOf));
}
