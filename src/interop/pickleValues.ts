/**
 * What a pickle is read into: inert values. A class or function is only its name; an object of a class that nobody knows is its name and
 * the items that were put into it; what tensors are is decided by the `PickleWorld` that the caller of the machine passes.
 */

/** The name of a class or function. Never the thing itself. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/**
 * What a class or function that is not known here would have made: its name, and the items that were set in it, in case it is a kind of
 * dictionary. Attributes are dropped.
 */
export class PickleObject {
  #items: PickleDict | undefined;

  constructor(readonly type: PickleGlobal) {}

  get items(): PickleDict | undefined {
    return this.#items;
  }

  set(key: PickleValue, value: PickleValue): void {
    this.#items ??= new PickleDict();
    this.#items.set(key, value);
  }
}

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

export class PickleList {
  readonly items: PickleValue[] = [];
}

/**
 * A dictionary. Only texts can be looked up: of numbers an attacker can choose as many as he likes that fall into one slot of a hash table,
 * and nothing that is read here has them as keys.
 */
export class PickleDict {
  readonly entries = new Map<string, PickleValue>();
  /** Values under keys that are no texts, in the order of the file. */
  readonly others: PickleValue[] = [];

  set(key: PickleValue, value: PickleValue): void {
    if (typeof key === 'string') this.entries.set(key, value);
    else this.others.push(value);
  }
}

/** Base of the values that a `PickleWorld` makes, such as references to tensors. */
export abstract class PickleForeign {
  /** Keeps the type nominal: plain data must not pass for a foreign value. */
  protected readonly foreign = true;
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleGlobal
  | PickleObject
  | PickleForeign;

/** Decides what the names in a pickle mean. Every method may throw CheckpointError to refuse the file. */
export interface PickleWorld {
  /** A function or class would be called (REDUCE and its relatives). */
  call(callable: PickleGlobal, args: readonly PickleValue[]): PickleValue;
  /** An object would be made without calling its constructor (NEWOBJ). */
  create(type: PickleGlobal, args: readonly PickleValue[]): PickleValue;
  /** A reference to data outside the pickle. */
  persistent(id: PickleValue): PickleValue;
}
