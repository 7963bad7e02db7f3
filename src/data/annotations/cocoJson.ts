/**
 * Annotations in COCO's JSON: images, categories and annotations that name each other by numbers. Masks are polygons, runs as a list or runs as COCO's text
 * (https://cocodataset.org/#format-data). What is not asked for here (licences, captions, keypoints) is passed over.
 */
import { z } from 'zod';
import { DataError } from '../errors.js';
import { checkPolygon, type Polygon } from '../masks/polygons.js';
import { type CocoBox, maskArea, maskFromCounts, maskFromText, type RunLengthMask } from '../masks/runLength.js';
import type { Size } from '../resize.js';
import {
  type AnnotatedImage,
  type AnnotatedObject,
  type FoundAnnotations,
  problemOfBox,
  type ReadingOptions,
} from './annotations.js';
import type { AnnotationProblem, ProblemKind } from './problems.js';

const fileSchema = z.looseObject({
  images: z.array(z.unknown()),
  annotations: z.array(z.unknown()),
  categories: z.array(z.looseObject({ id: z.int(), name: z.string().min(1).max(200) })).min(1),
});

const idSchema = z.union([z.int(), z.string().min(1).max(200)]);
/** Not more pixels on a side than any image format has. */
const sideSchema = z
  .int()
  .min(1)
  .max(2 ** 20);

const imageSchema = z.looseObject({
  id: idSchema,
  file_name: z.string().min(1).max(1000),
  width: sideSchema,
  height: sideSchema,
});

const annotationSchema = z.looseObject({
  id: idSchema.optional(),
  image_id: idSchema,
  category_id: z.int(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number().min(0).optional(),
  iscrowd: z.union([z.literal(0), z.literal(1), z.boolean()]).optional(),
  segmentation: z
    .union([
      z.array(z.array(z.number())),
      z.object({
        size: z.tuple([z.int(), z.int()]),
        counts: z.union([z.string(), z.array(z.number())]),
      }),
    ])
    .nullish(),
});

type Image = z.output<typeof imageSchema>;
type Annotation = z.output<typeof annotationSchema>;
type Id = z.output<typeof idSchema>;

interface Collector {
  readonly name: string;
  readonly problems: AnnotationProblem[];
}

/**
 * @param value What `JSON.parse` made of the file.
 * @param name What messages call it.
 * @param problems Gets what is bad.
 * @param isThere Whether there is an image file of this name.
 * @throws DataError when it is no such file.
 */
export function parseCoco(
  value: unknown,
  name: string,
  problems: AnnotationProblem[],
  isThere: (file: string) => boolean,
  { classes: wanted }: ReadingOptions = {},
): FoundAnnotations {
  const file = fileSchema.safeParse(value);
  if (!file.success) {
    throw new DataError(
      `${name}: is no COCO annotation file (${whatIsWrong(file.error)}); expected an object with images, annotations and categories`,
    );
  }
  const collector = { name, problems };
  const { classes, categoryIds } = classesOf(file.data.categories, wanted, name);
  const { images, badIds, badImages } = imagesOf(file.data.images, isThere, collector);
  const objects = new Map([...images.keys()].map((id): [Id, AnnotatedObject[]] => [id, []]));
  const labels = new Map(categoryIds.map((id, label) => [id, label]));
  for (const [i, entry] of file.data.annotations.entries()) {
    const place = placeOf(name, 'annotation', i, entry);
    const found = annotationSchema.safeParse(entry);
    if (!found.success) {
      problems.push({ kind: 'malformed', place, found: whatIsWrong(found.error) });
      continue;
    }
    const { image_id: id, category_id: category } = found.data;
    // What is wrong with the image has been said.
    if (badIds.has(id)) continue;
    const image = images.get(id);
    const label = labels.get(category);
    if (image === undefined) {
      problems.push({ kind: 'missingImage', place, found: `is of image ${id}, which the file does not list` });
    } else if (label === undefined) {
      problems.push({ kind: 'unknownClass', place, found: unknownCategory(category, file.data.categories) });
    } else {
      const object = objectOf(found.data, label, image);
      if ('kind' in object) problems.push({ ...object, place });
      else objects.get(id)!.push(object);
    }
  }
  const annotated = [...images.values()].map(
    ({ id, file_name, width, height }): AnnotatedImage => ({
      file: file_name,
      id,
      width,
      height,
      objects: objects.get(id)!,
    }),
  );
  return { classes, categoryIds, images: annotated, badImages };
}

/** In the order of their numbers, as pycocotools has them; or in the order that is asked for. */
function classesOf(
  categories: readonly { readonly id: number; readonly name: string }[],
  wanted: readonly string[] | undefined,
  name: string,
): { classes: readonly string[]; categoryIds: readonly (number | undefined)[] } {
  const sorted = categories.toSorted((a, b) => a.id - b.id);
  const twice = sorted.find(({ id }, i) => id === sorted[i + 1]?.id);
  if (twice !== undefined) throw new DataError(`${name}: has category ${twice.id} twice; give each its own number`);
  if (wanted === undefined) {
    return { classes: sorted.map((category) => category.name), categoryIds: sorted.map(({ id }) => id) };
  }
  const idOf = new Map(sorted.map((category) => [category.name, category.id]));
  return { classes: wanted, categoryIds: wanted.map((one) => idOf.get(one)) };
}

function imagesOf(entries: readonly unknown[], isThere: (file: string) => boolean, { name, problems }: Collector) {
  const images = new Map<Id, Image>();
  const badIds = new Set<Id>();
  let badImages = 0;
  for (const [i, entry] of entries.entries()) {
    const place = placeOf(name, 'image', i, entry);
    const refuse = (kind: ProblemKind, found: string, id?: unknown) => {
      problems.push({ kind, place, found });
      badImages++;
      const named = idSchema.safeParse(id);
      if (named.success) badIds.add(named.data);
    };
    const found = imageSchema.safeParse(entry);
    if (!found.success) {
      refuse('unreadable', whatIsWrong(found.error), (entry as { id?: unknown } | null)?.id);
    } else if (images.has(found.data.id)) {
      refuse('unreadable', 'has the number of another image; give each its own');
    } else if (!isThere(found.data.file_name)) {
      refuse('missingImage', `there is no file ${found.data.file_name}`, found.data.id);
    } else {
      images.set(found.data.id, found.data);
    }
  }
  return { images, badIds, badImages };
}

function objectOf(
  { bbox, area, iscrowd, segmentation }: Annotation,
  label: number,
  { width, height }: Size,
): AnnotatedObject | Omit<AnnotationProblem, 'place'> {
  const box: CocoBox = bbox;
  const problem = problemOfBox(box, { width, height }, '');
  if (problem !== undefined) return problem;
  const common = { class: label, box, crowd: iscrowd === 1 || iscrowd === true, difficult: false };
  try {
    const shape = shapeOf(segmentation, { width, height });
    const ownArea = shape.mask === undefined ? box[2] * box[3] : maskArea(shape.mask);
    return { ...common, area: area ?? ownArea, ...shape };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { kind: 'noPolygon', found: error.message };
  }
}

/** An empty list is how programs without masks write that there is none. */
function shapeOf(
  segmentation: Annotation['segmentation'],
  { width, height }: Size,
): { mask?: RunLengthMask; polygons?: readonly Polygon[] } {
  if (segmentation === undefined || segmentation === null) return {};
  if ('counts' in segmentation) {
    const { counts, size } = segmentation;
    if (size[0] !== height || size[1] !== width)
      throw new DataError(`a mask of ${size[1]} x ${size[0]} pixels in an image of ${width} x ${height}`);
    const mask =
      typeof counts === 'string' ? maskFromText(counts, { width, height }) : maskFromCounts(counts, { width, height });
    return { mask };
  }
  if (segmentation.length === 0) return {};
  for (const polygon of segmentation) checkPolygon(polygon, { width, height });
  return { polygons: segmentation };
}

function unknownCategory(
  category: number,
  categories: readonly { readonly id: number; readonly name: string }[],
): string {
  const known = categories.find(({ id }) => id === category);
  if (known === undefined) return `is of category ${category}, which the file does not list`;
  return `is of class ${known.name}, which is not among those asked for`;
}

function placeOf(name: string, kind: string, index: number, entry: unknown): string {
  const id = (entry as { id?: unknown } | null)?.id;
  const isNamed = typeof id === 'number' || typeof id === 'string';
  return `${name}, ${kind} ${isNamed ? id : `at place ${index}`}`;
}

/** The first thing that a schema says. */
function whatIsWrong({ issues }: z.ZodError): string {
  const [{ path, message }] = issues as [z.core.$ZodIssue];
  const field = path.length === 0 ? '' : `${path.join('.')}: `;
  return `${field}${message.replace(/^Invalid input: /, '')}`;
}
