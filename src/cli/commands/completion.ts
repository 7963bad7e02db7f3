/** `completion`: prints what a shell has to read to complete commands, options and values. */
import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from '../completion.js';
import type { Session } from '../session.js';

export function registerCompletion(program: Command, { io }: Session): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<SHELL>', 'which shell the script is for').choices(shells))
    .action((shell: Shell) => {
      io.stdout.write(completionScript(program, shell));
    });
}
