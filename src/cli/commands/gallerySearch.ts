/** `search`: which images of a gallery are nearest to these, by their descriptors. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { RgbImage } from '../../data/image.js';
import { UsageError } from '../../errors.js';
import { loadModel } from '../../index.js';
import { type Gallery, packSigns } from '../../search/gallery.js';
import { readGalleryFile } from '../../search/galleryFile.js';
import { GallerySearch, type Hit } from '../../search/gallerySearch.js';
import {
  checkDescribes,
  describe,
  describerFingerprint,
  type ImageTree,
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
import { picturesOf, readPicture } from '../pictures.js';
import { addReadingOptions, applyReadingOptions, readingOptions, reportDamaged } from '../readingOptions.js';
import { type SheetRow, writeSheet } from '../searchSheet.js';
import { exitCodes, type Session } from '../session.js';
import { oneLine } from '../text.js';

const defaultTop = 5;
const mostTop = 1000;
/** Pictures that a sheet may have in a row. */
const widestSheet = 50;

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    gallery: z.string().min(1),
    top: wholeNumber(1, mostTop).optional(),
    looks: looksOption,
    sheet: z
      .string()
      .regex(/\.(html|png)$/i, 'expected a file that ends in .html or .png')
      .optional(),
    images: z.string().min(1).optional(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint)
  .refine(
    ({ sheet, images }) => (sheet === undefined) === (images === undefined),
    '--sheet: shows the images of the gallery, which --images names; give both or neither',
  )
  .refine(
    ({ sheet, top = defaultTop }) => sheet === undefined || top <= widestSheet,
    `--sheet: has room for ${widestSheet} images in a row; give a smaller --top`,
  );

type Options = z.output<typeof schema>;

export function registerSearch(program: Command, session: Session): void {
  const command = program
    .command('search')
    .description('find the images of a gallery that are nearest to these')
    .argument('<IMAGE...>', 'files, folders, addresses of this machine, or - for standard input')
    .requiredOption('--gallery <FILE>', 'what index made, with the same model');
  addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command))))
    .option('--top <N>', `how many of each, 1 to ${mostTop} (default: ${defaultTop})`)
    .option('--looks <N>', `${looksHelp}; as many as index was told`)
    .option('--sheet <FILE>', 'write pictures of what was found: a page (.html) or a picture (.png)')
    .option('--images <DIR>', 'where the images of the gallery are, as index was told; for --sheet')
    .option('--json', 'print one JSON document')
    .action((images: string[], typed: Record<string, unknown>) => search(session, images, parseOptions(schema, typed)));
}

interface Found {
  readonly image: string;
  readonly milliseconds: number;
  readonly hits: readonly Hit[];
}

async function search(session: Session, given_: readonly string[], options: Options): Promise<void> {
  const { io } = session;
  const {
    model: name,
    checkpoint,
    gallery: file,
    top = defaultTop,
    looks = 1,
    sheet,
    images,
    json,
    ...settings
  } = applyReadingOptions(options);
  if (sheet !== undefined) await checkOutput(sheet, [{ path: file, role: 'gallery' }], '--sheet');
  const gallery = await readGalleryFile(file);
  const model = await loadModel(given({ model: name, checkpoint }), given(settings));
  try {
    printWarnings(io, model);
    checkDescribes(model);
    checkSameModel(file, gallery, describerFingerprint(model, looks));
    const shown = images === undefined ? undefined : await openImages(images);
    const { engine, threads } = settings;
    const opened = await GallerySearch.open(gallery, given({ engine, threads }));
    try {
      if (!json) printModelNote(io, model);
      const found: Found[] = [];
      const rows: SheetRow[] = [];
      const errors: { readonly image: string; readonly error: string }[] = [];
      for (const image of (await Promise.all(given_.map(picturesOf))).flat()) {
        try {
          const picture = await readPicture(io, image);
          const [descriptor] = await describe(model, [picture], looks);
          const start = performance.now();
          const asked = gallery.kind === 'binary' ? packSigns(descriptor!, gallery.dimensions) : descriptor!;
          const hits = await opened.search(asked, top);
          const one = { image, milliseconds: performance.now() - start, hits };
          found.push(one);
          if (!json) printFound(io, one);
          if (shown) rows.push({ name: image, image: picture, hits: await withImages(hits, shown) });
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          const message = oneLine(error.message);
          errors.push({ image, error: message });
          io.stderr.write(`spikeformer: ${message}\n`);
        }
      }
      if (errors.length > 0) session.exitCode = exitCodes.refused;
      if (sheet !== undefined && rows.length > 0) await writeSheet(sheet, `What ${file} has near these`, rows);
      const { kind, dimensions, names } = gallery;
      const about = { file, kind, dimensions, images: names.length };
      if (json && found.length > 0)
        io.stdout.write(`${JSON.stringify({ command: 'search', gallery: about, images: found, errors }, null, 2)}\n`);
    } finally {
      await opened.dispose();
    }
    reportDamaged(io, options);
  } finally {
    await model.dispose();
  }
}

function checkSameModel(file: string, gallery: Gallery, fingerprint: string): void {
  if (gallery.model !== fingerprint)
    throw new UsageError(
      `${file}: was made by another model than this one, or with another number of looks: its descriptors mean something else; name that model with --model or --checkpoint and its --looks, or make the gallery anew with index`,
    );
}

async function withImages(hits: readonly Hit[], shown: ImageTree) {
  const there = new Set(shown.names);
  return Promise.all(
    hits.map(async ({ name, score }): Promise<{ name: string; score: number; image: RgbImage | undefined }> => {
      return { name, score, image: there.has(name) ? await shown.read(name).catch(() => undefined) : undefined };
    }),
  );
}

function printFound(io: Session['io'], { image, milliseconds, hits }: Found): void {
  const { bold, cyan, dim } = io.colours;
  io.stdout.write(`\n${bold(oneLine(image))} ${dim(`searched in ${milliseconds.toFixed(1)} ms`)}\n`);
  const digits = `${hits.length}`.length;
  for (const [rank, { name, score }] of hits.entries())
    io.stdout.write(`  ${`${rank + 1}`.padStart(digits)}  ${cyan(score.toFixed(4).padStart(7))}  ${oneLine(name)}\n`);
}
