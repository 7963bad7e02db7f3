/**
 * A row of several groups as samples of their own, `[T, B, 1, M·V, C] → [T, B·M, 1, V, C]`, and values of groups as a row again, `[T, B·M, C] → [T, B, 1, M, C]`: bodies of a
 * skeleton sequence are looked at one by one and answered for together. With channels last both are the same memory, so nothing runs.
 */
import type { Attributes, GraphBuilder } from '../graph/graph.js';
import { noCost, type Operator, passingGradient, shapeError } from './operator.js';

export interface SplitRowAttributes extends Attributes {
  /** M. */
  readonly groups: number;
}

export const splitRowOperator: Operator<SplitRowAttributes> = {
  name: 'splitRow',
  isView: true,
  infer: (node, inputs) => {
    const [timeSteps, batch, height, width, channels] = inputs[0]! as [number, number, number, number, number];
    const { groups } = node.attributes;
    if (inputs[0]!.length !== 5 || height !== 1 || width % groups !== 0)
      throw shapeError(node, inputs, `a row [T, B, 1, M·V, C] of M = ${groups} groups`);
    return [timeSteps, batch * groups, 1, width / groups, channels];
  },
  kind: (inputs) => inputs[0]!,
  parameters: () => [],
  forward: () => {},
  cost: () => noCost,
  training: passingGradient([0]),
};

export const joinRowOperator: Operator<SplitRowAttributes> = {
  name: 'joinRow',
  isView: true,
  infer: (node, inputs) => {
    const [timeSteps, batch, channels] = inputs[0]! as [number, number, number];
    const { groups } = node.attributes;
    if (inputs[0]!.length !== 3 || batch % groups !== 0)
      throw shapeError(node, inputs, `values [T, B·M, C] of M = ${groups} groups`);
    return [timeSteps, batch / groups, 1, groups, channels];
  },
  kind: (inputs) => inputs[0]!,
  parameters: () => [],
  forward: () => {},
  cost: () => noCost,
  training: passingGradient([0]),
};

export function splitRow(graph: GraphBuilder, name: string, input: string, groups: number): string {
  const attributes: SplitRowAttributes = { groups };
  return graph.add({ name, operator: 'splitRow', attributes, inputs: [input] });
}

export function joinRow(graph: GraphBuilder, name: string, input: string, groups: number): string {
  const attributes: SplitRowAttributes = { groups };
  return graph.add({ name, operator: 'joinRow', attributes, inputs: [input] });
}
