/**
 * The one ancestor of every error that a person can cause and mend. Each room has its own class below it.
 *
 * A message is complete in itself: it names the file, option or layer, says what was found, what was expected and what to
 * do. The command line prints it as one line and exits with 2; anything that is not of this class is a defect of ours.
 */
export class MetaSpikeformerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option or argument of the command line or the library is unknown, missing or out of range. */
export class UsageError extends MetaSpikeformerError {}
