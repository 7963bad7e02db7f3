/**
 * Memory that all threads and all layers of a training program share: packed weights and partial sums, each used by the
 * instructions right after the one that wrote it. How much is needed is known at the end of the recording; until then,
 * instructions hold offsets into it.
 */
export class SharedScratch {
  private bytes = 0;
  private readonly references: { readonly words: Uint32Array; readonly word: number }[] = [];

  get byteLength(): number {
    return this.bytes;
  }

  need(byteLength: number): void {
    this.bytes = Math.max(this.bytes, byteLength);
  }

  /** The word of an instruction holds an offset (0 if nothing was written) that will become an address. */
  refer(words: Uint32Array, word: number): void {
    this.references.push({ words, word });
  }

  placeAt(address: number): void {
    for (const { words, word } of this.references) words[word] = words[word]! + address;
  }
}
