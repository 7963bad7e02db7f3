/** Where a layer may add a residual itself: what runs once for all time steps cannot add what differs between them. */
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { GraphBuilder } from '../../src/graph/graph.js';
import { Inference } from '../../src/inference/inference.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { add } from '../../src/operators/add.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { lif } from '../../src/operators/lif.js';
import { repeatTime } from '../../src/operators/repeatTime.js';

/** A block whose shortcut is a convolution of the still image, before or behind the branch in the order of the nodes. */
function block(timeSteps: number, shortcutFirst: boolean) {
  const graph = new GraphBuilder('block', 2);
  const frames = repeatTime(graph, 'frames', graph.input, timeSteps);
  const layer = (name: string, input: string) =>
    conv2d(graph, name, input, { inputChannels: 2, outputChannels: 2, kernel: 3, bias: true });
  const branch = () => layer('branch', lif(graph, 'lif', frames, { tau: 2, threshold: 0.1 }));
  const shortcut = () => layer('shortcut', frames);
  const [a, b] = shortcutFirst ? [shortcut(), branch()] : [branch(), shortcut()];
  graph.output('sum', add(graph, 'sum', a, b));
  return graph.build();
}

describe.each([1, 3])('a sum of a branch of %d time steps and a shortcut of a still image', (timeSteps) => {
  it.each([true, false])('is the same fused and not, the shortcut first: %s', async (shortcutFirst) => {
    const graph = block(timeSteps, shortcutFirst);
    const parameters = initialiseParameters(graph, 1);
    const input = { shape: [1, 2, 4, 4], data: Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)) };
    const results: number[][] = [];
    for (const fuse of [true, false]) {
      const network = { graph, parameters, timeSteps, oneStep: () => block(1, shortcutFirst) };
      const engine = await createReferenceEngine();
      const inference = new Inference({ name: 'block', network, engine, prepare: { fuse } });
      results.push([...(await inference.run(input)).outputs.get('sum')!.data]);
      await inference.dispose();
    }
    expect(results[0]).toHaveLength(timeSteps * 32);
    for (const [i, value] of results[0]!.entries()) expect(value).toBeCloseTo(results[1]![i]!, 5);
  });
});
