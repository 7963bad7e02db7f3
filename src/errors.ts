/**
 * The one ancestor of every error that a person can cause and mend. Each room has its own class below it.
 *
 * A message is complete in itself: it names the file, option or layer, says what was found, what was expected and what to
 * do. The command line prints it as one line and exits with 2; anything that is not of this class is a defect of ours.
 * Names of files, layers and classes come from outside: whatever they hold, the message stays one line and commands no terminal.
 */
export class MetaSpikeformerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(withoutControls(message), options);
    this.name = new.target.name;
  }
}

/** An option or argument of the command line or the library is unknown, missing or out of range. */
export class UsageError extends MetaSpikeformerError {}

/**
 * Control characters, line breaks, marks that turn the direction of writing and halves of characters as `\\u001b`; bytes of names that are
 * no UTF-8, which are single surrogates in our strings (data/fileNames.ts), as `\\xe9`.
 */
export function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    const isByte = code >= 0xdc80 && code <= 0xdcff;
    return isByte ? `\\x${(code - 0xdc00).toString(16)}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
