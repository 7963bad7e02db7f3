/** Decisions about events as they come, against the same network on the same windows at once. */
import { describe, expect, it } from 'vitest';
import { EventDecisions } from '../../src/api/eventDecisions.js';
import {
  defaultEnergyConstants,
  EnergyMeter,
  type Model,
  metaSpikeformer,
  resolveConfiguration,
} from '../../src/index.js';
import { eventsOf } from '../../src/modalities/events/columns.js';
import { framesOf } from '../../src/modalities/events/frames.js';
import { LiveWindows } from '../../src/modalities/events/liveWindows.js';
import { type EventPreprocessingInput, parseEventPreprocessing } from '../../src/modalities/events/settings.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { configuration, modelOf } from '../energy/support.js';

const timeSteps = 4;
const own = resolveConfiguration({ ...configuration, inputChannels: 2, timeSteps });

/** 900 events of 6 windows of 500 µs, the third of them empty. */
function recording() {
  const random = seededRandom(11);
  const times = Array.from({ length: 900 }, () => random.integer(2500)).sort((a, b) => a - b);
  return eventsOf(
    times.map((t) => [7 + t + (t >= 1000 ? 500 : 0), random.integer(22), random.integer(19), random.integer(2)]),
  );
}

const settings = (changes: Partial<EventPreprocessingInput> = {}) =>
  parseEventPreprocessing({
    sensor: [19, 22],
    window: { by: 'time', microseconds: 500 },
    timeSteps,
    scale: { clip: 3, divide: 2 },
    ...changes,
  });

/** A model of T steps, and the same network of one. */
async function models(engine: 'wasm' | 'reference') {
  const parameters = demonstrationParameters(metaSpikeformer(own), 3);
  const whole = await modelOf(own, parameters, engine === 'reference' ? { engine } : { threads: 2 });
  return { whole, one: whole.reconfigured({ timeSteps: 1 }, whole.engine) };
}

async function watched(one: Model, options: Partial<ConstructorParameters<typeof EventDecisions>[0]> = {}) {
  const decisions = new EventDecisions({
    model: one,
    preprocessing: settings(),
    timeSteps,
    emptyWindows: 'shown',
    ...options,
  });
  const windows = new LiveWindows(500);
  const found = [];
  for (const window of windows.push(recording())) found.push(await decisions.decide(window));
  const last = windows.end();
  if (last) found.push(await decisions.decide(last));
  return found;
}

describe('decisions about live events', () => {
  it.each(['shown', 'leftOut'] as const)(
    'have the bits of an evaluation of the same windows, empty ones %s',
    async (empty) => {
      const { whole, one } = await models('wasm');
      const preprocessing = settings({ window: { by: 'time', microseconds: 500, empty } });
      const { data } = framesOf(recording(), preprocessing);
      const { logits } = await whole.run({ shape: [timeSteps, 1, 2, 19, 22], data });
      const found = await watched(one, { emptyWindows: empty });
      const fourth = found.find(({ step }) => step === timeSteps)!;
      expect(fourth.meanLogits).toEqual(logits.data);
      expect(fourth.predictions).toEqual(whole.rank(logits.data, logits.data.length));
      expect(found.map(({ skipped }) => skipped)).toEqual([false, false, empty === 'leftOut', false, false, false]);
      expect(found.reduce((sum, { events }) => sum + events, 0)).toBe(900);
      await one.dispose();
    },
  );

  it('are about the last T steps from then on, or begin anew', async () => {
    const { one } = await models('wasm');
    const rolling = await watched(one);
    await one.resetState();
    const steps = await watched(one, { timeSteps: 1 });
    const mean = (from: number) =>
      steps[0]!.meanLogits.map((_, i) => {
        let sum = 0;
        for (const { meanLogits } of steps.slice(from, from + 4)) sum = Math.fround(sum + meanLogits[i]!);
        return sum / 4;
      });
    expect(rolling[4]!.meanLogits).toEqual(mean(1));
    expect(rolling[5]!.meanLogits).toEqual(mean(2));
    await one.resetState();
    const anew = await watched(one, { resets: true });
    expect(anew[3]!.meanLogits).toEqual(rolling[3]!.meanLogits);
    // The fifth window is the first of a new sequence: that of a network that has seen nothing yet.
    expect(anew[4]!.meanLogits).not.toEqual(rolling[4]!.meanLogits);
    expect(anew[4]!.step).toBe(5);
    await one.dispose();
  });

  it('cost what a run of the same windows costs, and nothing while the network sleeps', async () => {
    const { whole, one } = await models('wasm');
    const found = await watched(one, { energy: defaultEnergyConstants, emptyWindows: 'leftOut' });
    const { data } = framesOf(recording(), settings({ window: { by: 'time', microseconds: 500, empty: 'leftOut' } }));
    const meter = new EnergyMeter(whole, defaultEnergyConstants);
    await meter.run({ shape: [timeSteps, 1, 2, 19, 22], data });
    const awake = found.filter(({ skipped }) => !skipped).slice(0, timeSteps);
    expect(awake.reduce((sum, { millijoules }) => sum + millijoules!, 0)).toBeCloseTo(
      meter.result().exactMillijoules,
      10,
    );
    expect(found[2]).toMatchObject({
      skipped: true,
      millijoules: 0,
      events: 0,
      step: 2,
      milliseconds: { frame: 0, network: 0 },
    });
    expect(found[2]!.predictions).toEqual(found[1]!.predictions);
    await one.dispose();
  });

  it('are refused where network and frames do not fit', async () => {
    const { whole, one } = await models('wasm');
    const preprocessing = settings({ representation: 'signed' });
    const options = { timeSteps, emptyWindows: 'shown' } as const;
    expect(() => new EventDecisions({ model: one, preprocessing, ...options })).toThrow(/1 channels.*takes 2/);
    expect(() => new EventDecisions({ model: whole, preprocessing: settings(), ...options })).toThrow(/time steps/);
    await one.dispose();
  });
});
