/** Cases of the kernels whose calls are more than sizes and tensors: every one of `engines/calls/` that has no declaration, or settings in it, has its cases here. */

import type { KernelCall, NamedCall } from '../../../src/engines/calls/call.js';
import { calls } from '../../../src/engines/calls.generated.js';
import { type ConvolutionGeometry, type Storage, spikeWords } from '../../../src/engines/kernels.js';
import { SeededNumbers } from '../support.js';
import { type Completion, declaredCases, largeDeclaredCase } from './declared.js';
import { descriptorCases } from './descriptors.js';
import { anyLayer, type Layer, layers } from './geometries.js';
import { mapCases } from './maps.js';
import { adamWCases, crossEntropyCases, sumOfSquaresCases } from './segments.js';
import { type CallSpec, type Case, CountersSpec, positive, real, result, spikes, TensorSpec } from './specs.js';
import { timedMap } from './timedMaps.js';

const channelCounts = [1, 31, 32, 33, 65] as const;
/** Channels and images (or another size) that go together. */
const sizes = channelCounts.flatMap((channels) => [1, 5].map((images) => ({ channels, images })));
const titled = (call: Readonly<Record<string, unknown>>) =>
  Object.entries(call)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');

function activation(numbers: SeededNumbers, storage: Storage, shape: readonly number[]): TensorSpec {
  return storage === 'real' ? real(numbers, shape) : spikes(numbers, shape);
}

const inputShape = (g: ConvolutionGeometry) => [g.images, g.inputHeight, g.inputWidth, g.inputChannels];
const outputShape = (g: ConvolutionGeometry) => [g.images, g.outputHeight, g.outputWidth, g.outputChannels];
const weightShape = (g: ConvolutionGeometry) => [
  g.outputChannels,
  g.inputChannels / g.groups,
  g.kernelHeight,
  g.kernelWidth,
];

const anyLayers: readonly Layer[] = Array.from({ length: 40 }, (_, seed) => anyLayer(seed));

/** Cases of each layer and of some random ones; `make` draws from numbers of the case's own. */
function ofLayers(make: (layer: Layer, numbers: SeededNumbers, index: number) => CallSpec, randomOnes = 12): Case[] {
  return [...layers, ...anyLayers.slice(0, randomOnes)].map((layer, index) => ({
    title: layer.title,
    call: { geometry: layer.geometry, ...make(layer, new SeededNumbers(index), index) },
  }));
}

function convolutionCases(): Case[] {
  return ofLayers(({ geometry: g, storage }, numbers, index) => {
    const shape = outputShape(g);
    // None, one of the output's length, or one that is the same for every image.
    const residual = [undefined, shape, [1, ...shape.slice(1)]][index % 3];
    return {
      input: activation(numbers, storage, inputShape(g)),
      weight: numbers.reals(weightShape(g).reduce((product, size) => product * size)),
      ...(index % 2 === 0 && { bias: numbers.reals(g.outputChannels) }),
      ...(residual && { residual: real(numbers, residual) }),
      output: result(shape),
    };
  }, anyLayers.length);
}

export function trainableConvolutionCase({ geometry: g, storage }: Layer, numbers: SeededNumbers, hasBias: boolean) {
  return {
    input: activation(numbers, storage, inputShape(g)),
    weight: real(numbers, weightShape(g)),
    ...(hasBias && { bias: real(numbers, [g.outputChannels]) }),
    output: result(outputShape(g)),
  };
}

function batchNormTensors(numbers: SeededNumbers, channels: number) {
  return {
    weight: real(numbers, [channels]),
    bias: real(numbers, [channels]),
    runningMean: real(numbers, [channels]),
    runningVariance: positive(numbers, [channels]),
    batchMean: real(numbers, [channels]),
    batchInverseDeviation: positive(numbers, [channels]),
  };
}

function batchNormCases(kind: 'batchNorm' | 'batchNormAgain' | 'batchNormGradient'): Case[] {
  const rowCounts = [2, 7, 64, 65, 1001, 5000];
  return rowCounts.flatMap((rows) =>
    channelCounts.flatMap((channels) => {
      if (rows === 5000 && channels !== 33) return [];
      const numbers = new SeededNumbers(rows + channels);
      const shape = [rows, channels];
      const common = { rows, channels, input: real(numbers, shape), tensors: batchNormTensors(numbers, channels) };
      const outputGradient = real(numbers, shape);
      const call = {
        batchNorm: {
          ...common,
          epsilon: 1e-5,
          momentum: 0.1,
          // Without an output only the statistics are measured.
          ...(channels !== 32 && { output: result(shape) }),
        },
        batchNormAgain: { ...common, epsilon: 1e-5, output: channels === 32 ? common.input : result(shape) },
        batchNormGradient: {
          ...common,
          outputGradient,
          inputGradient: channels === 32 ? outputGradient : result(shape),
          weightGradient: real(numbers, [channels]),
          biasGradient: real(numbers, [channels]),
        },
      }[kind];
      return [{ title: `${rows} rows, ${channels} channels`, call }];
    }),
  );
}

/** Channels and positions of neurons, as far as a thread's share of them. */
const neuronSizes = [...sizes, { channels: 200, images: 40 }];

function neuronCases(): Case[] {
  const constants = [
    { tau: 2, threshold: 1 },
    { tau: 1.5, threshold: 0.5 },
    { tau: 4, threshold: 0.3 },
  ];
  return neuronSizes.flatMap(({ channels, images: positions }) =>
    [1, 4].flatMap((timeSteps) =>
      constants.map((constant, index) => {
        const numbers = new SeededNumbers(channels + positions + timeSteps + index);
        const inputTimeSteps = index === 1 ? 1 : timeSteps;
        const normalised = timeSteps === 1 && index === 2;
        const { weight, bias, batchMean, batchInverseDeviation } = batchNormTensors(numbers, channels);
        return {
          title: titled({ channels, positions, timeSteps, ...constant }),
          call: {
            timeSteps,
            inputTimeSteps,
            positions,
            channels,
            ...constant,
            input: real(numbers, [inputTimeSteps, positions, channels], 3),
            ...(index === 0 && positions > 1 && { membrane: real(numbers, [positions, channels]) }),
            ...(normalised && { normalisation: { weight, bias, batchMean, batchInverseDeviation } }),
            output: result([timeSteps, positions, channels], 'spikes'),
          },
        };
      }),
    ),
  );
}

function neuronGradientCases(): Case[] {
  const surrogates = (['sigmoid', 'arctangent', 'rectangular'] as const).map((kind, index) => ({
    kind,
    alpha: [4, 2, 1][index]!,
  }));
  return neuronSizes.flatMap(({ channels, images: positions }) =>
    [1, 4].flatMap((timeSteps) =>
      surrogates.map((surrogate, index) => {
        const numbers = new SeededNumbers(channels + positions + timeSteps + index);
        const shape = [timeSteps, positions, channels];
        const accumulate = index === 1;
        const { weight, bias, batchMean, batchInverseDeviation } = batchNormTensors(numbers, channels);
        return {
          title: titled({ channels, positions, timeSteps, surrogate: surrogate.kind }),
          call: {
            timeSteps,
            positions,
            channels,
            tau: index === 0 ? 2 : 1.5,
            threshold: 0.5,
            surrogate,
            detachReset: index !== 2,
            accumulate,
            input: real(numbers, shape, 3),
            ...(timeSteps === 1 &&
              index === 0 && { normalisation: { weight, bias, batchMean, batchInverseDeviation } }),
            outputGradient: real(numbers, shape),
            inputGradient: accumulate ? real(numbers, shape) : result(shape),
          },
        };
      }),
    ),
  );
}

function withoutNormalisation(cases: readonly Case[]): Case[] {
  return cases.map(({ title, call: { normalisation: _normalisation, tau: _tau, ...call } }) => ({ title, call }));
}

function padCases(hasStatistics: boolean): Case[] {
  return sizes.map(({ channels, images }, index) => {
    const numbers = new SeededNumbers(index);
    const [height, width, padding] = [1 + (index % 3), 1 + (index % 4), index % 3];
    const { weight, bias, runningMean, runningVariance } = batchNormTensors(numbers, channels);
    return {
      title: titled({ channels, images, height, width, padding }),
      call: {
        images,
        inputHeight: height,
        inputWidth: width,
        channels,
        padding,
        input: real(numbers, [images, height, width, channels]),
        ...(hasStatistics
          ? { tensors: { weight, bias, runningMean, runningVariance }, epsilon: 1e-5 }
          : { values: numbers.reals(channels) }),
        output: result([images, height + 2 * padding, width + 2 * padding, channels]),
      },
    };
  });
}

function scaleShiftCases(): Case[] {
  return sizes.map(({ channels, images: rows }, index) => {
    const numbers = new SeededNumbers(index);
    const input = real(numbers, [rows, channels]);
    const [scale, shift] = [numbers.reals(channels), numbers.reals(channels)];
    const output = index % 3 === 0 ? input : result([rows, channels]);
    return { title: titled({ channels, rows }), call: { rows, channels, input, output, scale, shift } };
  });
}

function addCases(): Case[] {
  return sizes.flatMap(({ channels, images: times }, index) => {
    const numbers = new SeededNumbers(index);
    const [whole, part] = [real(numbers, [times, channels]), real(numbers, [channels])];
    const other = real(numbers, [times, channels]);
    return [
      { title: titled({ channels, times }), call: { a: whole, b: other, output: result([times, channels]) } },
      {
        title: `${titled({ channels, times })}, broadcast`,
        call: { a: part, b: other, output: result([times, channels]) },
      },
      { title: `${titled({ channels, times })}, in place`, call: { a: whole, b: part, output: whole } },
    ];
  });
}

function elementCases(make: (numbers: SeededNumbers, length: number) => CallSpec): Case[] {
  return [...channelCounts, 1001, 40_000].map((length) => ({
    title: `${length} elements`,
    call: make(new SeededNumbers(length), length),
  }));
}

function repeatCases(): Case[] {
  return sizes.flatMap(({ channels, images: times }, index) =>
    (['real', 'spikes'] as const).map((storage) => ({
      title: titled({ channels, times, storage }),
      call: {
        times,
        input: activation(new SeededNumbers(index), storage, [3, channels]),
        output: result([times, 3, channels], storage),
      },
    })),
  );
}

const classes = (numbers: SeededNumbers, length: number, most: number) =>
  Array.from({ length }, () => numbers.whole(0, most));

function countSpikesCases(): Case[] {
  return sizes.map(({ channels, images }, index) => {
    const numbers = new SeededNumbers(index);
    const timeSteps = 1 + (index % 3);
    const [rowClasses, columnClasses] = [classes(numbers, 1 + (index % 6), 2), classes(numbers, 7, 3)];
    const count = timeSteps * (Math.max(...rowClasses) + 1) * (Math.max(...columnClasses) + 1);
    const input = spikes(numbers, [timeSteps * images, rowClasses.length, columnClasses.length, channels]);
    const counters = new CountersSpec(count);
    return {
      title: titled({ channels, images, timeSteps }),
      call: { timeSteps, images, channels, input, rowClasses, columnClasses, counters },
    };
  });
}

function weighSpikesCases(): Case[] {
  return sizes.map(({ channels, images }, index) => {
    const numbers = new SeededNumbers(index);
    const classOf = classes(numbers, 1 + 4 * (index % 3), 2);
    const weights = Uint32Array.from({ length: (Math.max(...classOf) + 1) * channels }, () => numbers.whole(0, 9));
    const input = spikes(numbers, [images, classOf.length, channels]);
    return {
      title: titled({ channels, images }),
      call: { images, channels, input, classes: classOf, weights, counters: new CountersSpec(1) },
    };
  });
}

const headsOf = (channels: number) => [5, 3, 2, 31].find((heads) => channels % heads === 0) ?? 1;

function countCoincidencesCases(): Case[] {
  return sizes.map(({ channels, images: timeSteps }, index) => {
    const numbers = new SeededNumbers(index);
    const tokens = 1 + 6 * (index % 3);
    const shape = [timeSteps, tokens, channels];
    const pair = { one: spikes(numbers, shape), other: spikes(numbers, shape) };
    return {
      title: titled({ channels, tokens, timeSteps }),
      call: { timeSteps, tokens, channels, heads: headsOf(channels), ...pair, counters: new CountersSpec(timeSteps) },
    };
  });
}

function reachCases(): Case[] {
  return layers
    .filter(
      ({ geometry: g, storage }) =>
        storage === 'spikes' && g.groups === g.inputChannels && g.outputChannels === g.groups,
    )
    .map(({ title, geometry: g }, index) => {
      const numbers = new SeededNumbers(index);
      const words = spikeWords(g.inputChannels);
      const used = g.inputChannels % 32 === 0 ? 0xffffffff : 2 ** (g.inputChannels % 32) - 1;
      const masks = Uint32Array.from(
        { length: g.kernelHeight * g.kernelWidth * words },
        (_, word) => (numbers.whole(0, 0xffff) * 0x10001) & (word % words === words - 1 ? used : 0xffffffff),
      );
      const input = spikes(numbers, inputShape(g), 0.1);
      return { title, call: { geometry: g, input, output: result(outputShape(g), 'spikes'), masks } };
    });
}

const written: Readonly<Record<string, () => Case[]>> = {
  sumOfSquares: sumOfSquaresCases,
  adamW: adamWCases,
  crossEntropy: crossEntropyCases,
  convolution: convolutionCases,
  trainableConvolution: () =>
    ofLayers((layer, numbers, index) => trainableConvolutionCase(layer, numbers, index % 2 === 0)),
  convolutionInputGradient: () =>
    ofLayers(({ geometry: g }, numbers, index) => ({
      weight: real(numbers, weightShape(g)),
      outputGradient: real(numbers, outputShape(g)),
      accumulate: index % 2 === 0,
      inputGradient: index % 2 === 0 ? real(numbers, inputShape(g)) : result(inputShape(g)),
    })),
  convolutionWeightGradient: () =>
    ofLayers(({ geometry: g, storage }, numbers, index) => ({
      input: activation(numbers, storage, inputShape(g)),
      outputGradient: real(numbers, outputShape(g)),
      weightGradient: real(numbers, weightShape(g)),
      ...(index % 2 === 0 && { biasGradient: real(numbers, [g.outputChannels]) }),
    })),
  scaleShift: scaleShiftCases,
  pad: () => padCases(false),
  padWithStatistics: () => padCases(true),
  leakyIntegrateAndFire: neuronCases,
  leakyIntegrateAndFireGradient: neuronGradientCases,
  // The same without a time constant; what stands behind a normalisation is no case of theirs.
  integrateAndFire: () => withoutNormalisation(neuronCases()),
  integrateAndFireGradient: () => withoutNormalisation(neuronGradientCases()),
  add: addCases,
  addConstant: () =>
    elementCases((numbers, length) => ({ tensor: real(numbers, [length]), value: real(numbers, [1]) })),
  zero: () => elementCases((_numbers, length) => ({ tensor: result([length]) })),
  repeat: repeatCases,
  batchNorm: () => batchNormCases('batchNorm'),
  batchNormAgain: () => batchNormCases('batchNormAgain'),
  batchNormGradient: () => batchNormCases('batchNormGradient'),
  countSpikes: countSpikesCases,
  weighSpikes: weighSpikesCases,
  countCoincidences: countCoincidencesCases,
  reach: reachCases,
  ...descriptorCases,
  ...mapCases,
};

/** Settings, and sizes that depend on others. */
const completions: Readonly<Record<string, Completion>> = {
  spikeAttention: ({ channels }) => ({ heads: headsOf(channels!), scale: 0.125 }),
  spikeAttentionGradient: ({ channels }) => ({ heads: headsOf(channels!), scale: 0.125 }),
  attentionProduct: ({ channels }) => ({ heads: headsOf(channels!), scale: 0.125 }),
  attentionProductGradient: ({ channels }) => ({ heads: headsOf(channels!), scale: 0.125 }),
  reluGradient: ({ elements }) => ({ accumulate: elements === 15 }),
  crop: ({ channels }) => ({ padding: channels! % 3 }),
};

/** By name. Their calls are described here, so that their types are of no use. */
export const kernels = calls as unknown as Readonly<Record<string, KernelCall<NamedCall>>>;

/** The cases of a kernel. @throws when there are none and none can be made of its declaration. */
export function casesOf(kernel: string): readonly Case[] {
  const own = written[kernel];
  if (own) return own();
  const { declaration } = kernels[kernel]!;
  const complete = completions[kernel];
  if (!declaration || (!complete && Object.keys(declaration.settings).length > 0))
    throw new Error(`test/engines/contract/cases.ts has no case of ${kernel}: give it some`);
  return declaredCases(declaration, complete);
}

/** A long one where it can be made of the declaration, else the longest of the cases. */
export function timedCase(kernel: string): Case {
  const [{ declaration }, map] = [kernels[kernel]!, timedMap(kernel)];
  if (map) return map;
  if (declaration && !written[kernel]) return largeDeclaredCase(declaration, completions[kernel]);
  return casesOf(kernel).reduce((longest, one) => (sizeOf(one.call) > sizeOf(longest.call) ? one : longest));
}

function sizeOf(part: unknown): number {
  if (part instanceof TensorSpec) return part.shape.reduce((product, size) => product * size, 1);
  if (typeof part !== 'object' || part === null) return 0;
  return Object.values(part).reduce((sum: number, inner) => sum + sizeOf(inner), 0);
}
