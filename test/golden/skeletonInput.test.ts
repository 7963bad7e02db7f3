/** Sequences of NW-UCLA as a network's input against the published feeder (CTR-GCN, `feeder_ucla.py`), on real sequences in float64. The files are read where the shared folder is. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SkeletonSequence } from '../../src/data/skeletons/skeletonSequence.js';
import { fileFromBytes } from '../../src/index.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { preparedJoints, writeFeatures } from '../../src/modalities/skeletons/prepared.js';
import { parseSkeletonPreprocessing } from '../../src/modalities/skeletons/settings.js';
import { rotationOf } from '../../src/modalities/skeletons/streams.js';
import { sharedPath } from '../shared.js';

const path = sharedPath('golden', 'skeleton', 'nw_ucla.safetensors');
const suffix = path ? '' : ' (skipped: the shared golden files are absent)';

interface Case {
  readonly id: string;
  readonly index: readonly number[];
  readonly agx: number;
  readonly agy: number;
}

const cases: { readonly val: readonly Case[]; readonly train: readonly Case[] } = path
  ? JSON.parse(readFileSync(path.replace(/safetensors$/, 'json'), 'utf8'))
  : { val: [], train: [] };
const file = path ? await openSafetensors(fileFromBytes(readFileSync(path), path)) : undefined;

async function float64(name: string): Promise<Float64Array> {
  const bytes = await file!.tensors.get(name)!.readBytes();
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

async function sequenceOf(id: string): Promise<SkeletonSequence> {
  const positions = await float64(`raw.${id}`);
  return { name: id, frames: positions.length / 60, bodies: 1, joints: 20, positions };
}

const frames = 52;
const streams = { joint: 'joint', bone: 'bone', motion: 'jointMotion', bone_motion: 'boneMotion' } as const;

/** `[52, 3, 20]` as the golden's `[3, 52, 20, 1]`. */
const asPublished = (found: Float32Array) =>
  Float32Array.from({ length: found.length }, (_, i) => {
    const [axis, frame, joint] = [Math.floor(i / (frames * 20)), Math.floor(i / 20) % frames, i % 20];
    return found[(frame * 3 + axis) * 20 + joint]!;
  });

describe(`sequences of NW-UCLA${suffix}`, () => {
  for (const [published, stream] of Object.entries(streams)) {
    it.skipIf(!path)(`become the stream ${stream} as the published feeder makes it`, async () => {
      const settings = parseSkeletonPreprocessing({
        skeleton: 'kinect20',
        timeSteps: frames,
        normalise: 'range',
        sampling: 'nearest',
        features: [stream],
      });
      for (const { id } of cases.val) {
        const target = new Float32Array(frames * 60);
        writeFeatures(preparedJoints(await sequenceOf(id), settings), settings, target, 0, 60);
        // Equal in float64; a network reads float32.
        expect(asPublished(target), id).toEqual(Float32Array.from(await float64(`val.${published}.${id}`)));
      }
    });
  }

  it.skipIf(!path)('are turned and drawn from in training as published', async () => {
    const settings = parseSkeletonPreprocessing({
      skeleton: 'kinect20',
      timeSteps: frames,
      normalise: 'range',
      sampling: 'nearest',
    });
    const radians = (degrees: number) => (degrees * Math.PI) / 180;
    for (const { id, agx, agy, index } of cases.train) {
      const sequence = await sequenceOf(id);
      // The feeder multiplies rows: its matrix is the transpose.
      const turn = rotationOf([radians(agx), radians(agy), 0]);
      const rotation = turn.map((_, i) => turn[(i % 3) * 3 + Math.floor(i / 3)]!);
      const joints = preparedJoints(sequence, settings, {
        crop: undefined,
        rotations: [rotation],
        axisScales: [1, 1, 1],
        jointOffsets: new Float64Array(0),
        framePlaces: index.map((frame) => (frame + 0.5) / sequence.frames),
      });
      const target = new Float32Array(frames * 60);
      writeFeatures(joints, settings, target, 0, 60);
      const expected = await float64(`train.joint.${id}`);
      const found = asPublished(target);
      const largest = found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      expect(largest, id).toBeLessThan(1e-6);
    }
  });
});
