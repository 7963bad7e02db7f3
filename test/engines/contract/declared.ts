/** Cases of declared calls, made from the declaration: odd sizes, one pixel, batches of 1 and 5, and each output in place where it may be. */
import type { CallDeclaration, NamedCall } from '../../../src/engines/calls/call.js';
import { SeededNumbers } from '../support.js';
import { type CallSpec, type Case, real, result, spikes } from './specs.js';

/** What sizes are tried; a size of another name takes `others`. */
const sizesByName: Readonly<Record<string, readonly number[]>> = {
  channels: [1, 31, 32, 33, 65, 200],
  images: [1, 5],
  // More than a byte can count.
  tokens: [1, 7, 300],
  positions: [1, 7, 60],
  timeSteps: [1, 4],
  elements: [1, 15, 1001],
};
const others = [1, 5];
/** Share of the neurons that fire: some, all of them (the largest counts there are), few. */
const rates = [0.3, 1, 0.05, 1];
const caseCount = 12;

/** Sizes like those of a layer of the 15M network. */
const largeSizes: Readonly<Record<string, number>> = {
  channels: 384,
  images: 16,
  tokens: 196,
  positions: 196,
  timeSteps: 4,
  elements: 301_056,
};

/** What a declaration cannot say of a call: settings, and sizes that depend on each other. */
export type Completion = (sizes: Readonly<Record<string, number>>) => CallSpec;

function casesOfSizes(
  { tensors, sizes }: CallDeclaration<NamedCall>,
  chosen: readonly Readonly<Record<string, number>>[],
  complete: Completion,
): Case[] {
  const numbers = new SeededNumbers(40);
  return chosen.flatMap((values, index) => {
    const plain: CallSpec & Record<string, unknown> = { ...values, ...complete(values) };
    const title = sizes.map((size) => `${size} ${plain[size]}`).join(', ');
    const call: Record<string, unknown> = { ...plain };
    for (const [role, { access, storage, shape }] of Object.entries(tensors)) {
      const found = shape(plain as unknown as NamedCall);
      const filled = storage === 'real' ? real(numbers, found) : spikes(numbers, found, rates[index % rates.length]!);
      // What is added to has to hold something.
      call[role] = access !== 'write' || plain.accumulate === true ? filled : result(found, storage);
    }
    const inPlace = Object.entries(tensors).flatMap(([role, { inPlaceOf = [] }]) =>
      inPlaceOf.map((input) => ({
        title: `${title}, ${role} in place of ${input}`,
        call: { ...call, [role]: call[input] },
      })),
    );
    return [{ title, call }, ...inPlace];
  });
}

export function declaredCases(declaration: CallDeclaration<NamedCall>, complete: Completion = () => ({})): Case[] {
  const chosen = Array.from({ length: caseCount }, (_, index) =>
    Object.fromEntries(
      declaration.sizes.map((size, place) => {
        const values = sizesByName[size] ?? others;
        // The first size walks through its values with every case, the next at another pace, so that they meet in many ways.
        return [size, values[(size === 'channels' ? index : Math.floor(index / (place + 1)) + place) % values.length]!];
      }),
    ),
  );
  return casesOfSizes(
    declaration,
    [...chosen, Object.fromEntries(declaration.sizes.map((size) => [size, 1]))],
    complete,
  );
}

/** One case that is long enough to be timed. */
export function largeDeclaredCase(declaration: CallDeclaration<NamedCall>, complete: Completion = () => ({})): Case {
  const sizes = Object.fromEntries(declaration.sizes.map((size) => [size, largeSizes[size] ?? 14]));
  return casesOfSizes(declaration, [sizes], complete)[0]!;
}
