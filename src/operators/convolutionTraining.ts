/** How layers that are convolutions train: the same three products for `conv2d` and `linear`, under different geometries. */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import type { Attributes } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { TrainingRules } from './operator.js';

export function convolutionTraining<A extends Attributes & { readonly bias: boolean }>(
  geometryOf: (attributes: A, input: Shape) => ConvolutionGeometry,
): TrainingRules<A> {
  return {
    needsInputs: [0],
    accumulates: true,
    forward: (kernels, call) => {
      kernels.convolution({
        name: call.node.name,
        geometry: geometryOf(call.attributes, call.inputs[0]!.shape),
        input: call.inputs[0]!,
        output: call.output,
        weight: call.parameter('weight'),
        ...(call.attributes.bias ? { bias: call.parameter('bias') } : {}),
      });
    },
    backward: (kernels, call) => {
      const { name } = call.node;
      const { outputGradient } = call;
      const input = call.inputs[0]!;
      const geometry = geometryOf(call.attributes, input.shape);
      kernels.convolutionWeightGradient({
        name,
        geometry,
        input,
        outputGradient,
        weightGradient: call.parameterGradient('weight'),
        ...(call.attributes.bias ? { biasGradient: call.parameterGradient('bias') } : {}),
      });
      const target = call.inputGradients[0];
      if (!target) return;
      const { tensor: inputGradient, accumulate } = target;
      const weight = call.parameter('weight');
      kernels.convolutionInputGradient({ name, geometry, weight, outputGradient, inputGradient, accumulate });
    },
  };
}
