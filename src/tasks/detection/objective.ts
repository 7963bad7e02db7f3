/** What training a detector minimises, at every place of every level: focal loss of the classes; at places that answer for a box the box's overlap, weighed by how central they are, and that centrality. */

import { pruned } from '../../graph/outputs.js';
import { boxNumbers, strideOf } from '../../models/pointHead.js';
import type { AnsweringNetwork, Objective } from '../task.js';
import { assignBoxes, type Level } from './assignment.js';
import { boxLoss, centrality, crossEntropyOf, focalLoss } from './losses.js';
import type { DetectionSettings } from './settings.js';
import { type BoxBatch, boxesOf } from './truths.js';

/** Of a single-stage head; that of a detector with regions is `regionObjective.ts`. */
export function pointObjective({ boxWeight }: DetectionSettings, { classes }: AnsweringNetwork): Objective<BoxBatch> {
  const numbers = classes + boxNumbers;
  return {
    prepare: (graph) =>
      pruned({ ...graph, outputs: new Map([...graph.outputs].filter(([name]) => strideOf(name) !== undefined)) }),
    observed: [],
    judge: (outputs, batch, share, shapes) => {
      const images = batch.ends.length;
      const names = [...outputs.keys()];
      const levels = names.map((name) => levelOf(name, shapes.get(name)!));
      const assigned = levels.map((_, index) =>
        Array.from({ length: images }, (_, image) => assignBoxes(levels, index, boxesOf(batch, image))),
      );
      const positives = assigned
        .flat()
        .reduce((sum, places) => sum + places.reduce((n, box) => n + (box >= 0 ? 1 : 0), 0), 0);
      const scale = share / Math.max(1, positives);
      const gradients = new Map<string, Float32Array>();
      const parts: Parts = { classes: 0, boxes: 0, centres: 0, centralities: 0 };
      const pending: (() => void)[] = [];
      for (const [index, name] of names.entries()) {
        const values = outputs.get(name)!;
        const gradient = new Float32Array(values.length);
        gradients.set(name, gradient);
        const level = levels[index]!;
        for (let image = 0; image < images; image++) {
          const { boxes, labels } = boxesOf(batch, image);
          const places = assigned[index]![image]!;
          for (let place = 0; place < places.length; place++) {
            const start = (image * places.length + place) * numbers;
            const box = places[place]!;
            for (let k = 0; k < classes; k++) {
              const valued = focalLoss(values[start + k]!, box >= 0 && labels[box] === k);
              parts.classes += scale * valued.loss;
              gradient[start + k] = scale * valued.gradient;
            }
            if (box < 0) continue;
            const target = distancesTo(boxes.subarray(4 * box, 4 * box + 4), place, level);
            const central = centrality(target);
            const centre = crossEntropyOf(values[start + classes + 4]!, central);
            parts.centres += scale * centre.loss;
            gradient[start + classes + 4] = scale * centre.gradient;
            parts.centralities += central;
            const side = new Float64Array(4);
            const loss = central * boxLoss(values.subarray(start + classes, start + classes + 4), target, side);
            parts.boxes += loss;
            // Centralities of all places add up before any of them weighs.
            pending.push(() => {
              const weight = (share * boxWeight * central) / parts.centralities;
              for (let i = 0; i < 4; i++) gradient[start + classes + i] = weight * side[i]!;
            });
          }
        }
      }
      for (const write of pending) write();
      const boxes = parts.centralities > 0 ? (share * boxWeight * parts.boxes) / parts.centralities : 0;
      const overlap = parts.centralities > 0 ? Math.exp(-parts.boxes / parts.centralities) : 0;
      return { loss: parts.classes + parts.centres + boxes, gradients, sums: { overlap, batches: 1 } };
    },
  };
}

interface Parts {
  classes: number;
  boxes: number;
  centres: number;
  centralities: number;
}

/** @param shape As the engine lays an output out, `[B, h, w, numbers]`. */
function levelOf(output: string, [, height, width]: readonly number[]): Level {
  return { stride: strideOf(output)!, height: height!, width: width! };
}

/** In strides, from a place to left, top, right and bottom of a box around it. */
function distancesTo(
  box: Float32Array,
  place: number,
  { stride, width }: Level,
): readonly [number, number, number, number] {
  const x = ((place % width) + 0.5) * stride;
  const y = (Math.floor(place / width) + 0.5) * stride;
  return [(x - box[0]!) / stride, (y - box[1]!) / stride, (box[2]! - x) / stride, (box[3]! - y) / stride];
}
