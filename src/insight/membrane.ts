/**
 * What one neuron did, step by step, told from the current that flowed into it. The engine keeps membranes in registers and writes only spikes
 * down; they are computed again here, by the same function of one step that the reference engine runs, so that the trace and
 * the recorded spikes agree.
 */
import { UsageError } from '../errors.js';
import { elementCount, formatShape } from '../graph/shape.js';
import type { NeuronInput } from '../inference/types.js';
import { neuronNamed } from '../operators/registry.js';
import { checkOptionNames, described } from '../optionNames.js';

export interface MembraneTrace {
  readonly tau: number;
  readonly threshold: number;
  /** One entry per time step. */
  readonly steps: readonly {
    /** x: what flows in. */
    readonly current: number;
    /** h: the membrane before a reset; of leaky neurons v + (x − v)/τ. */
    readonly charged: number;
    /** Whether h reached θ. */
    readonly spike: boolean;
    /** v: the membrane afterwards; 0 after a spike. */
    readonly membrane: number;
  }[];
}

export interface NeuronPlace {
  /** Of the batch; the first when not given. */
  readonly image?: number;
  readonly channel: number;
  /** Row by row: y · W + x of a map, the token's number, 0 where there is no space. */
  readonly position: number;
}

/** @throws UsageError when there is no such neuron, and for a constant or a part of the place that is unknown or no number. */
export function membraneTrace(input: NeuronInput, place: NeuronPlace): MembraneTrace {
  checkTraceInput(input, place);
  const { image = 0, channel, position } = place;
  const [timeSteps, images, channels, ...space] = input.shape as [number, number, number, ...number[]];
  const positions = elementCount(space);
  const inside = (value: number, count: number) => Number.isInteger(value) && value >= 0 && value < count;
  if (!inside(image, images) || !inside(channel, channels) || !inside(position, positions))
    throw new UsageError(
      `neuron: image ${image}, channel ${channel}, position ${position} is not in ${formatShape(input.shape)}`,
    );
  const { neuron: name = 'lif', tau, threshold } = input;
  const neuron = neuronNamed(name);
  if (!neuron) throw new UsageError(`membraneTrace: neuron: found ${described(name)}, expected the name of a neuron`);
  const dynamics = neuron.dynamics({ tau, threshold });
  let membrane = 0;
  const steps = Array.from({ length: timeSteps }, (_, t) => {
    const current = input.data[((t * images + image) * channels + channel) * positions + position]!;
    const charged = dynamics.charge(membrane, current);
    const spike = dynamics.output(charged) > 0;
    membrane = dynamics.after(charged);
    return { current, charged, spike, membrane };
  });
  return { tau, threshold, steps };
}

function checkTraceInput(input: NeuronInput | undefined, place: NeuronPlace | undefined): void {
  checkOptionNames<NeuronInput>('membraneTrace', input, {
    shape: true,
    data: true,
    tau: true,
    threshold: true,
    neuron: true,
  });
  checkOptionNames<NeuronPlace>('membraneTrace', place, { image: true, channel: true, position: true });
  const numbers = { tau: input?.tau, threshold: input?.threshold, channel: place?.channel, position: place?.position };
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value !== 'number')
      throw new UsageError(`membraneTrace: ${name}: found ${described(value)}, expected a number`);
  }
}
