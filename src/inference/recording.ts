/** What is kept of a run beside its outputs: which values of the network that needs, and how they are read back afterwards. */
import type { Graph, Node } from '../graph/graph.js';
import { operatorOf } from '../operators/registry.js';
import type { Executable } from '../runtime/compile.js';
import { countSpikes, realToChannelsFirst, spikesToBits } from '../runtime/layout.js';
import { spikeValues } from '../runtime/spikeValues.js';
import { neuronNode } from './checks.js';
import { byLayer, measuredCalls } from './measuring.js';
import type {
  FieldTensor,
  FrameRecordOptions,
  NeuronInput,
  PackedSpikes,
  Recorded,
  RecordOptions,
  SpikeRecord,
} from './types.js';

/** Spikes, and what is told from them. */
export function wantsSpikes({ spikes, firingRates, spikeWords }: FrameRecordOptions): boolean {
  return Boolean(spikes || firingRates || spikeWords);
}

/**
 * The values that a recording has to keep.
 *
 * @param graph Of the network as it runs.
 * @throws UsageError for a neuron layer that there is not.
 */
export function valuesToKeep(graph: Graph, record: RecordOptions): readonly string[] {
  return [
    ...(wantsSpikes(record) ? spikeValues(graph) : []),
    ...(record.activations ? graph.stages.values() : []),
    ...(record.inputCurrents ?? []).map((layer) => neuronNode(graph, layer).inputs[0]!),
  ];
}

/**
 * What was asked for, read back after a run.
 *
 * @param executable One that keeps `valuesToKeep`.
 * @param timeSteps T of what is given out; values that are the same at every step are written out T times.
 */
export async function readRecorded(
  executable: Executable,
  record: RecordOptions,
  timeSteps: number,
): Promise<Recorded> {
  const { inputCurrents, activations, timings } = record;
  const spikes = await readSpikes(executable, record);
  const calls = timings ? await measuredCalls(executable.program) : undefined;
  const currents = inputCurrents && (await readCurrents(executable, inputCurrents, timeSteps));
  const stages = activations && (await readStages(executable, timeSteps));
  return {
    ...spikes,
    ...(currents ? { inputCurrents: currents } : {}),
    ...(stages ? { activations: stages } : {}),
    ...(calls ? { layerMilliseconds: byLayer(calls) } : {}),
  };
}

async function readSpikes(
  { graph, program, shapes, tensor }: Executable,
  record: RecordOptions,
): Promise<Pick<Recorded, 'spikes' | 'spikeWords' | 'firingRates'>> {
  const spikes = new Map<string, SpikeRecord>();
  const firingRates = new Map<string, number>();
  const spikeWords = new Map<string, PackedSpikes>();
  for (const value of wantsSpikes(record) ? spikeValues(graph) : []) {
    const shape = shapes.get(value)!;
    const words = await program.readSpikes(tensor(value));
    if (record.spikeWords) spikeWords.set(value, { shape, words });
    if (record.spikes) spikes.set(value, spikesToBits(words, shape));
    firingRates.set(value, countSpikes(words) / shape.reduce((a, b) => a * b, 1));
  }
  return {
    ...(record.spikes ? { spikes } : {}),
    ...(record.spikeWords ? { spikeWords } : {}),
    ...(record.firingRates ? { firingRates } : {}),
  };
}

async function readCurrents(
  executable: Executable,
  layers: readonly string[],
  timeSteps: number,
): Promise<ReadonlyMap<string, NeuronInput>> {
  const currents = new Map<string, NeuronInput>();
  for (const layer of layers) {
    const node = neuronNode(executable.graph, layer);
    const input = await readValue(executable, node.inputs[0]!, timeSteps);
    currents.set(layer, { ...input, ...constantsOf(node) });
  }
  return currents;
}

/** What a trace of the membrane needs to know beside the input. */
function constantsOf(node: Node): Pick<NeuronInput, 'tau' | 'threshold' | 'neuron'> {
  return { ...operatorOf(node).neuron!.constants(node.attributes), neuron: node.operator };
}

async function readStages(executable: Executable, timeSteps: number): Promise<ReadonlyMap<string, FieldTensor>> {
  const stages = new Map<string, FieldTensor>();
  for (const [name, value] of executable.graph.stages) stages.set(name, await readValue(executable, value, timeSteps));
  return stages;
}

async function readValue(executable: Executable, value: string, timeSteps: number): Promise<FieldTensor> {
  const values = await executable.program.read(executable.tensor(value));
  return realToChannelsFirst(values, executable.shapes.get(value)!, timeSteps);
}
