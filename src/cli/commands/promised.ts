/** Commands that are promised and not there yet: they say so, instead of pretending that nobody ever heard of them. */
import type { Command } from 'commander';
import { UsageError } from '../../errors.js';

const names = ['lab'];

export function registerPromised(program: Command): void {
  for (const name of names) {
    program
      .command(name, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .action(() => {
        throw new UsageError(`${name}: not in this version; see FEATURES.md`);
      });
  }
}
