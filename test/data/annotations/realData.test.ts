/** Real data sets, where the shared folder is: BCCD (PASCAL VOC's XML) has as many objects as its README counts, COCO's masks have the areas and boxes that are written beside them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Annotations, leftOutNote, maskOfObject } from '../../../src/data/annotations/annotations.js';
import { openBoxes } from '../../../src/data/annotations/openBoxes.js';
import { readCoco, readVoc } from '../../../src/data/annotations/readAnnotations.js';
import { maskArea, maskBox } from '../../../src/data/masks/runLength.js';
import { objectMasks } from '../../../src/data/targets/boxes.js';
import { CocoCounter, scoreCoco } from '../../../src/metrics/cocoMap.js';
import { sharedPath } from '../../shared.js';

const archives = ['bccd', 'coco-mini'].map((name) => sharedPath('data', `${name}.tar.gz`));
const isThere = archives.every((archive) => archive !== undefined);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'annotated-'));
  if (isThere) for (const archive of archives) execFileSync('tar', ['-xzf', archive!, '-C', folder]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const objectsOf = ({ images }: Annotations) => images.flatMap(({ objects }) => objects);

describe.skipIf(!isThere)(`BCCD${isThere ? '' : ' (skipped: the shared data are absent)'}`, () => {
  const folders = () => ({ annotations: join(folder, 'bccd/Annotations'), images: join(folder, 'bccd/JPEGImages') });

  it.each([
    ['train', 205, [209, 2382 - 1, 214], 1],
    ['val', 87, [83, 968 - 1, 87], 1],
    ['test', 36, [38, 412, 37], 0],
  ])('has in %s what is said of it, without the boxes that have no area', async (split, images, counts, bad) => {
    const list = join(folder, 'bccd/ImageSets/Main', `${split}.txt`);
    const found = await readVoc({ ...folders(), list }, { skipBad: true });
    expect(found.classes).toEqual(['Platelets', 'RBC', 'WBC']);
    expect(found.images).toHaveLength(images);
    const labels = objectsOf(found).map((object) => object.class);
    expect([0, 1, 2].map((number) => labels.filter((label) => label === number).length)).toEqual(counts);
    expect(found.leftOut).toEqual({ images: 0, objects: bad });
  });

  it('names both boxes without an area', async () => {
    const reading = readVoc(folders());
    await expect(reading).rejects.toThrow(
      /2 bad annotations: 2 boxes without an area: BloodImage_00338\.xml, object 13: /,
    );
    await expect(reading).rejects.toThrow('BloodImage_00343.xml, object 4: from (181, 329) to (181, 329)');
    const note = leftOutNote(await readVoc(folders(), { skipBad: true }));
    expect(note).toMatch(/left out 2 objects and 0 images \(2 bad annotations: 2 boxes without an area\)$/);
  });
});

describe.skipIf(!isThere)(`small COCO${isThere ? '' : ' (skipped: the shared data are absent)'}`, () => {
  it.each([
    ['train', 100, 746, 6],
    ['test', 50, 372, 4],
  ])('has in %s masks with the areas and boxes beside them, and finds itself', async (split, images, count, crowds) => {
    const file = join(folder, `coco-mini/instances_${split}.json`);
    const found = await readCoco(file, join(folder, 'coco-mini', split));
    expect([found.images.length, objectsOf(found).length]).toEqual([images, count]);
    expect(objectsOf(found).filter(({ crowd }) => crowd)).toHaveLength(crowds);
    const counter = new CocoCounter(found.classes.length, 'masks');
    for (const [i, image] of found.images.entries()) {
      const truths = image.objects.map((object) => ({ ...object, mask: maskOfObject(object, image)! }));
      expect(truths.map(({ mask }) => maskArea(mask))).toEqual(truths.map(({ area }) => area));
      expect(truths.map(({ mask }) => maskBox(mask))).toEqual(truths.map(({ box }) => box));
      counter.add(
        i,
        truths,
        truths.map((truth) => ({ ...truth, score: 0.5 })),
      );
    }
    expect(scoreCoco(counter.counts()).averagePrecision).toBeCloseTo(1, 12);
  });

  it('gives a detector masks and crowds with its boxes', async () => {
    const { targets } = await openBoxes(join(folder, 'coco-mini'), { split: 'test' });
    expect([targets.labels.length, targets.crowds!.reduce((sum, crowd) => sum + crowd, 0)]).toEqual([372, 4]);
    expect(targets.masks!.ends).toHaveLength(372);
    expect(objectMasks([{ width: 4, height: 4, masks: [undefined] }])).toBeUndefined();
  });
});
