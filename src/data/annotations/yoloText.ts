/**
 * One image's annotations as YOLO's text files have them: a line for each object, `class x y width height` with the centre and in shares of the image, or `class x1 y1 x2 y2 x3 y3…`
 * with the corners of a polygon. Which format a file follows is told by how many numbers its lines have.
 */
import { DataError } from '../errors.js';
import { checkPolygon, type Polygon } from '../masks/polygons.js';
import type { CocoBox } from '../masks/runLength.js';
import type { Size } from '../resize.js';
import { type AnnotatedObject, problemOfBox } from './annotations.js';
import type { AnnotationProblem } from './problems.js';

const decimal = /^[+-]?(?:\d{1,20}(?:\.\d{0,30})?|\.\d{1,30})(?:e[+-]?\d{1,3})?$/i;

/**
 * The objects that can be used.
 *
 * @param size Of the image.
 * @param classes How many there are.
 * @param problems Gets what is bad.
 */
export function parseYolo(
  text: string,
  name: string,
  size: Size,
  classes: number,
  problems: AnnotationProblem[],
): AnnotatedObject[] {
  const objects: AnnotatedObject[] = [];
  for (const [i, line] of text.split(/\r\n|\n|\r/).entries()) {
    const content = line.trim();
    if (content === '') continue;
    const object = objectOf(content, `${name}, line ${i + 1}`, size, classes);
    if ('kind' in object) problems.push(object);
    else objects.push(object);
  }
  return objects;
}

function objectOf(line: string, place: string, size: Size, classes: number): AnnotatedObject | AnnotationProblem {
  const [label, ...places] = line.split(/[ \t]+/).map((word) => (decimal.test(word) ? Number(word) : Number.NaN));
  const isShape = places.length === 4 || (places.length >= 6 && places.length % 2 === 0);
  if (label === undefined || !isShape || [label, ...places].some(Number.isNaN)) {
    const found = `${JSON.stringify(line.slice(0, 60))} is neither a class and four numbers nor a class and a polygon`;
    return { kind: 'malformed', place, found };
  }
  if (!(Number.isInteger(label) && label >= 0 && label < classes))
    return { kind: 'unknownClass', place, found: `is of class ${label}; there are ${classes}, counted from 0` };
  const pixels = places.map((share, i) => share * (i % 2 === 0 ? size.width : size.height));
  const box = places.length === 4 ? boxOf(pixels) : boxAround(pixels);
  const problem =
    problemOfBox(box, size, place) ?? (places.length > 4 ? problemOfPolygon(pixels, size, place) : undefined);
  if (problem !== undefined) return problem;
  const common = { class: label, box, crowd: false, difficult: false };
  if (places.length === 4) return { ...common, area: box[2] * box[3] };
  return { ...common, area: areaOf(pixels), polygons: [pixels] };
}

function boxOf(pixels: readonly number[]): CocoBox {
  const [x, y, width, height] = pixels as [number, number, number, number];
  return [x - width / 2, y - height / 2, width, height];
}

function boxAround(polygon: Polygon): CocoBox {
  let [left, top, right, bottom] = [polygon[0]!, polygon[1]!, polygon[0]!, polygon[1]!];
  for (let i = 2; i < polygon.length; i += 2) {
    left = Math.min(left, polygon[i]!);
    right = Math.max(right, polygon[i]!);
    top = Math.min(top, polygon[i + 1]!);
    bottom = Math.max(bottom, polygon[i + 1]!);
  }
  return [left, top, right - left, bottom - top];
}

/** By the shoelace formula, which is what COCO's areas of polygons are. */
function areaOf(polygon: Polygon): number {
  let twice = 0;
  for (let i = 0; i < polygon.length; i += 2) {
    const next = (i + 2) % polygon.length;
    twice += polygon[i]! * polygon[next + 1]! - polygon[next]! * polygon[i + 1]!;
  }
  return Math.abs(twice) / 2;
}

function problemOfPolygon(polygon: Polygon, size: Size, place: string): AnnotationProblem | undefined {
  try {
    checkPolygon(polygon, size);
    return undefined;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { kind: 'noPolygon', place, found: error.message };
  }
}
