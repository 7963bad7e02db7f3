/**
 * Maps as tokens and back. With channels last both are the same memory, so nothing runs; the shapes differ because the authors'
 * modules do (`fc1_lif` sees `[T, B, C, N]`, `q_lif` sees `[T, B, C, H, W]`).
 */
import type { GraphBuilder } from '../graph/graph.js';
import { noCost, type Operator, passingGradient, shapeError } from './operator.js';

export const mapToTokensOperator: Operator = {
  name: 'mapToTokens',
  isView: true,
  toOnnx: (_builder, { inputs }) => inputs[0]!,
  infer: (node, inputs) => {
    const input = inputs[0]!;
    if (input.length !== 5) throw shapeError(node, inputs, 'feature maps [T, B, H, W, C]');
    return [input[0]!, input[1]!, input[2]! * input[3]!, input[4]!];
  },
  kind: (inputs) => inputs[0]!,
  parameters: () => [],
  forward: () => {},
  cost: () => noCost,
  training: passingGradient([0]),
};

/** The second input lends only its height and width: graphs do not know the image size. */
export const tokensToMapOperator: Operator = {
  name: 'tokensToMap',
  isView: true,
  viewedBackBy: 'mapToTokens',
  lendShape: [1],
  toOnnx: (_builder, { inputs }) => inputs[0]!,
  infer: (node, inputs) => {
    const [tokens, like] = inputs;
    if (tokens?.length !== 4 || like?.length !== 5 || tokens[2] !== like[2]! * like[3]!) {
      throw shapeError(node, inputs, 'tokens [T, B, H·W, C] and a map [T, B, H, W, C] that lends its height and width');
    }
    return [tokens[0]!, tokens[1]!, like[2]!, like[3]!, tokens[3]!];
  },
  kind: (inputs) => inputs[0]!,
  parameters: () => [],
  forward: () => {},
  cost: () => noCost,
  training: passingGradient([0]),
};

export function mapToTokens(graph: GraphBuilder, name: string, input: string): string {
  return graph.add({ name, operator: 'mapToTokens', inputs: [input] });
}

export function tokensToMap(graph: GraphBuilder, name: string, tokens: string, like: string): string {
  return graph.add({ name, operator: 'tokensToMap', inputs: [tokens, like] });
}
