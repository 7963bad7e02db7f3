/** What every `--help` has in common: examples at its end, and where an error sends a person who typed an option wrong. */
import type { Command } from 'commander';

/** Each runs as it stands, given the files it names. */
const examples: Readonly<Record<string, readonly string[]>> = {
  predict: [
    'predict cat.jpg',
    'predict photographs --top 3 --no-details',
    'predict cat.jpg --checkpoint net.pth --labels names.txt --threshold 0.5',
    'predict http://localhost:8080/camera.jpg --json',
    'predict street.jpg --model camvid --window crop --draw pictures',
    'predict - < cat.jpg',
  ],
  eval: [
    'eval --data val',
    'eval --data val --checkpoint net.pth --shard 0/2 --json > part0.json',
    'eval --merge part0.json part1.json',
    'eval --data camvid --checkpoint net.safetensors --whole',
  ],
  run: [
    'run --checkpoint net.pth --input in.safetensors --output out.safetensors',
    'run --checkpoint net.pth --input in.safetensors --output out.safetensors --record spikes,activations',
  ],
  info: ['info', 'info --size 15M', 'info --checkpoint net.pth --json'],
  train: [
    'train --recipe cifar10 --data cifar-10-batches-bin --output runs/first',
    'train --recipe cifar10 --data images --output runs/short --set epochs=20 schedule.learningRate=0.002',
    'train --recipe cifar10 --data cifar-10-batches-bin --output runs/first --resume',
  ],
  export: [
    'export --format onnx --output net.onnx',
    'export --checkpoint net.pth --format safetensors --output net.safetensors',
  ],
  bench: ['bench --cases cifar10-B1', 'bench --cases 31M-T1 --rates 15 --json'],
  tune: ['tune', 'tune cat.jpg --model 31M-random --precision i16', 'tune --show'],
  energy: [
    'energy',
    'energy --data val --images 500 --report energy.html',
    'energy --size 15M --rates rates.json',
    'energy --proof',
  ],
  events: [
    'events recording.raw',
    'events recording.aedat4 --convert recording.npz',
    'events recording.csv --order x,y,p,t --sensor 640x480 --json',
    'events - --from evt3 < recording.raw',
  ],
  stream: [
    'stream recording.bin',
    'stream recording.raw --checkpoint net.safetensors --window 20ms --plot stream.svg',
    'stream - --from evt3 --json < recording.raw',
  ],
  index: [
    'index --images satellite --output gallery.safetensors --checkpoint net.safetensors',
    'index --images satellite.tar.gz --output bits.safetensors --checkpoint net.safetensors --binary',
  ],
  search: [
    'search drone.jpg --gallery gallery.safetensors --checkpoint net.safetensors',
    'search drone.jpg --gallery gallery.safetensors --checkpoint net.safetensors --sheet found.html --images satellite',
  ],
  lab: ['lab', 'lab --port 0'],
  init: ['init photos --output photos.json', 'init photos.tar.gz --output photos.json --force'],
  completion: [
    'completion bash > ~/.local/share/bash-completion/completions/spikeformer',
    'completion zsh > ~/.zfunc/_spikeformer',
    'completion fish > ~/.config/fish/completions/spikeformer.fish',
  ],
};

export function examplesOf(command: string): readonly string[] {
  return examples[command] ?? [];
}

/** Puts the examples of each command at the end of its help, and says at the end of the program's where they are. */
export function addExamples(program: Command): void {
  for (const command of program.commands) {
    const lines = examplesOf(command.name()).map((example) => `  $ ${program.name()} ${example}\n`);
    if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.join('')}`.trimEnd());
  }
  program.addHelpText('after', `\n${program.name()} COMMAND --help has options and examples.`);
}

/** The help that a wrong command line should have looked at: the command's own, if it names one. */
export function helpFor(argv: readonly string[], commands: readonly string[]): string {
  const name = argv.find((word) => !word.startsWith('-'));
  return name !== undefined && commands.includes(name) ? `spikeformer ${name} --help` : 'spikeformer --help';
}
