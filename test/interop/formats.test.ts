/** Every format of checkpoint against the same weights saved by safetensors, and tiny files against PyTorch's own values. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Shape } from '../../src/graph/shape.js';
import type { Checkpoint } from '../../src/interop/checkpoint.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { CheckpointError } from '../../src/interop/errors.js';
import { sharedPath } from '../shared.js';
import { formatFixture } from './support.js';

/** The nearest representable number with a 10 or 7 bit fraction, ties to even, by arithmetic rather than by bits. */
function rounded(value: number, fractionBits: number, smallestExponent: number): number {
  if (value === 0) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), smallestExponent);
  const unit = 2 ** (exponent - fractionBits);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const tie = scaled - floor === 0.5;
  return (tie ? floor + (Math.abs(floor) % 2) : Math.round(scaled)) * unit;
}

/** The golden file was written without scalars: its batch counters have shape [1], PyTorch's have []. */
function shapeInPyTorch(name: string, shape: Shape): Shape {
  return name.endsWith('.num_batches_tracked') ? [] : shape;
}

async function expectSameWeights(path: string, convert: (value: number) => number = (value) => value) {
  const [actual, expected] = [
    await openCheckpointFile(path),
    await openCheckpointFile(formatFixture('expected.safetensors')),
  ];
  try {
    expect([...actual.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
    for (const [name, tensor] of expected.tensors) {
      const found = actual.tensors.get(name)!;
      expect(found.shape, name).toEqual(shapeInPyTorch(name, tensor.shape));
      const wanted = await tensor.readFloat32();
      expect(await found.readFloat32(), name).toEqual(tensor.dtype === 'float32' ? wanted.map(convert) : wanted);
    }
  } finally {
    await actual.close();
    await expected.close();
  }
}

async function refusal(path: string): Promise<string> {
  const opened: Checkpoint | CheckpointError = await openCheckpointFile(path).catch((error) => error);
  if (!(opened instanceof CheckpointError))
    throw new Error(`${path} was not refused with a CheckpointError: ${opened}`);
  expect(opened.message).not.toContain('\n');
  expect(opened.message.startsWith(`${path}: `)).toBe(true);
  return opened.message.slice(path.length + 2);
}

describe('the golden checkpoints of the repository', () => {
  it('a legacy stream holds the expected weights to the bit', async () => {
    await expectSameWeights(formatFixture('legacy-stream.pth.tar'));
    const checkpoint = await openCheckpointFile(formatFixture('legacy-stream.pth.tar'));
    expect(checkpoint.format).toBe('pth-legacy');
    await checkpoint.close();
  });

  it('a float16 file holds the expected weights rounded to float16', async () => {
    await expectSameWeights(formatFixture('float16.pth'), (value) => rounded(value, 10, -14));
  });

  it('a bfloat16 file holds the expected weights rounded to bfloat16', async () => {
    await expectSameWeights(formatFixture('bfloat16.pth'), (value) => rounded(value, 7, -126));
  });

  it('a hostile pickle is refused by the name of what it calls, and nothing is executed', async () => {
    expect(await refusal(formatFixture('hostile-os-system.pth'))).toMatch(
      /^refused: its pickle calls os\.system, which a checkpoint of weights never needs; /,
    );
    expect(existsSync('/tmp/pwned-by-a-checkpoint')).toBe(false);
  });

  it('a truncated file is called truncated', async () => {
    expect(await refusal(formatFixture('truncated.pth'))).toMatch(/^truncated: .*download or copy it again$/);
  });

  it('an HTML page is called a failed download', async () => {
    expect(await refusal(formatFixture('not-a-checkpoint.pth'))).toMatch(
      /^looks like an HTML page: the download probably failed/,
    );
  });
});

const golden = sharedPath('golden', 'formats');

describe.skipIf(golden === undefined)('the golden checkpoints of the shared folder (skipped when it is absent)', () => {
  it.each(['bare.pth', 'ddp-prefix.pth', 'strided.pth', 'trainer.pth'])(
    '%s holds the expected weights to the bit',
    async (name) => {
      await expectSameWeights(`${golden}/${name}`);
    },
  );

  it('a trainer checkpoint says its epoch', async () => {
    const checkpoint = await openCheckpointFile(`${golden}/trainer.pth`);
    expect(checkpoint.metadata).toEqual({ epoch: '199' });
    await checkpoint.close();
  });
});

const expectedSchema = z.record(
  z.string(),
  z.object({ shape: z.array(z.number()), dtype: z.string(), values: z.array(z.number()) }),
);
const expectedTiny = expectedSchema.parse(JSON.parse(readFileSync(formatFixture('tiny/expected.json'), 'utf8')));

describe('tiny files of every element type and layout, made by PyTorch', () => {
  it.each(['zip.pth', 'legacy.pth', 'protocol4.pth', 'legacy-protocol4.pth'])(
    "%s reads as PyTorch's own values",
    async (name) => {
      const checkpoint = await openCheckpointFile(formatFixture(`tiny/${name}`));
      expect([...checkpoint.tensors.keys()]).toEqual(Object.keys(expectedTiny));
      for (const [tensorName, expected] of Object.entries(expectedTiny)) {
        const tensor = checkpoint.tensors.get(tensorName)!;
        expect({ dtype: tensor.dtype, shape: tensor.shape }, tensorName).toEqual({
          dtype: expected.dtype,
          shape: expected.shape,
        });
        expect([...(await tensor.readFloat32())], tensorName).toEqual(expected.values);
      }
      await checkpoint.close();
    },
  );

  it('an int64 keeps all its bits when read as bytes', async () => {
    const checkpoint = await openCheckpointFile(formatFixture('tiny/zip.pth'));
    const raw = await checkpoint.tensors.get('int64')!.readBytes();
    expect(new BigInt64Array(raw.buffer)).toEqual(BigInt64Array.of(2n ** 40n + 1n));
    await checkpoint.close();
  });

  it('model is preferred to model_ema, parameters lose module., and NumPy, paths and sets beside them do not disturb', async () => {
    const checkpoint = await openCheckpointFile(formatFixture('tiny/trainer.pth'));
    expect([...checkpoint.tensors.keys()]).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
      '1.running_mean',
      '1.running_var',
      '1.num_batches_tracked',
    ]);
    expect(await checkpoint.tensors.get('1.num_batches_tracked')!.readFloat32()).toEqual(Float32Array.of(1));
    expect(checkpoint.metadata).toEqual({ epoch: '12', note: 'tiny' });
    await checkpoint.close();
  });

  it('a whole pickled module is refused with its class', async () => {
    expect(await refusal(formatFixture('tiny/whole-module.pth'))).toMatch(
      /^holds an object of class torch\.nn\.modules\.container\.Sequential, not a state_dict; save model\.state_dict\(\)/,
    );
  });

  it('a single tensor is refused', async () => {
    expect(await refusal(formatFixture('tiny/single-tensor.pth'))).toMatch(/^holds a single tensor, not a state_dict/);
  });
});
