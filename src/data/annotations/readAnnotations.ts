/** Annotations of data sets on disk: COCO's JSON, PASCAL VOC's folders of XML, YOLO's folders of text. Images are looked for and not decoded. For Node. */
import { basename, join } from 'node:path';
import { readImageSize } from '../decode.js';
import { DataError, ImageError } from '../errors.js';
import { compareCodePoints } from '../names.js';
import { filesIn, findImages, type ImageNames, readText, stemOf } from './annotationFiles.js';
import {
  type AnnotatedImage,
  type Annotations,
  acceptAnnotations,
  type FoundAnnotations,
  type ReadingOptions,
} from './annotations.js';
import { parseCoco } from './cocoJson.js';
import type { AnnotationProblem, ProblemKind } from './problems.js';
import { openVoc, parseVoc, type VocObject, type VocOptions, vocSize } from './vocXml.js';
import { parseYoloNames } from './yoloNames.js';
import { parseYolo } from './yoloText.js';

/**
 * Annotations of a COCO JSON file; all images that it lists, also those without objects.
 *
 * @param images The folder below which its images are.
 * @throws DataError when a file or folder cannot be read or is none of COCO's; AnnotationError that counts and names what is bad in it.
 */
export async function readCoco(file: string, images: string, options: ReadingOptions = {}): Promise<Annotations> {
  const text = await readText(file);
  const { names } = await findImages(images);
  const problems: AnnotationProblem[] = [];
  const found = parseCoco(jsonOf(text, file), file, problems, (name) => names.has(name), options);
  return acceptAnnotations(file, found, problems, options);
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new DataError(`${file}: is not JSON (${(cause as Error).message}); save it again`, { cause });
  }
}

/** Folders of a data set in the layout of PASCAL VOC. */
export interface VocFolders {
  /** Of XML files, one for each image. */
  readonly annotations: string;
  /** Of images. That of `NAME.xml` is called NAME, whatever its ending, or else as the file says. */
  readonly images: string;
  /** A text with the names of a split, one a line, as in `ImageSets/Main/train.txt`. By default all XML files. */
  readonly list?: string;
}

/**
 * Annotations of folders of PASCAL VOC. Classes are sorted by name unless they are given.
 *
 * @throws as {@link readCoco}.
 */
export async function readVoc(folders: VocFolders, options: ReadingOptions & VocOptions = {}): Promise<Annotations> {
  const files = await findImages(folders.images);
  const stems = await vocNames(folders);
  const collected = new Collected();
  const read: { readonly image: Omit<AnnotatedImage, 'objects'>; readonly objects: readonly VocObject[] }[] = [];
  for (const stem of stems) {
    const name = `${stem}.xml`;
    await collected.image(name, async () => {
      const root = openVoc(await readText(join(folders.annotations, name)), name);
      const file = imageOf(stem, root.children.find((child) => child.name === 'filename')?.text, files);
      const size = vocSize(root) ?? (await readImageSize(join(folders.images, file)));
      read.push({ image: { file, ...size }, objects: parseVoc(root, name, size, collected.problems, options).objects });
    });
  }
  const classes = options.classes ?? classesOf(read.flatMap(({ objects }) => objects));
  const numbers = new Map(classes.map((name, number) => [name, number]));
  const images = read.map(({ image, objects }) => ({
    ...image,
    objects: objects.flatMap(({ className, box, difficult, place }) => {
      const number = numbers.get(className);
      if (number !== undefined) return [{ class: number, box, difficult, crowd: false, area: box[2] * box[3] }];
      collected.add('unknownClass', place, `is of class ${className}, which is not among those asked for`);
      return [];
    }),
  }));
  return collected.accept(folders.annotations, { classes, images }, options);
}

/** The first word of each line: lists of one class have a number behind the name. */
async function vocNames({ annotations, list }: VocFolders): Promise<string[]> {
  if (list === undefined) return (await filesIn(annotations, ['.xml'])).map(stemOf);
  const lines = (await readText(list)).split(/\r\n|\n|\r/).map((line) => line.trim().split(/\s+/)[0]!);
  const names = [...new Set(lines.filter((name) => name !== ''))];
  const strange = names.find((name) => /[\\/]|^\./.test(name));
  if (strange !== undefined)
    throw new DataError(`${list}: ${JSON.stringify(strange)} is no name of an image; expected one a line`);
  return names;
}

function imageOf(stem: string, written: string | undefined, files: ImageNames): string {
  const file = files.named(stem) ?? (written !== undefined && files.names.has(written) ? written : undefined);
  if (file === undefined) throw new MissingImage(`there is no image ${stem}, nor one called as the file says`);
  return file;
}

function classesOf(objects: readonly VocObject[]): string[] {
  return [...new Set(objects.map(({ className }) => className))].sort(compareCodePoints);
}

/** Folders and the file of names of a data set in the layout of YOLO. */
export interface YoloFolders {
  /** Of text files. That of image NAME is `NAME.txt`; images without one have no objects. */
  readonly labels: string;
  readonly images: string;
  /** A text with one name a line, or a `data.yaml`. */
  readonly names: string;
}

/**
 * Annotations of folders of YOLO's texts.
 *
 * @throws as {@link readCoco}.
 */
export async function readYolo(folders: YoloFolders, options: ReadingOptions = {}): Promise<Annotations> {
  const names = parseYoloNames(await readText(folders.names), folders.names);
  const { names: files } = await findImages(folders.images);
  const texts = new Set(await yoloTexts(folders));
  const unused = new Set(texts);
  const collected = new Collected();
  const images: AnnotatedImage[] = [];
  for (const file of [...files].sort(compareCodePoints)) {
    const text = `${stemOf(file)}.txt`;
    await collected.image(texts.has(text) ? text : file, async () => {
      const size = await readImageSize(join(folders.images, file));
      const content = texts.has(text) ? await readText(join(folders.labels, text)) : '';
      const objects = parseYolo(content.replace(/^\ufeff/, ''), text, size, names.length, collected.problems);
      images.push({ file, ...size, objects });
    });
    unused.delete(text);
  }
  for (const text of unused) collected.missing(text, `there is no image ${stemOf(text)}`);
  return collected.accept(folders.labels, renumbered({ classes: names, images }, options.classes, collected), options);
}

async function yoloTexts({ labels, names }: YoloFolders): Promise<string[]> {
  const known = new Set([basename(names), 'classes.txt']);
  const texts = (await filesIn(labels, ['.txt'])).filter((name) => !known.has(name));
  if (texts.length === 0) throw new DataError(`${labels}: holds no .txt files; give the folder of YOLO's texts`);
  return texts;
}

/** With the numbers of the classes that are asked for. */
function renumbered({ classes, images }: Found, wanted: readonly string[] | undefined, collected: Collected): Found {
  if (wanted === undefined) return { classes, images };
  const numbers = classes.map((name) => wanted.indexOf(name));
  const change = (image: AnnotatedImage) => ({
    ...image,
    objects: image.objects.flatMap((object) => {
      const number = numbers[object.class]!;
      if (number >= 0) return [{ ...object, class: number }];
      const found = `is of class ${classes[object.class]}, which is not among those asked for`;
      collected.add('unknownClass', `${stemOf(image.file)}.txt`, found);
      return [];
    }),
  });
  return { classes: wanted, images: images.map(change) };
}

type Found = Pick<FoundAnnotations, 'classes' | 'images'>;

/** There is no image file of a name. */
class MissingImage extends DataError {}

/** What is bad so far. */
class Collected {
  readonly problems: AnnotationProblem[] = [];
  #badImages = 0;

  add(kind: ProblemKind, place: string, found: string): void {
    this.problems.push({ kind, place, found });
  }

  missing(place: string, found: string): void {
    this.#badImages++;
    this.add('missingImage', place, found);
  }

  /** Reads an image's annotations; what cannot be read of it is bad, and the next may be good. */
  async image(place: string, read: () => Promise<void>): Promise<void> {
    const before = this.problems.length;
    try {
      await read();
    } catch (error) {
      if (!(error instanceof DataError || error instanceof ImageError)) throw error;
      // Its objects go with it.
      this.problems.length = before;
      if (error instanceof MissingImage) return this.missing(place, error.message);
      this.#badImages++;
      const named = error.message.indexOf(`${place}: `);
      this.add('unreadable', place, named < 0 ? error.message : error.message.slice(named + place.length + 2));
    }
  }

  accept(name: string, found: Found, options: ReadingOptions): Annotations {
    return acceptAnnotations(name, { ...found, badImages: this.#badImages }, this.problems, options);
  }
}
