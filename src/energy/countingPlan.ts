/**
 * Which sums of spikes the account of energy needs, for one network and image size: read off the layers once, used by every recording. Spikes are counted by class of
 * position; what a spike of a class causes in each layer is known beforehand.
 */
import type { ConvolutionGeometry } from '../engines/kernels.js';
import type { Graph, Parameters } from '../graph/graph.js';
import { behindTimeMean, operatorOf, spikeSources, timeStepsOf } from '../operators/registry.js';
import { type CountedLayer, layersOf } from './layers.js';
import { channelsByTap, connectionsByTap, weightsOf } from './neuroBench.js';
import {
  type Classes,
  type ConnectionTable,
  classesOf,
  columnsOf,
  connectionTable,
  rowsOf,
  sumOfTables,
} from './positionClasses.js';
import { windowsAlong } from './synapticOperations.js';

/** The map of a neuron layer, its rows and columns in classes. */
export interface CountedMap {
  readonly rowClasses: readonly number[];
  readonly columnClasses: readonly number[];
  /** What a spike causes in each layer that reads the map, by class (row times column). */
  readonly additions: ReadonlyMap<string, readonly number[]>;
  /** The same in all layers of the network as it is trained together, weights of zero included. */
  readonly trainedAdditions: readonly number[];
}

/** A depthwise convolution on spikes, and how many weights that are not zero the sums of a position meet afterwards. */
export interface ReachedMap {
  readonly geometry: ConvolutionGeometry;
  readonly masks: Uint32Array;
  readonly connections: ConnectionTable;
}

/** All that is counted when a neuron layer has fired, or a gate has let spikes through. */
export interface SourcePlan {
  readonly areNeurons: boolean;
  /** None when nothing but attention reads the layer. */
  readonly maps: readonly CountedMap[];
  /** Weights of zero that its spikes meet in the network as it is trained. */
  readonly missing: readonly ConnectionTable[];
  readonly reached: readonly ReachedMap[];
}

/** What is counted of numbers that are not zero. */
export interface NumbersPlan {
  /** They are activations of neurons. */
  readonly areNeurons: boolean;
  /** Weights that are not zero that a number meets. */
  readonly tables: readonly ConnectionTable[];
  readonly reached: readonly ReachedMap[];
}

export interface CountingPlan {
  readonly size: readonly [number, number];
  readonly timeSteps: number;
  /** By node whose spikes are its own. */
  readonly sources: ReadonlyMap<string, SourcePlan>;
  readonly attentions: readonly CountedLayer[];
  /** By value that holds numbers: the graph's input, and neurons that give out numbers. */
  readonly numbers: ReadonlyMap<string, NumbersPlan>;
  /** Multiplications of the trained network's layers whose inputs are never zero, per image and time step. */
  readonly always: number;
  /** As `always`, of layers behind a mean over time: per image. */
  readonly alwaysOnce: number;
  /** Values behind a mean over time, which are there once. */
  readonly once: ReadonlySet<string>;
}

/**
 * @param size Height and width of the images.
 * @param timeSteps Of a graph whose input comes at every step, which does not say how many there are.
 */
export function countingPlan(
  graph: Graph,
  parameters: Parameters,
  size: readonly [number, number],
  timeSteps = timeStepsOf(graph),
): CountingPlan {
  const merged = layersOf(graph, size, 'merged');
  const trained = layersOf(graph, size, 'trained').filter(({ kind }) => kind !== 'attention');
  const byName = new Map(trained.map((layer) => [layer.name, layer]));
  const connections = (layer: CountedLayer, which: 'existing' | 'missing') =>
    connectionTable(layer.geometry!, connectionsByTap(layer.geometry!, weightsOf(layer, parameters)!, which));
  const spiking = spikeSources(graph);
  const names = new Set(spiking.map(({ name }) => name));
  const numbers = new Map<string, Mutable>([[graph.input, { areNeurons: false, tables: [], reached: [] }]]);
  for (const node of graph.nodes)
    if (operatorOf(node).neuron && !names.has(node.name))
      numbers.set(node.name, { areNeurons: true, tables: [], reached: [] });
  const reached = new Map([...names].map((name): [string, ReachedMap[]] => [name, []]));
  let [always, alwaysOnce] = [0, 0];
  for (const layer of trained.filter(({ spikeFed }) => !spikeFed)) {
    const table = connections(layer, 'existing');
    const before = byName.get(layer.input);
    const direct = numbers.get(sourceOf(graph, layer.input));
    const behind = before && reachedFrom(numbers.get(sourceOf(graph, before.input))?.reached, reached, before);
    if (direct) direct.tables.push(table);
    else if (behind && before.geometry!.groups > 1) {
      const geometry = before.geometry!;
      const masks = channelsByTap(geometry, weightsOf(before, parameters)!);
      behind.push({ geometry, masks, connections: table });
    } else if (layer.once) alwaysOnce += sumOverPositions(table, layer.geometry!.inputChannels);
    else always += sumOverPositions(table, layer.geometry!.inputChannels);
  }
  const sources = spiking.map((node): [string, SourcePlan] => {
    const source = node.name;
    const reads = ({ spikeFed, geometry, sources: [first] }: CountedLayer) =>
      spikeFed && geometry !== undefined && first === source;
    const readers = trained.filter(reads);
    const missing = readers.map((layer) => ({ geometry: layer.geometry!, table: connections(layer, 'missing') }));
    return [
      source,
      {
        areNeurons: operatorOf(node).neuron !== undefined,
        maps: countedMaps(merged.filter(reads), readers),
        missing: tablesByMap(missing),
        reached: reached.get(source)!,
      },
    ];
  });
  const attentions = merged.filter(({ attention, spikeFed }) => attention && spikeFed);
  const counted = { always, alwaysOnce, once: behindTimeMean(graph) };
  return { size, timeSteps, sources: new Map(sources), attentions, numbers, ...counted };
}

interface Mutable extends NumbersPlan {
  readonly tables: ConnectionTable[];
  readonly reached: ReachedMap[];
}

/** Where the map behind a depthwise convolution is counted: with the numbers it reads or with the neurons whose spikes it reads. */
function reachedFrom(
  ofNumbers: ReachedMap[] | undefined,
  ofSpikes: ReadonlyMap<string, ReachedMap[]>,
  { spikeFed, sources: [source] }: CountedLayer,
): ReachedMap[] | undefined {
  return spikeFed ? ofSpikes.get(source!) : ofNumbers;
}

/** What a value is a view or a repetition of. */
function sourceOf(graph: Graph, value: string): string {
  const node = graph.nodes.find(({ name }) => name === value);
  if (!node || !(operatorOf(node).isView || operatorOf(node).timeRepetition)) return value;
  return sourceOf(graph, node.inputs[0]!);
}

/** How many connections the channels of an image have whose numbers are all not zero. */
function sumOverPositions({ classOf, weights }: ConnectionTable, channels: number): number {
  const perClass = new Map<number, number>();
  for (const index of classOf) {
    if (!perClass.has(index))
      perClass.set(
        index,
        weights.subarray(index * channels, (index + 1) * channels).reduce((a, b) => a + b, 0),
      );
  }
  return classOf.reduce((total, index) => total + perClass.get(index)!, 0);
}

/** Tables of layers that see the same map become one; those without a connection fall away. */
function tablesByMap(
  tables: readonly { readonly geometry: ConvolutionGeometry; readonly table: ConnectionTable }[],
): readonly ConnectionTable[] {
  const groups = new Map<string, { channels: number; tables: ConnectionTable[] }>();
  for (const { geometry, table } of tables) {
    if (table.weights.every((weight) => weight === 0)) continue;
    const key = mapOf(geometry);
    const group = groups.get(key) ?? { channels: geometry.inputChannels, tables: [] };
    groups.set(key, group);
    group.tables.push(table);
  }
  return [...groups.values()].map((group) => sumOfTables(group.tables, group.channels));
}

function mapOf(g: ConvolutionGeometry): string {
  return `${g.inputHeight} × ${g.inputWidth}`;
}

/** How many outputs a spike of each row and column reaches, per channel. */
interface Windows {
  readonly geometry: ConvolutionGeometry;
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly uniform: boolean;
}

function windowsOf({ geometry: given }: CountedLayer): Windows {
  const geometry = given!;
  const [rows, columns] = [windowsAlong(rowsOf(geometry)), windowsAlong(columnsOf(geometry))];
  const uniform = [rows, columns].every((windows) => windows.every((count) => count === windows[0]));
  return { geometry, rows, columns, uniform };
}

/** Layers that tell pixels apart decide the classes, those that do not can be told from any. (Tokens are a row of pixels to a linear layer.) */
function countedMaps(merged: readonly CountedLayer[], trained: readonly CountedLayer[]): readonly CountedMap[] {
  const readers = [
    ...merged.map((layer) => ({ layer: layer.name, ...windowsOf(layer) })),
    ...trained.map((layer) => ({ layer: undefined, ...windowsOf(layer) })),
  ];
  const particular = new Set(readers.filter(({ uniform }) => !uniform).map(({ geometry }) => mapOf(geometry)));
  const [first = readers[0] && mapOf(readers[0].geometry)] = particular;
  if (first === undefined) return [];
  return [...particular.add(first)].map((map) => {
    const deciding = readers.filter(({ geometry }) => mapOf(geometry) === map);
    const { geometry } = deciding[0]!;
    const rows = classesOf(
      geometry.inputHeight,
      deciding.map((reader) => reader.rows),
    );
    const columns = classesOf(
      geometry.inputWidth,
      deciding.map((reader) => reader.columns),
    );
    const here = readers.filter((reader) => (reader.uniform ? map === first : mapOf(reader.geometry) === map));
    const additions = new Map<string, readonly number[]>();
    const trainedAdditions = new Array<number>(rows.first.length * columns.first.length).fill(0);
    for (const reader of here) {
      const perSpike = additionsByClass(reader, rows, columns);
      if (reader.layer !== undefined) additions.set(reader.layer, perSpike);
      else for (const [index, count] of perSpike.entries()) trainedAdditions[index]! += count;
    }
    return { rowClasses: rows.classOf, columnClasses: columns.classOf, additions, trainedAdditions };
  });
}

function additionsByClass({ geometry, rows, columns, uniform }: Windows, ys: Classes, xs: Classes): readonly number[] {
  const outputs = geometry.outputChannels / geometry.groups;
  const at = (windows: readonly number[], position: number) => windows[uniform ? 0 : position]!;
  return ys.first.flatMap((y) => xs.first.map((x) => outputs * at(rows, y) * at(columns, x)));
}
