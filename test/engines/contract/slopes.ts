/** Which gradients are the slopes of which forward calls, with calls of both that fit each other. */
import { elementCount } from '../../../src/graph/shape.js';
import { SeededNumbers } from '../support.js';
import { casesOf, kernels, trainableConvolutionCase } from './cases.js';
import { layers } from './geometries.js';
import { type CallSpec, real, result, TensorSpec } from './specs.js';

export interface Slope {
  readonly title: string;
  readonly forward: { readonly kernel: string; readonly call: CallSpec; readonly output: TensorSpec };
  /** What arrives at the output. */
  readonly outputGradient: TensorSpec;
  readonly gradients: readonly { readonly kernel: string; readonly call: CallSpec }[];
  /** An input of the forward call, and where its gradient is written. */
  readonly inputs: readonly { readonly role: string; readonly input: TensorSpec; readonly gradient: TensorSpec }[];
  /** What a real input is moved by. Products are straight lines, along which any distance will do. */
  readonly step: number;
  readonly tolerance: number;
}

/** A gradient that is no slope of what it is the gradient of, and why. */
export const noSlopes: Readonly<Record<string, string>> = {
  leakyIntegrateAndFireGradient:
    'a step has no slope; the gradient is that of a stand-in, compared with spikingjelly in trainingKernels.test.ts',
  integrateAndFireGradient: 'the same, in neurons.test.ts',
};

/** Of a tensor: what is moved is one element of it, and all of it is computed each time. */
const mostElements = 2500;

const zeros = (shape: readonly number[]) =>
  new TensorSpec('real', shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));

const straight = { step: 0.5, tolerance: 1e-4 };

/** What is no straight line in each of its inputs has to be looked at closely. */
const bends: Readonly<Record<string, { readonly step: number; readonly tolerance: number }>> = {
  relu: { step: 2 ** -10, tolerance: 1e-3 },
  // The numbers of its cases are further apart.
  maxPool: { step: 2 ** -12, tolerance: 1e-3 },
  unitRows: { step: 2 ** -8, tolerance: 1e-3 },
  temperature: { step: 2 ** -6, tolerance: 1e-3 },
};

/** Pairs of declared calls: `δrole` of the gradient is written to `roleGradient`. */
function declaredSlopes(gradient: string): Slope[] {
  const forward = gradient.replace(/Gradient$/, '');
  const declaration = kernels[forward]?.declaration;
  const gradientDeclaration = kernels[gradient]?.declaration;
  if (!declaration || !gradientDeclaration) return [];
  const tensors = (call: CallSpec) => Object.values(call).filter((part) => part instanceof TensorSpec);
  const cases = casesOf(forward).filter(
    ({ call }) =>
      // An output in place of an input has no slope of its own to tell.
      (call.output as TensorSpec).values === undefined &&
      tensors(call).every(({ shape }) => elementCount(shape) < mostElements),
  );
  return cases.map(({ title, call }, index) => {
    const output = call.output as TensorSpec;
    const outputGradient = real(new SeededNumbers(index), output.shape);
    const roles = Object.keys(gradientDeclaration.tensors).filter((role) => role.endsWith('Gradient'));
    const targets = Object.fromEntries(
      roles.filter((role) => role !== 'outputGradient').map((role) => [role, role.replace(/Gradient$/, '')]),
    );
    const written = Object.entries(targets).map(([role, of]) => {
      const { shape } = call[of] as TensorSpec;
      // What is added to begins with nothing.
      return [role, gradientDeclaration.tensors[role]?.access === 'update' ? zeros(shape) : result(shape)] as const;
    });
    return {
      title,
      forward: { kernel: forward, call, output },
      outputGradient,
      gradients: [{ kernel: gradient, call: { ...call, outputGradient, ...Object.fromEntries(written) } }],
      inputs: written.map(([role, spec]) => ({
        role: targets[role]!,
        input: call[targets[role]!] as TensorSpec,
        gradient: spec,
      })),
      ...(bends[forward] ?? straight),
    };
  });
}

function convolutionSlopes(kernel: string): Slope[] {
  return layers
    .filter(({ geometry: g }) => g.images * g.inputHeight * g.inputWidth * g.outputChannels < 5000)
    .map((layer, index) => {
      const { geometry } = layer;
      const numbers = new SeededNumbers(index);
      const call = { geometry, ...trainableConvolutionCase(layer, numbers, true) };
      const { input, weight, output } = call;
      const bias = call.bias as TensorSpec;
      const outputGradient = real(numbers, output.shape);
      const [inputGradient, weightGradient, biasGradient] = [
        result(input.shape),
        zeros(weight.shape),
        zeros(bias.shape),
      ];
      const parameters = { geometry, input, outputGradient, weightGradient, biasGradient };
      return {
        title: layer.title,
        forward: { kernel: 'trainableConvolution', call, output },
        outputGradient,
        ...(kernel === 'convolutionInputGradient'
          ? {
              gradients: [{ kernel, call: { geometry, weight, outputGradient, inputGradient, accumulate: false } }],
              inputs: [{ role: 'input', input, gradient: inputGradient }],
            }
          : {
              gradients: [{ kernel, call: parameters }],
              inputs: [
                { role: 'weight', input: weight, gradient: weightGradient },
                { role: 'bias', input: bias, gradient: biasGradient },
              ],
            }),
        step: 0.5,
        tolerance: 1e-4,
      };
    });
}

function batchNormSlopes(): Slope[] {
  const epsilon = 1e-5;
  return [
    [5, 3],
    [7, 1],
    [16, 33],
    [65, 5],
  ].map(([rows, channels], index) => {
    const numbers = new SeededNumbers(index);
    const input = real(numbers, [rows!, channels!]);
    const [weight, bias] = [real(numbers, [channels!]), real(numbers, [channels!])];
    const columns = Array.from({ length: channels! }, (_, channel) =>
      Array.from({ length: rows! }, (_row, row) => input.values![row * channels! + channel]!),
    );
    const means = columns.map((column) => column.reduce((sum, value) => sum + value, 0) / rows!);
    const deviations = columns.map((column, channel) =>
      Math.sqrt(column.reduce((sum, value) => sum + (value - means[channel]!) ** 2, 0) / rows! + epsilon),
    );
    const perChannel = (values: readonly number[]) => new TensorSpec('real', [channels!], Float32Array.from(values));
    const running = { runningMean: zeros([channels!]), runningVariance: zeros([channels!]) };
    const statistics = {
      batchMean: perChannel(means),
      batchInverseDeviation: perChannel(deviations.map((value) => 1 / value)),
    };
    const output = result([rows!, channels!]);
    const outputGradient = real(numbers, output.shape);
    const [inputGradient, weightGradient, biasGradient] = [result(input.shape), zeros([channels!]), zeros([channels!])];
    const common = { rows, channels, input, epsilon };
    const tensors = {
      weight,
      bias,
      ...running,
      batchMean: result([channels!]),
      batchInverseDeviation: result([channels!]),
    };
    return {
      title: `${rows} rows, ${channels} channels`,
      forward: { kernel: 'batchNorm', call: { ...common, momentum: 0.1, tensors, output }, output },
      outputGradient,
      gradients: [
        {
          kernel: 'batchNormGradient',
          call: {
            ...common,
            tensors: { weight, bias, ...running, ...statistics },
            outputGradient,
            inputGradient,
            weightGradient,
            biasGradient,
          },
        },
      ],
      inputs: [
        { role: 'input', input, gradient: inputGradient },
        { role: 'weight', input: weight, gradient: weightGradient },
        { role: 'bias', input: bias, gradient: biasGradient },
      ],
      step: 2 ** -7,
      tolerance: 2e-3,
    };
  });
}

/** By the gradient's kernel. */
export function slopesOf(gradient: string): readonly Slope[] {
  if (gradient.startsWith('convolution')) return convolutionSlopes(gradient);
  if (gradient === 'batchNormGradient') return batchNormSlopes();
  return declaredSlopes(gradient);
}
