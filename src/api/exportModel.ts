/** A model's weights as files for others: safetensors with all that it says of itself, PyTorch's format, ONNX. Platform-neutral. */
import { describedBy, type ModelDescription } from '../interop/modelDescription.js';
import { exportOnnx, type OnnxOptions } from '../interop/onnx/exportOnnx.js';
import type { TensorData } from '../interop/tensorData.js';
import { parametersOf } from '../operators/registry.js';
import { checkOptionNames } from '../optionNames.js';
import type { Model } from './model.js';

/** What a file says of the model beside its weights. */
export function descriptionOf(model: Model): ModelDescription {
  const { architecture, configuration, task, modality, input, provenance, hasLabels, labels } = model;
  const { preprocessing, reading } = input;
  return {
    architecture,
    configuration,
    task,
    modality,
    preprocessing,
    ...(Object.keys(reading).length > 0 ? { reading } : {}),
    ...(hasLabels ? { labels } : {}),
    description: provenance.description,
    trainedTimeSteps: provenance.trainedTimeSteps ?? null,
  };
}

/** Every entry of the authors' `state_dict`, in its order; counters of batch norms, which inference never reads, are 0. */
export function stateOf(model: Model): ReadonlyMap<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  for (const { name, shape, role } of parametersOf(model.graph)) {
    tensors.set(
      name,
      role === 'batchCount'
        ? { dtype: 'int64', shape: [], data: new BigInt64Array(1) }
        : { dtype: 'float32', shape, data: model.parameters.get(name)! },
    );
  }
  return tensors;
}

/**
 * The model as an ONNX file, in parts that refer to its weights: `new Blob(parts)`, or `Buffer.concat(parts)` for
 * `InferenceSession.create`.
 *
 * @param options The image size is the model's unless given; see `OnnxOptions`.
 * @throws UsageError for options that exclude each other; GraphError when the image size does not fit the network; CheckpointError for
 *   more than 2 GiB.
 */
export function onnxParts(model: Model, options: Partial<OnnxOptions> = {}): readonly Uint8Array[] {
  checkOptionNames<OnnxOptions>('ONNX', options as OnnxOptions, {
    imageSize: true,
    batch: true,
    input: true,
    step: true,
    fold: true,
    repConv: true,
    spikes: true,
    graph: true,
  });
  const { size, frames } = model.input;
  const settings = {
    imageSize: size,
    ...(frames === undefined || options.step ? {} : { input: 'frames' as const }),
    ...options,
  };
  return exportOnnx(model, settings, describedBy(descriptionOf(model))).parts;
}
