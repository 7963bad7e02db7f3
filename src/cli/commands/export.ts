/** `export`: a model's weights in another format: ONNX, safetensors, PyTorch's. */
import type { Command } from 'commander';
import { z } from 'zod';
import { descriptionOf, stateOf } from '../../api/exportModel.js';
import type { Model } from '../../api/model.js';
import { loadModel, writeOnnx, writePth, writeSafetensors } from '../../index.js';
import { describedBy } from '../../interop/modelDescription.js';
import { taskNamed } from '../../tasks/registry.js';
import { printWarnings } from '../modelNote.js';
import {
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  describingOptions,
  given,
  loadingOptions,
  needsCheckpoint,
  oneOf,
  onlyWithCheckpoint,
  parseOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { checkOutput } from '../outputFile.js';
import type { Session } from '../session.js';
import { oneLine } from '../text.js';

const formats = ['onnx', 'safetensors', 'pth'] as const;
const onlyOnnx = ['batch', 'frames', 'step', 'batchNorms', 'spikes'] as const;

const schema = z
  .strictObject({
    ...sourceOptions,
    ...describingOptions,
    format: oneOf(formats),
    output: z.string().min(1, 'name the file to write'),
    batch: wholeNumber(1, 4096).optional(),
    frames: z.boolean().optional(),
    step: z.boolean().optional(),
    batchNorms: z.boolean().optional(),
    spikes: z.boolean().optional(),
    repconv: oneOf(['none', 'first', 'full']).optional(),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint)
  .refine(atMostOne('frames', 'step'), 'give either --frames or --step, not both')
  .refine(
    ({ batchNorms, repconv }) => !batchNorms || (repconv ?? 'none') === 'none',
    '--repconv merges RepConv only where batch norms are folded; leave out either --repconv or --batch-norms',
  )
  .refine(
    (options) => options.format === 'onnx' || [...onlyOnnx, 'repconv'].every((key) => !Reflect.get(options, key)),
    '--batch, --frames, --step, --batch-norms, --spikes and --repconv are for --format onnx',
  );

type Options = z.output<typeof schema>;

export function registerExport(program: Command, session: Session): void {
  const command = program.command('export').description('write a model in another format');
  addNetworkOptions(addSourceOptions(command))
    .option('--image-size <N>', 'side of the images, fixed in an ONNX file (default: what the model says, else 224)')
    .requiredOption('--format <NAME>', formats.join(', '))
    .requiredOption('--output <FILE>', 'file to write')
    .option('--batch <N>', 'ONNX: images at once, fixed in the file (default: any number)')
    .option('--frames', 'ONNX: input is frames [T, B, C, H, W] instead of images')
    .option('--step', 'ONNX: a single time step, membranes as inputs and outputs')
    .option('--batch-norms', 'ONNX: keep batch norms instead of folding them')
    .option('--repconv <FORM>', 'ONNX: how far RepConv is merged: none (default), first or full')
    .option('--spikes', 'ONNX: the spikes of every neuron layer as outputs')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run({ io }: Session, options: Options): Promise<void> {
  const { model: name, checkpoint, output, format, heads, strides, timeSteps, attention, neuron, imageSize } = options;
  await checkOutput(output, checkpoint === undefined ? [] : [{ path: checkpoint, role: 'checkpoint' }]);
  const settings = {
    ...given({ heads, strides, timeSteps, attention, neuron, imageSize }),
    ...loadingOptions(options),
  };
  const model = await loadModel(given({ model: name, checkpoint }), { ...settings, threads: 1 });
  try {
    printWarnings(io, model);
    if (options.repconv === 'full')
      io.stderr.write('merging RepConv, which takes a minute or two for large networks …\n');
    for (const { path } of filesOf(model, options).slice(1))
      await checkOutput(path, checkpoint === undefined ? [] : [{ path: checkpoint, role: 'checkpoint' }]);
    await write(model, options);
  } finally {
    await model.dispose();
  }
  const { configuration, provenance } = model;
  const time = options.step ? 'a single time step' : `T = ${configuration.timeSteps}`;
  const facts = `${time}, ${configuration.classes} ${taskNamed(model.task).targets.called}`;
  const paths = filesOf(model, options).map(({ path }) => oneLine(path));
  io.stdout.write(`wrote ${paths.join(', ')}: ${oneLine(provenance.name)} as ${format}, ${facts}\n`);
  if (provenance.randomWeights) io.stderr.write('note: its weights are random\n');
}

/** A network that is several graphs becomes as many ONNX files: those of the later ones are called after them. */
function filesOf(model: Model, { output, format }: Options): readonly { path: string; graph?: string }[] {
  const later = format === 'onnx' ? [...(model.graph.later?.keys() ?? [])] : [];
  const stem = output.replace(/\.onnx$/i, '');
  return [{ path: output }, ...later.map((graph) => ({ path: `${stem}.${graph}.onnx`, graph }))];
}

async function write(model: Model, options: Options): Promise<void> {
  const { output, format, batch, frames, step, batchNorms, spikes, repconv } = options;
  const metadata = describedBy(descriptionOf(model));
  if (format === 'safetensors') return writeSafetensors(output, stateOf(model), metadata);
  if (format === 'pth') return writePth(output, stateOf(model), { metadata });
  for (const { path, graph } of filesOf(model, options))
    await writeOnnx(path, model, {
      ...given({ batch, step, spikes, repConv: repconv, graph }),
      ...(frames ? { input: 'frames' as const } : {}),
      ...(batchNorms ? { fold: false } : {}),
    });
}
