/** NeuroBench's counts against plain loops over every output, tap and channel of a network with pruned weights; sums of memory by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldTensor, Model, RunResult } from '../../src/api/model.js';
import {
  defaultEnergyConstants,
  energyConstantsShape,
  energyTable,
  parseEnergyConstants,
} from '../../src/energy/constants.js';
import { type CountedLayer, countedLayers } from '../../src/energy/layers.js';
import {
  accessesOfAnnLayer,
  accessesOfLayer,
  accessesOfNeurons,
  accessesOfRelus,
  energyOfAccesses,
  sumOfAccesses,
} from '../../src/energy/memoryAccesses.js';
import { type EnergyMeasurement, EnergyMeter } from '../../src/energy/meter.js';
import { metaSpikeformer } from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { batch, configuration, height, smallModel, timeSteps, unpacked, width } from './support.js';

/** A third of the weights of convolutions and linear layers is zero. */
function prunedParameters(): Map<string, Float32Array> {
  const random = seededRandom(9);
  const graph = metaSpikeformer(configuration);
  const matrices = new Set(
    countedLayers(graph, [height, width], 'trained').map((layer) => `${layer.parameterPrefix}.weight`),
  );
  return new Map(
    [...demonstrationParameters(graph, 3)].map(([name, values]) => [
      name,
      matrices.has(name) ? values.map((value) => (random.uniform() < 1 / 3 ? 0 : value)) : values,
    ]),
  );
}

/** Activations of one image and step, `[C, H, W]`. */
type Map3 = { readonly at: (channel: number, y: number, x: number) => number };

/** A convolution by loops: the sums, and how many products have two factors that are not zero. */
function convolved(
  { geometry }: CountedLayer,
  weights: Float32Array,
  input: Map3,
): { sums: Float64Array; effective: number; dense: number } {
  const g = geometry!;
  const perGroup = g.inputChannels / g.groups;
  const sums = new Float64Array(g.outputChannels * g.outputHeight * g.outputWidth);
  let [effective, dense] = [0, 0];
  for (let output = 0; output < g.outputChannels; output++)
    for (let oy = 0; oy < g.outputHeight; oy++)
      for (let ox = 0; ox < g.outputWidth; ox++)
        for (let i = 0; i < perGroup; i++)
          for (let ky = 0; ky < g.kernelHeight; ky++)
            for (let kx = 0; kx < g.kernelWidth; kx++) {
              const y = oy * g.strideHeight - g.paddingHeight + ky;
              const x = ox * g.strideWidth - g.paddingWidth + kx;
              if (y < 0 || x < 0 || y >= g.inputHeight || x >= g.inputWidth) continue;
              const channel = Math.floor(output / (g.outputChannels / g.groups)) * perGroup + i;
              const weight = weights[((output * perGroup + i) * g.kernelHeight + ky) * g.kernelWidth + kx]!;
              const value = input.at(channel, y, x);
              sums[(output * g.outputHeight + oy) * g.outputWidth + ox]! += weight * value;
              dense++;
              if (weight !== 0 && value !== 0) effective++;
            }
  return { sums, effective, dense };
}

describe('NeuroBench’s metrics of a pruned network', () => {
  const parameters = prunedParameters();
  let model: Model;
  let input: FieldTensor;
  let found: EnergyMeasurement;
  let spikes: NonNullable<RunResult['spikes']>;
  beforeAll(async () => {
    ({ model, input } = await smallModel(parameters));
    const meter = new EnergyMeter(model, defaultEnergyConstants);
    await meter.run(input);
    found = meter.result();
    spikes = (await model.run(input, { record: { spikes: true } })).spikes!;
  });
  afterAll(() => model.dispose());

  it('have the effective operations of plain loops, to the unit', () => {
    const layers = countedLayers(metaSpikeformer(configuration), [height, width], 'trained');
    let [macs, acs, dense] = [0, 0, 0];
    for (let t = 0; t < timeSteps; t++)
      for (let image = 0; image < batch; image++) {
        const sumsOf = new Map<string, Float64Array>();
        for (const layer of layers) {
          if (layer.kind === 'attention') continue;
          const g = layer.geometry!;
          const [source] = layer.sources;
          const plane = g.inputHeight * g.inputWidth;
          const values = source === undefined ? input.data : unpacked(spikes.get(source)!);
          const index = source === undefined ? image : t * batch + image;
          const before = sumsOf.get(layer.input);
          const spikesOrPixels = (channel: number, y: number, x: number) =>
            values[(index * g.inputChannels + channel) * plane + y * g.inputWidth + x]!;
          const sums = (channel: number, y: number, x: number) => before![channel * plane + y * g.inputWidth + x]!;
          // Behind a batch norm no number is exactly zero.
          const at = layer.spikeFed || source === undefined ? spikesOrPixels : before ? sums : () => 1;
          const result = convolved(layer, parameters.get(`${layer.parameterPrefix}.weight`)!, { at });
          if (layer.spikeFed && g.groups > 1) sumsOf.set(layer.name, result.sums);
          if (layer.spikeFed) acs += result.effective;
          else macs += result.effective;
          dense += result.dense;
        }
      }
    expect(found.neuroBench.synapticOperations).toEqual({
      effectiveMacs: macs / batch,
      effectiveAcs: acs / batch,
      dense: dense / batch,
    });
  });

  it('have the share of zero weights and of silent neurons', () => {
    expect(found.neuroBench.connectionSparsity).toBeCloseTo(1 / 3, 2);
    const all = [...spikes.values()].map(unpacked);
    const fired = all.reduce((sum, values) => sum + values.reduce((a, b) => a + b, 0), 0);
    const neurons = all.reduce((sum, { length }) => sum + length, 0);
    expect(found.neuroBench.activationSparsity).toBeCloseTo(1 - fired / neurons, 12);
  });

  it('have the footprint of PyTorch’s parameters and buffers', () => {
    let bytes = 0;
    for (const [name, values] of parameters) bytes += values.byteLength + (name.endsWith('running_mean') ? 8 : 0);
    expect(found.neuroBench.footprintBytes).toBe(bytes);
  });

  it('leave attention’s products apart', () => {
    const names = new Set(['block3.0.attn.product', 'block4.0.attn.product']);
    const products = found.layers.filter(({ name }) => names.has(name));
    expect(products).toHaveLength(2);
    const additions = products.flatMap((layer) => layer.additions).reduce((a, b) => a + b, 0);
    expect(found.neuroBench.attentionAdditions).toBe(additions / batch);
  });
});

describe('accesses to memory', () => {
  it('follow from the counted work', () => {
    const convolution = accessesOfLayer({ kind: 'convolution', additions: 10, multiplications: 0, neuronsRead: 7 });
    expect(convolution).toEqual({
      weightReads: 10,
      membraneReads: 10,
      membraneWrites: 10,
      spikeReads: 7,
      spikeWrites: 0,
    });
    const onNumbers = accessesOfLayer({ kind: 'convolution', additions: 0, multiplications: 4, neuronsRead: 0 });
    expect(onNumbers).toEqual({ weightReads: 4, membraneReads: 8, membraneWrites: 4, spikeReads: 0, spikeWrites: 0 });
    const attention = accessesOfLayer({ kind: 'attention', additions: 3, multiplications: 0, neuronsRead: 6 });
    expect(attention).toEqual({ weightReads: 0, membraneReads: 6, membraneWrites: 3, spikeReads: 6, spikeWrites: 0 });
    const neurons = accessesOfNeurons(5);
    const sum = sumOfAccesses([convolution, onNumbers, attention, neurons]);
    expect(sum).toEqual({ weightReads: 14, membraneReads: 29, membraneWrites: 22, spikeReads: 13, spikeWrites: 5 });
    // With ReLU: a weight and a number or, of attention, two numbers; the sum read and written; a unit reads its sum and writes a number.
    expect(
      sumOfAccesses([accessesOfAnnLayer('linear', 4), accessesOfAnnLayer('attention', 3), accessesOfRelus(5)]),
    ).toEqual({ weightReads: 4, membraneReads: 8 + 9 + 5, membraneWrites: 4 + 3 + 5, spikeReads: 0, spikeWrites: 0 });
    // Horowitz: 20 pJ for 64 bits of a 32 KB SRAM, so 10 pJ for a float32 and 0.3125 pJ for a bit.
    expect(energyOfAccesses(sum, defaultEnergyConstants.memory)).toBeCloseTo(10 * (14 + 29 + 22) + 0.3125 * 18, 9);
  });
});

describe('a file of energy constants', () => {
  it('is taken whole', () => {
    const mine = { ...energyTable['45nm-int8'], name: 'my chip' };
    expect(parseEnergyConstants(JSON.parse(JSON.stringify(mine)), 'mine.json')).toEqual(mine);
  });

  it('has the default’s values where it says nothing, and the file’s name', () => {
    const { memory, ...operations } = energyTable['45nm-float32'];
    expect(parseEnergyConstants({}, 'chips/mine.json')).toEqual({ ...operations, memory, name: 'mine.json' });
    const found = parseEnergyConstants({ name: 'x', accumulate: 0.1, memory: { spikeRead: 0 } }, 'mine.json');
    expect(found).toEqual({
      ...{ name: 'x', accumulate: 0.1, multiplyAccumulate: 4.6 },
      memory: { ...memory, name: 'memory of x', spikeRead: 0 },
    });
  });

  it('is shown whole where it is wrong, and what is shown is a file', () => {
    expect(() => parseEnergyConstants(null, 'mine.json')).toThrow(energyConstantsShape);
    const { name: _name, memory, ...shown } = parseEnergyConstants(JSON.parse(energyConstantsShape), 'mine.json');
    const { name: _default, memory: defaultMemory, ...expected } = defaultEnergyConstants;
    expect(shown).toEqual(expected);
    expect({ ...memory, name: '' }).toEqual({ ...defaultMemory, name: '' });
  });

  it.each([
    [{ ...energyTable['45nm-int8'], accumulate: -1 }, /^mine\.json: accumulate: found -1, expected a number above 0/],
    [
      { memory: { weightRead: '10' } },
      /^mine\.json: memory\.weightRead: found the text "10", expected a number from 0/,
    ],
    [{ memory: 5 }, /^mine\.json: memory: found 5, expected an object/],
    [{ speed: 1 }, /^mine\.json: there is no field speed/],
    [{ memory: { reads: 1 } }, /^mine\.json: there is no field memory\.reads/],
    [{ name: 3 }, /^mine\.json: name: found 3, expected a text/],
    [null, /^mine\.json: the whole: found null, expected an object/],
    [[], /^mine\.json: the whole: found a list, expected an object/],
  ])('is refused when wrong: %j', (value, message) => {
    expect(() => parseEnergyConstants(value, 'mine.json')).toThrow(message);
  });
});
