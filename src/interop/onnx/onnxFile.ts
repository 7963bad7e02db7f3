/**
 * ONNX files, written only: nodes, constants, inputs and outputs become a `ModelProto` (onnx.proto, IR version 7, opset 13, which every
 * onnxruntime since 2021 reads). Weights are referred to and not copied. Knows nothing of our networks.
 */
import type { Shape } from '../../graph/shape.js';
import type { OnnxAttribute, OnnxBuilder } from '../../operators/onnxBuilder.js';
import { CheckpointError } from '../errors.js';
import { bytes, type Encoded, float, integer, message, nested, text } from '../protobufWriter.js';

/** Protobuf's limit for a message; onnxruntime reads nothing larger. */
const largestFile = 2 ** 31 - 1;
const irVersion = 7;
const opset = 13;
const elementType = { float: 1, int64: 7 };
const attributeType = { float: 1, int: 2, string: 3, ints: 7 };

/** A size, or the name of an axis that is free. */
export type OnnxAxis = number | string;

export class OnnxFile implements OnnxBuilder {
  readonly #nodes: Encoded[] = [];
  readonly #constants = new Map<string, Encoded>();
  readonly #inputs: Encoded[] = [];
  readonly #outputs: Encoded[] = [];
  readonly #values = new Set<string>();

  node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    outputs = 1,
  ): string[] {
    const results = Array.from({ length: outputs }, (_, index) => (outputs === 1 ? name : `${name}.${index}`));
    for (const result of results) this.#claim(result);
    this.#nodes.push(
      message(
        ...inputs.map((input) => text(1, input)),
        ...results.map((result) => text(2, result)),
        text(3, name),
        text(4, operator),
        ...Object.entries(attributes).map(([key, value]) => nested(5, attribute(key, value))),
      ),
    );
    return results;
  }

  constant(name: string, values: Float32Array | BigInt64Array, shape: Shape): string {
    if (this.#constants.has(name)) return name;
    this.#claim(name);
    const type = values instanceof Float32Array ? elementType.float : elementType.int64;
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#constants.set(
      name,
      message(...shape.map((size) => integer(1, size)), integer(2, type), text(8, name), bytes(9, data)),
    );
    return name;
  }

  input(name: string, axes: readonly OnnxAxis[]): string {
    this.#claim(name);
    this.#inputs.push(valueInfo(name, axes));
    return name;
  }

  /** Names a value that is there as a result. */
  output(name: string, axes: readonly OnnxAxis[]): void {
    if (!this.#values.has(name)) throw new CheckpointError(`ONNX: there is no value ${name} to output`);
    this.#outputs.push(valueInfo(name, axes));
  }

  /** @throws CheckpointError when the weights are more than such a file can hold. */
  encode(graphName: string, metadata: Readonly<Record<string, string>>): Encoded {
    const graph = message(
      ...this.#nodes.map((node) => nested(1, node)),
      text(2, graphName),
      ...[...this.#constants.values()].map((constant) => nested(5, constant)),
      ...this.#inputs.map((input) => nested(11, input)),
      ...this.#outputs.map((output) => nested(12, output)),
    );
    const model = message(
      integer(1, irVersion),
      text(2, 'meta-spikeformer'),
      nested(7, graph),
      nested(8, message(text(1, ''), integer(2, opset))),
      ...Object.entries(metadata).map(([key, value]) => nested(14, message(text(1, key), text(2, value)))),
    );
    if (model.byteLength <= largestFile) return model;
    const found = (model.byteLength / 2 ** 30).toFixed(1);
    throw new CheckpointError(
      `ONNX: the network takes ${found} GiB, and a file holds less than 2; export it as safetensors`,
    );
  }

  #claim(name: string): void {
    if (this.#values.has(name)) throw new CheckpointError(`ONNX: there are two values called ${name}`);
    this.#values.add(name);
  }
}

function attribute(name: string, value: OnnxAttribute): Encoded {
  if (typeof value === 'number') return message(text(1, name), integer(3, value), integer(20, attributeType.int));
  if (typeof value === 'string') return message(text(1, name), text(4, value), integer(20, attributeType.string));
  if ('float' in value) return message(text(1, name), float(2, value.float), integer(20, attributeType.float));
  return message(text(1, name), ...value.map((item) => integer(8, item)), integer(20, attributeType.ints));
}

function valueInfo(name: string, axes: readonly OnnxAxis[]): Encoded {
  const dimensions = axes.map((axis) => nested(1, typeof axis === 'number' ? integer(1, axis) : text(2, axis)));
  const tensor = message(integer(1, elementType.float), nested(2, message(...dimensions)));
  return message(text(1, name), nested(2, nested(1, tensor)));
}
