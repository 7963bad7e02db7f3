/**
 * The command line as a function: arguments in, exit code out. Turns every failure into one line on standard error: what a person
 * can mend ends with 2, a defect of this program with 1. `main.ts` is the executable around it.
 */
import { Command, CommanderError } from 'commander';
import { MetaSpikeformerError } from '../errors.js';
import { registerBench } from './commands/bench.js';
import { registerCompletion } from './commands/completion.js';
import { registerEnergy } from './commands/energy.js';
import { registerEval } from './commands/eval.js';
import { registerEvents } from './commands/events.js';
import { registerExport } from './commands/export.js';
import { registerInfo } from './commands/info.js';
import { registerInit } from './commands/init.js';
import { registerLab } from './commands/lab.js';
import { registerPredict } from './commands/predict.js';
import { registerRun } from './commands/run.js';
import { registerStream } from './commands/stream.js';
import { registerTrain } from './commands/train.js';
import { registerTune } from './commands/tune.js';
import { addExamples, helpFor } from './help.js';
import type { Io } from './io.js';
import { OptionError } from './options.js';
import { OutputError } from './outputStream.js';
import { exitCodes, type Session } from './session.js';
import { oneLine, saidOnce } from './text.js';
import { programVersion } from './version.js';

/**
 * Runs one command.
 *
 * @param argv What follows the program's name.
 * @returns The exit code; it does not throw.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const session: Session = { io, exitCode: exitCodes.done };
  const program = createProgram(session);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    const names = program.commands.map((command) => command.name());
    return report(error, io, helpFor(argv, names));
  }
}

function createProgram(session: Session): Command {
  const { io } = session;
  const program = new Command('spikeformer')
    .description('Meta-SpikeFormer, the spike-driven vision transformer')
    .version(programVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Errors are thrown as well, and reported in one place.
      outputError: () => undefined,
    });
  registerPredict(program, session);
  registerEval(program, session);
  registerRun(program, session);
  registerInfo(program, session);
  registerInit(program, session);
  registerStream(program, session);
  registerTrain(program, session);
  registerExport(program, session);
  registerBench(program, session);
  registerTune(program, session);
  registerEnergy(program, session);
  registerEvents(program, session);
  registerLab(program, session);
  registerCompletion(program, session);
  addExamples(program);
  return program;
}

/**
 * Says what went wrong and returns the exit code.
 *
 * @param help The command that explains what may be typed.
 */
export function report(error: unknown, io: Io, help = 'spikeformer --help'): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done;
    // Without a command, the help has been printed to standard error already.
    if (error.code !== 'commander.help') complain(io, `${usageMessage(error)}; see ${help}`);
    return exitCodes.refused;
  }
  if (error instanceof MetaSpikeformerError || error instanceof OutputError) {
    complain(io, error instanceof OptionError ? `${error.message}; see ${help}` : error.message);
    return exitCodes.refused;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const stack = io.environment.SPIKEFORMER_DEBUG === '1' && error instanceof Error ? `${error.stack}\n` : '';
  complain(io, `${message}; this is a defect of meta-spikeformer, please report it`, stack);
  return exitCodes.defect;
}

/** Commander puts its suggestions on a second line. */
function usageMessage(error: CommanderError): string {
  return error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
}

/** Where standard error takes nothing either, the exit code is all that is left to say. */
function complain(io: Io, message: string, more = ''): void {
  try {
    io.stderr.write(`spikeformer: ${saidOnce(oneLine(message))}\n${more}`);
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
  }
}
