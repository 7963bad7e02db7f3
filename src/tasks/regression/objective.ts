/** What a regression answers with and what it minimises: numbers at the output `values`, and their squared distance from the truth. */
import { withOutputs } from '../../graph/outputs.js';
import type { Head } from '../../models/head.js';
import { linear } from '../../operators/linear.js';
import { spatialMean, timeMean } from '../../operators/means.js';
import type { AnsweringNetwork, Objective } from '../task.js';

export const valuesOutput = 'values';

/** What answers are compared with. */
export interface ValueBatch {
  /** `[B, V]` */
  readonly values: Float32Array;
}

/** Mean over space, linear, mean over time: `[B, V]`. Of membranes, not of spikes, which would leave numbers few steps. */
export function valuesHead({ classes: outputs }: AnsweringNetwork): Head {
  return (graph, { features, channels }) => {
    const pooled = spatialMean(graph, 'values.pool', features);
    const layer = { inputChannels: channels, outputChannels: outputs, bias: true, layout: 'linear' } as const;
    graph.output(valuesOutput, timeMean(graph, 'values.mean', linear(graph, 'values', pooled, layer)), 'values');
  };
}

/** L = mean over b, v of (y − t)²; dL/dy = 2(y − t)/(B·V). */
export function squaredError(): Objective<ValueBatch> {
  return {
    prepare: (graph) => withOutputs(graph, [valuesOutput]),
    observed: [],
    judge: (outputs, { values: targets }, share) => {
      const found = outputs.get(valuesOutput)!;
      const gradient = new Float32Array(found.length);
      let [squares, distances] = [0, 0];
      for (let i = 0; i < found.length; i++) {
        const difference = found[i]! - targets[i]!;
        squares += difference * difference;
        distances += Math.abs(difference);
        gradient[i] = (2 * share * difference) / found.length;
      }
      return {
        loss: (share * squares) / found.length,
        gradients: new Map([[valuesOutput, gradient]]),
        sums: { absoluteError: distances },
      };
    },
  };
}
