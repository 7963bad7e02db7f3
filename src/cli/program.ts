/**
 * The command line as a function: arguments in, exit code out. Turns every failure into one line on standard error: what a person
 * can mend ends with 2, a defect of this program with 1. `main.ts` is the executable around it.
 */
import { Command, CommanderError } from 'commander';
import { MetaSpikeformerError } from '../errors.js';
import { addExamples, helpFor } from './help.js';
import type { Io } from './io.js';
import { OptionError } from './optionParsing.js';
import { OutputError } from './outputStream.js';
import { exitCodes, type Session } from './session.js';
import { oneLine, saidOnce } from './text.js';
import { programVersion } from './version.js';

type Register = (program: Command, session: Session) => void;

/** Commands by name, in the order of the help. Each is loaded when it is asked for: what one needs, such as an engine, the others should not wait and pay for. */
const commands: Readonly<Record<string, () => Promise<Register>>> = {
  predict: async () => (await import('./commands/predict.js')).registerPredict,
  eval: async () => (await import('./commands/eval.js')).registerEval,
  run: async () => (await import('./commands/run.js')).registerRun,
  info: async () => (await import('./commands/info.js')).registerInfo,
  init: async () => (await import('./commands/init.js')).registerInit,
  stream: async () => (await import('./commands/stream.js')).registerStream,
  train: async () => (await import('./commands/train.js')).registerTrain,
  export: async () => (await import('./commands/export.js')).registerExport,
  bench: async () => (await import('./commands/bench.js')).registerBench,
  tune: async () => (await import('./commands/tune.js')).registerTune,
  energy: async () => (await import('./commands/energy.js')).registerEnergy,
  events: async () => (await import('./commands/events.js')).registerEvents,
  index: async () => (await import('./commands/galleryIndex.js')).registerIndex,
  search: async () => (await import('./commands/gallerySearch.js')).registerSearch,
  lab: async () => (await import('./commands/lab.js')).registerLab,
  completion: async () => (await import('./commands/completion.js')).registerCompletion,
};

/** Its script names all commands and their options. */
const needsAll: readonly string[] = ['completion'];

/**
 * Runs one command.
 *
 * @param argv What follows the program's name.
 * @returns The exit code; it does not throw.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const session: Session = { io, exitCode: exitCodes.done };
  try {
    const program = await createProgram(session, argv[0]);
    await program.parseAsync([...argv], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    return report(error, io, helpFor(argv, Object.keys(commands)));
  }
}

/** @param asked The command, if it is one: then no other is loaded. */
async function createProgram(session: Session, asked: string | undefined): Promise<Command> {
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
  for (const name of namesToLoad(asked)) (await commands[name]!())(program, session);
  addExamples(program);
  return program;
}

function namesToLoad(asked = ''): readonly string[] {
  if (asked === '-V' || asked === '--version') return [];
  const isOne = Object.hasOwn(commands, asked) && !needsAll.includes(asked);
  return isOne ? [asked] : Object.keys(commands);
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
