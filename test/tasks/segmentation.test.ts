/** Segmentation: its loss against PyTorch's, its counts in documents, and what it says of an image. */
import { describe, expect, it } from 'vitest';
import { segmentationAnswers } from '../../src/tasks/segmentation/answer.js';
import { segmentationEvaluation } from '../../src/tasks/segmentation/evaluation.js';
import { likeliestPerPixel } from '../../src/tasks/segmentation/metric.js';
import { pixelCrossEntropy } from '../../src/tasks/segmentation/objective.js';

const network = { classes: 3, timeSteps: 1 };
/** `torch.manual_seed(0); torch.randn(2, 3, 2, 2)`, channels last. */
const scores = Float32Array.of(
  ...[-1.1258398294448853, 0.8487103581428528, 0.46809640526771545, -1.152360200881958, 0.6920091509819031],
  ...[-0.1577124446630478, -0.2505785822868347, -0.31601276993751526, 1.4436601400375366, -0.4338788092136383],
  ...[-2.1152193546295166, 0.26604941487312317, 0.16645534336566925, 0.9318265914916992, 0.6180566549301147],
  ...[0.8743818402290344, 1.2590092420578003, -0.41280221939086914, -0.14347384870052338, 2.0049805641174316],
  ...[-0.8410648107528687, -0.1116093322634697, 0.05373690277338028, -2.316041946411133],
);
const labels = Int32Array.of(0, 1, 2, 255, 1, 1, 0, 255);

describe('the loss of pixels', () => {
  // torch.nn.functional.cross_entropy(x, y, weight, ignore_index=255, label_smoothing), PyTorch 1.13
  it.each([
    [null, 0, 1.176885962486267, [-0.1539696753025055, 0.09146125614643097, 0.06250843405723572]],
    [[0.5, 2, 1], 0.1, 0.8314815759658813, [-0.052937112748622894, 0.03053770214319229, 0.0223994180560112]],
    [[0.5, 2, 1], 0, 0.8115017414093018, [-0.05773862823843956, 0.034297969192266464, 0.023440660908818245]],
  ] as const)('is PyTorch’s with the weights %j and smoothing %d', (classWeights, labelSmoothing, loss, first) => {
    const weights = classWeights === null ? null : [...classWeights];
    const objective = pixelCrossEntropy({ classWeights: weights, labelSmoothing }, network);
    const judged = objective.judge(new Map([['logits_full', scores]]), { labels }, 1, new Map());
    expect(judged.loss).toBeCloseTo(loss, 6);
    const gradient = judged.gradients.get('logits_full')!;
    for (const [i, value] of first.entries()) expect(gradient[i]).toBeCloseTo(value, 6);
    // What is ignored learns nothing.
    expect(gradient.slice(9, 12)).toEqual(new Float32Array(3));
    expect(objective.onEngine === undefined).toBe(classWeights !== null);
  });
});

/** One image of 2 × 3 pixels, `[1, 3, 2, 3]`. */
const outputs = new Map([
  [
    'logits_full',
    {
      shape: [1, 3, 2, 3],
      data: Float32Array.of(...[5, 5, 0, 0, 0, 0], ...[1, 1, 1, 1, 2, 0], ...[0, 0, 1, 4, 1, 0]),
    },
  ],
]);

describe('what it says', () => {
  it('is the class of the largest score, of equal ones the first', () => {
    expect([...likeliestPerPixel(outputs)]).toEqual([0, 0, 1, 2, 1, 0]);
  });

  it('is in the pixels of the image, whatever the network saw', () => {
    const reading = { labels: ['sky', 'road', 'car <1>'], top: 5, threshold: 0 };
    const [answer] = segmentationAnswers.decode(outputs, [{ width: 6, height: 2 }], reading);
    expect([...answer!.mask]).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 1, 1, 0, 0]);
    expect(answer!.segments.map(({ label, share }) => [label, share])).toEqual([
      ['sky', 6 / 12],
      ['road', 4 / 12],
      ['car <1>', 2 / 12],
    ]);
    const { segments } = segmentationAnswers.json(answer!) as { segments: { segmentation: object }[] };
    // COCO's runs go down the columns and begin with what is not of the class.
    expect(segments[2]!.segmentation).toEqual({ size: [2, 6], counts: [1, 1, 1, 1, 8] });
    const drawn = segmentationAnswers.draw(answer!, { width: 6, height: 2 });
    expect(drawn).toContain('M0 0h4v1h-4z');
    expect(drawn).toContain('car &#60;1>');
  });

  it('is nothing where the network did not look', () => {
    const reading = { labels: ['sky', 'road', 'car'], top: 5, threshold: 0 };
    // Five columns wide, of which the middle three were seen.
    const placement = { frame: { width: 3, height: 2 }, image: { left: -1, top: 0, width: 5, height: 2 } };
    const original = { width: 5, height: 2, placement };
    const [answer] = segmentationAnswers.decode(outputs, [original], reading);
    expect([...answer!.mask]).toEqual([255, 0, 0, 1, 255, 255, 2, 1, 0, 255]);
    expect(answer!.segments.map(({ label, share }) => [label, share])).toEqual([
      ['sky', 3 / 6],
      ['road', 2 / 6],
      ['car', 1 / 6],
    ]);
    expect(segmentationAnswers.draw(answer!, original)).not.toContain('class 255');
  });
});

describe('its evaluation', () => {
  const data = { name: 'streets', names: ['sky', 'road', 'car'] };
  const model = { network, labels: data.names, hasLabels: true };

  it('counts pixels that add up over parts, and notices what was edited', () => {
    const evaluation = segmentationEvaluation.begin(model, data);
    evaluation.add(outputs, { labels: Int32Array.of(0, 1, 1, 2, 255, 0) });
    const fields = evaluation.fields();
    // sky 2 of 3, road 1 of 2, car 1 of 1
    expect(fields.meanIou).toBeCloseTo((2 / 3 + 1 / 2 + 1) / 3, 12);
    expect(fields.pixelAccuracy).toBeCloseTo(4 / 5, 12);
    expect(segmentationEvaluation.inconsistency(fields, 1, data.names)).toBeUndefined();
    expect(segmentationEvaluation.inconsistency({ ...fields, meanIou: 0.9 }, 1, data.names)).toMatch(/means/);
    expect(segmentationEvaluation.merge([fields, fields]).meanIou).toBe(fields.meanIou);
  });

  it('refuses data of other classes', () => {
    const other = { name: 'others', names: ['sky', 'road', 'tree'] };
    expect(() => segmentationEvaluation.begin(model, other)).toThrow(/others: its classes are sky, road, tree/);
  });
});
