/**
 * A network with SDSA-1 against the same network in plain PyTorch in float64 (`sdsa1.py`): a training step at two time steps, its answer, its loss and the gradient of
 * every parameter.
 */
import { describe, expect, it } from 'vitest';
import { metaSpikeformer, resolveConfiguration } from '../../src/index.js';
import { toChannelsLast } from '../../src/runtime/layout.js';
import { recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { nativeEngines } from '../engines/nativeSupport.js';
import { canTrain, engines } from '../engines/support.js';
import { readFixtureTensorNames, readFixtureTensors } from '../support/safetensors.js';

const golden = readFixtureTensors('golden/sdsa1.safetensors');
const names = readFixtureTensorNames('golden/sdsa1.safetensors');
const valuesOf = (name: string) => Float32Array.from(golden(name).values);
const [timeSteps, batch, , size] = golden('input').shape as [number, number, number, number];
const target = [...valuesOf('target')];
const classes = 3;
const configuration = resolveConfiguration({
  embedDim: [4, 6, 8, 12],
  heads: 2,
  mlpRatio: 2,
  depths: [1, 1, 1, 1, 1],
  strides: [1, 2, 2, 1, 1],
  stemKernel: 3,
  classes,
  timeSteps,
  attention: 'sdsa1',
  attentionThreshold: 1,
});

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));

const everyEngine = [...engines, ...nativeEngines([2]).map(([name, create]) => ({ name, create }))];

describe.each(everyEngine)('a training step with SDSA-1 on $name', ({ create }) => {
  it('has PyTorch’s logits, loss and gradients', async () => {
    const engine = await create();
    if (!canTrain(engine)) throw new Error('this engine does not train');
    const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
    const shape = [timeSteps, batch, size, size, 3];
    const { program, trainable, buffers, input, outputs } = recordTraining(
      engine,
      metaSpikeformer(configuration),
      shape,
      settings,
    );
    const parameters = program.view(trainable.values);
    for (const { spec, offset } of trainable.slots) parameters.set(valuesOf(`parameter.${spec.name}`), offset);
    const statistics = program.view(buffers.values);
    for (const { spec, offset, length } of buffers.slots)
      statistics.fill(spec.role === 'runningVariance' ? 1 : 0, offset, offset + length);
    await program.write(input, toChannelsLast(valuesOf('input'), timeSteps * batch, 3, size * size));
    await program.run(trainingSegments.clear);
    await program.run(trainingSegments.forward);
    const { value, gradient } = outputs.get('logits')!;
    const found = await program.read(value);
    const logits = valuesOf('logits');
    const mean = found.map((_, i) => (logits[i]! + logits[i + batch * classes]!) / 2);
    expect(norm(found.map((each, i) => each - mean[i]!))).toBeLessThan(1e-4);
    const { loss, slopes } = crossEntropy(found);
    expect(loss).toBeCloseTo(valuesOf('loss')[0]!, 4);
    await program.write(gradient, slopes);
    await program.run(trainingSegments.backward);
    expect(trainable.slots.map(({ spec }) => `grad.${spec.name}`).sort()).toEqual(
      names.filter((name) => name.startsWith('grad.')).sort(),
    );
    const whole = Math.hypot(...trainable.slots.map(({ spec }) => norm(valuesOf(`grad.${spec.name}`))));
    const gradients = program.view(trainable.gradients);
    const errors = trainable.slots.map(({ spec: { name }, offset }) => {
      const expected = valuesOf(`grad.${name}`);
      const off = norm(expected.map((each, i) => gradients[offset + i]! - each));
      // A bias in front of a normalisation has no effect: its gradient is rounding.
      return [name, off / Math.max(norm(expected), 1e-4 * whole)] as const;
    });
    expect(errors.filter(([, error]) => !(error < 1e-3))).toEqual([]);
    // What reaches Q, K and V passes the gate and the counts.
    for (const letter of ['q', 'k', 'v'])
      expect(norm(valuesOf(`grad.block3.0.attn.${letter}_conv.1.weight`))).toBeGreaterThan(1e-3 * whole);
    program.dispose();
    await engine.dispose();
  });
});

function crossEntropy(scores: Float32Array): { readonly loss: number; readonly slopes: Float32Array } {
  const slopes = new Float32Array(scores.length);
  let loss = 0;
  for (const [image, label] of target.entries()) {
    const row = Array.from(scores.subarray(image * classes, (image + 1) * classes), Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    for (const [c, power] of row.entries()) slopes[image * classes + c] = (power / sum - Number(c === label)) / batch;
    loss -= Math.log(row[label]! / sum) / batch;
  }
  return { loss, slopes };
}
