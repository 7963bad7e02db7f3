/** `index`: a gallery of descriptors of all images below a folder, which `search` looks in. What is in the file already is not described again. */
import type { Command } from 'commander';
import { z } from 'zod';
import { loadModel } from '../../index.js';
import { indexImages } from '../../search/indexImages.js';
import {
  checkDescribes,
  describerFingerprint,
  descriptions,
  looksHelp,
  looksOption,
  openImages,
} from '../describing.js';
import { printModelNote, printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  given,
  needsCheckpoint,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { checkOutput } from '../outputFile.js';
import { startProgress } from '../progress.js';
import { addReadingOptions, applyReadingOptions, readingOptions, reportDamaged } from '../readingOptions.js';
import { exitCodes, type Session } from '../session.js';
import { counted } from '../text.js';

const defaultBatch = 8;

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    images: z.string().min(1, 'give a folder or an archive of images'),
    output: z.string().min(1),
    binary: z.boolean().default(false),
    looks: looksOption,
    batch: wholeNumber(1, 1024).optional(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint);

type Options = z.output<typeof schema>;

export function registerIndex(program: Command, session: Session): void {
  const command = program
    .command('index')
    .description('describe all images below a folder, to be searched: a gallery')
    .requiredOption('--images <DIR>', 'images, in a folder with any folders in it, or in a tar archive')
    .requiredOption('--output <FILE>', 'the gallery, a safetensors file; images that are not in it yet are added');
  addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command))))
    .option('--binary', 'keep the signs of the descriptors alone: 32 times smaller, faster to search')
    .option('--looks <N>', looksHelp)
    .option('--batch <N>', `images at once, 1 to 1024 (default: ${defaultBatch})`)
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => index(session, parseOptions(schema, typed)));
}

async function index(session: Session, options: Options): Promise<void> {
  const { io } = session;
  const {
    model: name,
    checkpoint,
    images,
    output,
    binary,
    looks = 1,
    batch = defaultBatch,
    json,
    ...settings
  } = applyReadingOptions(options);
  const inputs = checkpoint === undefined ? [] : [{ path: checkpoint, role: 'checkpoint' }];
  await checkOutput(output, [...inputs, { path: images, role: 'archive of images' }]);
  const model = await loadModel(given({ model: name, checkpoint }), given(settings));
  try {
    printWarnings(io, model);
    checkDescribes(model);
    if (!json) printModelNote(io, model);
    const tree = await openImages(images);
    const abort = new AbortController();
    const ignore = io.onInterrupt(() => abort.abort());
    const progress = startProgress(io, 'index', tree.names.length, 'images');
    const start = performance.now();
    try {
      const report = await indexImages(tree.names, {
        output,
        model: describerFingerprint(model, looks),
        dimensions: model.configuration.classes,
        kind: binary ? 'binary' : 'float',
        describe: (names) => descriptions(model, tree, names, { batch, looks, signal: abort.signal }),
        onImage: (done, all) => progress.update(tree.names.length - all + done),
      });
      const { before, added, failed } = report;
      if (abort.signal.aborted) session.exitCode = exitCodes.interrupted;
      else if (failed.length > 0) session.exitCode = exitCodes.refused;
      for (const { name: image, problem } of failed) io.stderr.write(`${image}: left out: ${problem}\n`);
      const seconds = (performance.now() - start) / 1000;
      const document = {
        command: 'index',
        output,
        images: before + added,
        before,
        added,
        failed,
        partial: abort.signal.aborted,
        seconds,
      };
      if (json) io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
      else {
        const there = before > 0 ? `, ${counted(before, 'image')} there before` : '';
        const rest = abort.signal.aborted ? '; interrupted, the same command goes on' : '';
        io.stdout.write(`${output}: ${counted(added, 'image')} added${there}, ${seconds.toFixed(1)} s${rest}\n`);
      }
    } finally {
      progress.stop();
      ignore();
    }
    reportDamaged(io, options);
  } finally {
    await model.dispose();
  }
}
