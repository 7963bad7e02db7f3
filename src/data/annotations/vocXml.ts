/**
 * One image's annotations in PASCAL VOC's XML. Its corners are pixels, counted from 1, both included (VOC devkit): the whole image is (1, 1, width, height). Programs
 * that write such files do not agree on that; `firstPixel` 0 takes the numbers as places from 0 instead, the last excluded.
 */
import { DataError } from '../errors.js';
import type { CocoBox } from '../masks/runLength.js';
import type { Size } from '../resize.js';
import { problemOfBox } from './annotations.js';
import type { AnnotationProblem } from './problems.js';
import { childOf, parseXml, type XmlElement } from './xml.js';

export interface VocOptions {
  /** What the first pixel is called; 1 by default. */
  readonly firstPixel?: 0 | 1;
}

export interface VocObject {
  readonly className: string;
  readonly box: CocoBox;
  readonly difficult: boolean;
  /** Where it stands, for messages. */
  readonly place: string;
}

export interface VocImage {
  /** The name of the image that the file gives; often that of another machine. */
  readonly file: string | undefined;
  readonly objects: readonly VocObject[];
}

/** The size that the file gives, or undefined where it gives none or 0, as some programs do. Throws as {@link parseVoc}. */
export function vocSize(root: XmlElement): Size | undefined {
  const size = childOf(root, 'size');
  const [width, height] = ['width', 'height'].map((side) => numberIn(childOf(size, side)));
  const isSide = (side: number | undefined): side is number => Number.isInteger(side) && side! >= 1 && side! <= 2 ** 20;
  return isSide(width) && isSide(height) ? { width, height } : undefined;
}

/** The outermost element. @throws DataError when it is no XML, or no `<annotation>`. */
export function openVoc(text: string, name: string): XmlElement {
  const root = parseXml(text, name);
  if (root.name !== 'annotation')
    throw new DataError(`${name}: begins with <${root.name}>; expected <annotation>, as PASCAL VOC has it`);
  return root;
}

/**
 * The objects that can be used.
 *
 * @param size Of the image.
 * @param problems Gets what is bad.
 */
export function parseVoc(
  root: XmlElement,
  name: string,
  size: Size,
  problems: AnnotationProblem[],
  options: VocOptions = {},
): VocImage {
  const objects: VocObject[] = [];
  for (const [i, element] of root.children.filter((child) => child.name === 'object').entries()) {
    const place = `${name}, object ${i + 1}`;
    const object = objectOf(element, place, size, options);
    if ('kind' in object) problems.push(object);
    else objects.push(object);
  }
  return { file: childOf(root, 'filename')?.text, objects };
}

function objectOf(
  element: XmlElement,
  place: string,
  size: Size,
  { firstPixel = 1 }: VocOptions,
): VocObject | AnnotationProblem {
  const className = childOf(element, 'name')?.text ?? '';
  if (className === '' || className.length > 200)
    return { kind: 'malformed', place, found: 'has no <name>, or one of more than 200 characters' };
  const corners = childOf(element, 'bndbox');
  const [left, top, right, bottom] = ['xmin', 'ymin', 'xmax', 'ymax'].map((name) => numberIn(childOf(corners, name)));
  if (left === undefined || top === undefined || right === undefined || bottom === undefined)
    return { kind: 'malformed', place, found: 'has no <bndbox> of the numbers xmin, ymin, xmax and ymax' };
  const hasArea = right > left && bottom > top;
  const [across, down] = [right - left + firstPixel, bottom - top + firstPixel];
  const box: CocoBox = [left - firstPixel, top - firstPixel, hasArea ? across : 0, hasArea ? down : 0];
  const problem = problemOfBox(box, size, place);
  if (problem === undefined) return { className, box, difficult: childOf(element, 'difficult')?.text === '1', place };
  return { ...problem, found: `from (${left}, ${top}) to (${right}, ${bottom}): ${problem.found}` };
}

function numberIn(element: XmlElement | undefined): number | undefined {
  const text = element?.text ?? '';
  return /^[+-]?\d{1,9}(?:\.\d{0,20})?$/.test(text) ? Number(text) : undefined;
}
