/**
 * Objects in images as annotations say them, in one shape whatever file they were read from: boxes with classes, and masks where there are any. What is bad is an error,
 * or is left out and counted. Plain data; an object is what `metrics/cocoMap.ts` asks for as truth.
 */
import { DataError } from '../errors.js';
import { maskFromPolygons, type Polygon } from '../masks/polygons.js';
import type { CocoBox, RunLengthMask } from '../masks/runLength.js';
import type { Size } from '../resize.js';
import { type AnnotationProblem, annotationError, countProblems } from './problems.js';

export interface AnnotatedObject {
  /** Class number. */
  readonly class: number;
  /** x, y, width and height in pixels; pixel (0, 0) is from 0 to 1. */
  readonly box: CocoBox;
  /** Stands for many objects that nobody separated. */
  readonly crowd: boolean;
  /** PASCAL VOC's mark for objects that its evaluation does not ask for. */
  readonly difficult: boolean;
  /** In pixels: what the annotation says, else that of the mask's runs, else that of the box. */
  readonly area: number;
  /** At most one of the two is there. */
  readonly mask?: RunLengthMask;
  readonly polygons?: readonly Polygon[];
}

export interface AnnotatedImage extends Size {
  /** Its name below the folder of images. */
  readonly file: string;
  /** What a COCO file calls it, and results have to. */
  readonly id?: number | string;
  /** May be none: then there is nothing to find. */
  readonly objects: readonly AnnotatedObject[];
}

/** What a reader finds before anybody decides on bad entries. */
export interface FoundAnnotations {
  readonly classes: readonly string[];
  /** By class number, what a COCO file calls each class, and results have to; undefined for a class that the file does not know. */
  readonly categoryIds?: readonly (number | undefined)[];
  readonly images: readonly AnnotatedImage[];
  /** Images that are listed and cannot be used; each is one problem. */
  readonly badImages: number;
}

export interface Annotations extends Omit<FoundAnnotations, 'badImages'> {
  /** What messages call them. */
  readonly name: string;
  /** What was left out with `skipBad`. */
  readonly leftOut: { readonly images: number; readonly objects: number };
  readonly problems: readonly AnnotationProblem[];
}

export interface ReadingOptions {
  /** Names of the classes by number, as for a test split those of the training split. By default those that are found. */
  readonly classes?: readonly string[];
  /** Leaves out what cannot be used: a bad object, or an image whose file or annotations are not there. By default it is an error. */
  readonly skipBad?: boolean;
}

/** Boxes may reach so far beyond the border, in pixels: annotators round, and count pixels from 0 or 1. */
const tolerance = 1;

/** The problem of a box, if it has one. */
export function problemOfBox(box: CocoBox, { width, height }: Size, place: string): AnnotationProblem | undefined {
  const [x, y, across, down] = box;
  const shown = box.map((value) => Math.round(value * 100) / 100).join(', ');
  if (!(across > 0 && down > 0))
    return { kind: 'noArea', place, found: `the box (x, y, width, height) ${shown} has no area` };
  const isInside =
    x >= -tolerance && y >= -tolerance && x + across <= width + tolerance && y + down <= height + tolerance;
  if (isInside) return undefined;
  return {
    kind: 'outside',
    place,
    found: `the box (x, y, width, height) ${shown} leaves the image of ${width} x ${height}`,
  };
}

/**
 * An object's mask in the size of its image; undefined when it has none.
 *
 * @throws DataError when its polygons are none; readers refuse those.
 */
export function maskOfObject({ mask, polygons }: AnnotatedObject, { width, height }: Size): RunLengthMask | undefined {
  return mask ?? (polygons === undefined ? undefined : maskFromPolygons(polygons, { width, height }));
}

/**
 * Annotations without what is bad, if there is any and that is allowed.
 *
 * @throws AnnotationError that counts and names what is bad; DataError when nothing is left.
 */
export function acceptAnnotations(
  name: string,
  { badImages, ...found }: FoundAnnotations,
  problems: readonly AnnotationProblem[],
  { skipBad = false }: ReadingOptions,
): Annotations {
  if (problems.length > 0 && !skipBad) throw annotationError(name, problems);
  if (found.images.length === 0) {
    const why = problems.length > 0 ? `, after ${countProblems(problems)}` : '';
    throw new DataError(`${name}: holds no annotated images${why}; give the folder or file of a data set`);
  }
  // A bad image is one problem.
  return { name, ...found, leftOut: { images: badImages, objects: problems.length - badImages }, problems };
}

/** One line on what was left out, or undefined. */
export function leftOutNote({ name, problems, leftOut }: Annotations): string | undefined {
  if (problems.length === 0) return undefined;
  const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const parts = [counted(leftOut.objects, 'object'), counted(leftOut.images, 'image')];
  return `${name}: left out ${parts.join(' and ')} (${countProblems(problems)})`;
}
