/** The network of a race, written once for all contestants: in our format, and as ONNX with the same weights. */
import { join } from 'node:path';
import { descriptionOf, stateOf } from '../../api/exportModel.js';
import { Model } from '../../api/model.js';
import { imagenetPreprocessing } from '../../data/preprocess.js';
import type { Graph, Parameters } from '../../graph/graph.js';
import { loadModel, writeOnnx, writeSafetensors } from '../../index.js';
import { describedBy } from '../../interop/modelDescription.js';
import { initialiseParameters } from '../../models/initialise.js';
import { describeNetwork, graphOf, publishedNetwork } from '../../models/registry.js';
import { calibrateFiringRates } from '../../runtime/calibrate.js';
import { createEngine } from '../../runtime/engines.js';
import { inputOf, type TaskTuning } from './messages.js';

/** What is raced. */
export interface Entry {
  readonly model: string;
  readonly timeSteps: number;
  readonly batch: number;
  /** Wanted, in per cent; null: the weights are trained ones and fire as they do. */
  readonly rate: number | null;
}

const tuneRounds = 3;

/** The same network for all: our file, and the ONNX file of the same weights for the same batch. */
export async function writeNetwork(entry: Entry, folder: string, threads: number) {
  const model =
    entry.rate === null ? await loadModel({ model: entry.model }, { threads }) : await calibrated(entry, threads);
  const checkpoint = join(folder, 'network.safetensors');
  const onnx = join(folder, 'network.onnx');
  await writeSafetensors(checkpoint, stateOf(model), describedBy(descriptionOf(model)));
  await writeOnnx(onnx, model, { batch: entry.batch });
  const shape = [entry.batch, model.configuration.inputChannels, ...model.preprocessing.crop];
  await model.dispose();
  return { checkpoint, onnx, shape };
}

export interface TunedOptions {
  readonly threads: number;
  readonly precision: 'f32' | 'i16';
}

/** This input's firing rates alone: for where no RepConv would be merged. In an engine that ends here, so that no contestant's memory counts it. */
export async function withRates(
  checkpoint: string,
  shape: readonly number[],
  options: TunedOptions,
): Promise<TaskTuning> {
  const model = await loadModel({ checkpoint }, options);
  try {
    const { firingRates } = await model.run({ shape, data: inputOf(shape) }, { record: { firingRates: true } });
    return { forms: [], firingRates: [...firingRates!] };
  } finally {
    await model.dispose();
  }
}

/** This input's firing rates and the forms of our RepConvs for them, as `spikeformer tune` finds them; in an engine that ends here, too. */
export async function tuned(checkpoint: string, shape: readonly number[], options: TunedOptions): Promise<TaskTuning> {
  const model = await loadModel({ checkpoint }, { threads: 1 });
  const engine = await createEngine(options);
  try {
    const inputs = [{ shape, data: inputOf(shape) }];
    const { repConvs, firingRates } = await model.tune(inputs, engine, { rounds: tuneRounds });
    return { forms: repConvs.map(({ layer, form }) => [layer, form] as const), firingRates: [...firingRates] };
  } finally {
    await engine.dispose();
    await model.dispose();
  }
}

async function calibrated({ model, timeSteps, rate }: Entry, threads: number): Promise<Model> {
  const published = publishedNetwork(model);
  const network = describeNetwork(published.architecture, { ...published.configuration, timeSteps });
  const graph = graphOf(network);
  const [height, width] = published.inputSize;
  const engine = await createEngine({ threads });
  const source = { graph, parameters: initialParameters(model, graph) };
  const input = channelsLast(inputOf([1, graph.inputChannels, height, width]), height, width);
  const parameters = await calibrateFiringRates(engine, source, input, rate! / 100).finally(() => engine.dispose());
  return new Model({
    ...network,
    parameters,
    engine: await createEngine({ threads: 1 }),
    provenance: { name: model, randomWeights: true, description: `random weights at a firing rate of ${rate} %` },
    preprocessing: imagenetPreprocessing,
  });
}

/** Of the model drawn last: cases of one model follow each other, and drawing takes longer than a race's turn. */
let drawn: { readonly model: string; readonly parameters: Parameters } | undefined;

function initialParameters(model: string, graph: Graph): Parameters {
  if (drawn?.model !== model) drawn = { model, parameters: initialiseParameters(graph, 1) };
  return drawn.parameters;
}

/** One image; the contestants take channels first. */
function channelsLast(image: Float32Array, height: number, width: number) {
  const channels = image.length / (height * width);
  const pixel = (at: number) => Math.floor(at / channels) + (at % channels) * height * width;
  return { shape: [1, height, width, channels], data: image.map((_, at) => image[pixel(at)]!) };
}
