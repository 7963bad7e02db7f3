/**
 * Completion of commands, options and values for bash, zsh and fish, written from the program itself: what it offers is what is completed. The scripts hold
 * everything, so that pressing the tabulator starts no Node.
 */
import type { Command, Option } from 'commander';
import { modelNames } from '../api/shippedModels.js';
import { eventFormatNames } from '../data/events/events.js';
import { timeUnits } from '../data/events/tableColumns.js';
import { writableFormatNames } from '../data/events/writers.js';
import { energyTable } from '../energy/constants.js';
import { engineNames } from '../runtime/engines.js';
import { recipeNames } from '../training/recipeFiles.js';

export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

/** What may follow an option: words, files, or both. */
interface Values {
  readonly words: readonly string[];
  readonly files: boolean;
}

interface CompletedOption {
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined for a switch. */
  readonly values: Values | undefined;
}

interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly operands: Values;
}

/** Of options that take one of a few words, by the option or by command and option; the schemas that check them have the same. */
function wordsOf(option: string, command: string): readonly string[] {
  const words: Readonly<Record<string, () => readonly string[]>> = {
    '--model': modelNames,
    '--recipe': recipeNames,
    '--engine': () => engineNames,
    '--precision': () => ['f32', 'i16'],
    '--size': () => ['15M', '31M', '55M'],
    'events --format': () => writableFormatNames,
    '--from': () => eventFormatNames,
    '--time-unit': () => timeUnits,
    '--format': () => ['onnx', 'safetensors', 'pth'],
    '--repconv': () => ['none', 'first', 'full'],
    '--record': () => ['spikes', 'activations', 'spikes,activations'],
    '--constants': () => Object.keys(energyTable),
    '--cases': () => ['31M-T1', '31M-T4', '55M-T1', 'cifar10-B1', 'cifar10-B64'],
    '--labels': () => ['imagenet'],
  };
  return (words[`${command} ${option}`] ?? words[option])?.() ?? [];
}

const fileLike = /FILE|DIR|IMAGE|ARCHIVE/;

function completedOption(
  { short, long, flags, description, required, optional }: Option,
  command: string,
): CompletedOption {
  const names = [short, long].filter((name) => name !== undefined);
  const takesValue = required || optional;
  const values = { words: wordsOf(long ?? '', command), files: fileLike.test(flags) };
  return { names, description, values: takesValue ? values : undefined };
}

function completedCommand(command: Command): CompletedCommand {
  const helper = command.createHelp();
  const operands = command.registeredArguments;
  return {
    name: command.name(),
    description: command.description(),
    options: helper.visibleOptions(command).map((option) => completedOption(option, command.name())),
    operands: {
      words: operands.flatMap((operand) => operand.argChoices ?? []),
      files: operands.some((operand) => fileLike.test(operand.name())),
    },
  };
}

/** The script that a shell reads. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.map(completedCommand);
  const own = completedCommand(program);
  const help = { name: 'help', description: 'help for a command', options: [], operands: namesOf(commands) };
  const writers = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return writers[shell]([...commands, help], own);
}

function namesOf(commands: readonly CompletedCommand[]): Values {
  return { words: commands.map(({ name }) => name), files: false };
}

/** In single quotes; the same for all three shells but for the quote itself. */
function quoted(text: string, quote = `'\\''`): string {
  return `'${text.replaceAll("'", quote)}'`;
}

function bashScript(commands: readonly CompletedCommand[], own: CompletedCommand): string {
  const valueCases = [own, ...commands].flatMap(({ name, options }) =>
    options.flatMap(({ names, values }) =>
      values ? [`    ${names.map((option) => `${name}:${option}`).join('|')}) ${bashValues(values)} return ;;`] : [],
    ),
  );
  const wordCases = commands.map(({ name, options, operands }) => {
    const flags = options.flatMap(({ names }) => names);
    return `    ${name}) ${bashValues({ words: [...flags, ...operands.words], files: operands.files })} ;;`;
  });
  const first = [...commands.map(({ name }) => name), ...own.options.flatMap(({ names }) => names)];
  return `# bash completion for spikeformer; works with bash 3.2 and newer
_spikeformer_words() {
  local IFS=$'\\n'
  COMPREPLY+=($(compgen -W "$1" -- "$2"))
}
_spikeformer_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$1"))
}
_spikeformer() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command=spikeformer word
  COMPREPLY=()
  # --option=value comes as three words.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
    ${commands.map(({ name }) => name).join('|')}) command=$word && break ;;
    esac
  done
  case $command:$prev in
${valueCases.join('\n')}
  esac
  case $command in
${wordCases.join('\n')}
    *) ${bashValues({ words: first, files: false })} ;;
  esac
}
complete -F _spikeformer spikeformer
`;
}

function bashValues({ words, files }: Values): string {
  const list = words.length > 0 ? [`_spikeformer_words $'${words.join('\\n')}' "$cur";`] : [];
  return [...list, ...(files ? ['_spikeformer_files "$cur";'] : [])].join(' ');
}

function zshScript(commands: readonly CompletedCommand[], own: CompletedCommand): string {
  const cases = commands.map(
    ({ name, options, operands }) =>
      `    ${name}) _arguments -S ${[...options.flatMap(zshOption), `'*: :${zshAction(operands)}'`].join(' ')} ;;`,
  );
  const list = commands.map(({ name, description }) => quoted(`${name}:${description}`));
  return `#compdef spikeformer
_spikeformer() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(${list.join(' ')})
  _arguments -S -C ${own.options.flatMap(zshOption).join(' ')} '1: :->command' '*:: :->rest'
  case $state in
  command) _describe command commands ;;
  rest)
    case $line[1] in
${cases.join('\n')}
    esac
    ;;
  esac
}
if [[ $funcstack[1] == _spikeformer ]]; then _spikeformer "$@"; else compdef _spikeformer spikeformer; fi
`;
}

function zshOption({ names, description, values }: CompletedOption): string[] {
  const text = description.replace(/[[\]\\:]/g, '\\$&');
  return names.map((name) => quoted(`*${name}[${text}]${values ? `: :${zshAction(values)}` : ''}`));
}

function zshAction({ words, files }: Values): string {
  const list = words.join(' ');
  if (files) return words.length > 0 ? `{compadd ${list}; _files}` : '_files';
  return words.length > 0 ? `(${list})` : ' ';
}

function fishScript(commands: readonly CompletedCommand[], own: CompletedCommand): string {
  const names = commands.map(({ name }) => name).join(' ');
  const none = quoted(`not __fish_seen_subcommand_from ${names}`);
  const lines = ['# fish completion for spikeformer', 'complete -c spikeformer -f'];
  for (const option of own.options) lines.push(`complete -c spikeformer -n ${none} ${fishOption(option)}`);
  for (const { name, description, options, operands } of commands) {
    const here = quoted(`__fish_seen_subcommand_from ${name}`);
    lines.push(`complete -c spikeformer -n ${none} -a ${name} -d ${fishQuoted(description)}`);
    for (const option of options) lines.push(`complete -c spikeformer -n ${here} ${fishOption(option)}`);
    if (operands.files) lines.push(`complete -c spikeformer -n ${here} -F`);
    if (operands.words.length > 0)
      lines.push(`complete -c spikeformer -n ${here} -a ${fishQuoted(operands.words.join(' '))}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishOption({ names, description, values }: CompletedOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const list = values?.words.length ? [`-a ${fishQuoted(values.words.join(' '))}`] : [];
  const kind = values ? [values.files ? '-r -F' : '-x'] : [];
  return [...flags, ...kind, ...list, `-d ${fishQuoted(description)}`].join(' ');
}

function fishQuoted(text: string): string {
  return quoted(text.replaceAll('\\', '\\\\'), "\\'");
}
