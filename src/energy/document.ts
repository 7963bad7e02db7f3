/**
 * What `energy` found, as one plain object: what `--json` prints, and all that the HTML report and the CSV table are made from. Its form is public (docs/cli.md).
 */

import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { stageOf } from '../insight/summary.js';
import type { NetworkConfiguration } from '../models/architecture.js';
import { graphOf } from '../models/registry.js';
import { checkOptionNames, described } from '../optionNames.js';
import { type EnergyConstants, parseEnergyConstants } from './constants.js';
import { type CountedLayer, layersOfAll } from './layers.js';
import type { EnergyMeasurement } from './meter.js';
import type { PaperEnergy } from './paperConvention.js';

export interface EnergySubject {
  readonly name: string;
  /** Meta-SpikeFormer unless it says otherwise. */
  readonly architecture?: string;
  readonly configuration: NetworkConfiguration;
  /** Its graph, where that is not the architecture's own classifier: `model.graph`. */
  readonly graph?: Graph;
  readonly imageSize: readonly [number, number];
  /** What the weights were trained at, where it is known: `model.provenance.trainedTimeSteps`. */
  readonly trainedTimeSteps?: number;
}

/** Where rates come from: images that flowed, or a file. `noun`: what the samples are; images where nothing is said. */
export type EnergySource =
  | { readonly source: string; readonly images: number; readonly noun?: string }
  | { readonly rates: string };

/** How many samples flowed, in words. */
export function samplesIn({ images, noun = 'image' }: Extract<EnergySource, { readonly images: number }>): string {
  return `${images} ${noun}${images === 1 ? '' : 's'}`;
}

export interface EnergyDocument {
  readonly command: 'energy';
  readonly model: {
    readonly name: string;
    readonly timeSteps: number;
    /** Null where nobody says what the weights were trained at. */
    readonly trainedTimeSteps: number | null;
    readonly imageSize: readonly [number, number];
    readonly configuration: NetworkConfiguration;
  };
  readonly constants: EnergyConstants;
  readonly data: EnergySource;
  /** Share of images whose likeliest class is the label; null without labels. */
  readonly accuracy: number | null;
  readonly paper: PaperEnergy & { readonly annRatio: number };
  readonly exact: null | ({ readonly millijoules: number } & Pick<EnergyMeasurement, 'neurons' | 'layers'>);
  readonly neuroBench: null | EnergyMeasurement['neuroBench'];
  readonly memory: null | EnergyMeasurement['memory'];
  /** Of a detector with regions: how many of an image in the mean, by the head that looks at them. */
  readonly regions?: EnergyMeasurement['regions'];
  /** Of every counted layer: where it stands, what feeds it. */
  readonly structure: readonly {
    readonly name: string;
    readonly stage: string;
    readonly kind: CountedLayer['kind'];
    readonly fedBy: 'spikes' | 'numbers';
  }[];
}

/** What an `EnergyDocument` is made from. */
export interface EnergyFindings {
  readonly subject: EnergySubject;
  readonly constants: EnergyConstants;
  readonly data: EnergySource;
  readonly paper: PaperEnergy;
  readonly measured?: EnergyMeasurement;
  /** Share of images whose likeliest class is the label. */
  readonly accuracy?: number;
}

/** @throws UsageError for a finding or a constant that is unknown, wrong or missing. */
export function energyDocument(found: EnergyFindings): EnergyDocument {
  checkFindings(found);
  const { subject, data, paper, measured, accuracy } = found;
  const constants = parseEnergyConstants(found.constants, 'energyDocument: constants');
  const { name, configuration, imageSize, trainedTimeSteps = null } = subject;
  const graph = subject.graph ?? graphOf(subject);
  return {
    command: 'energy',
    model: { name, timeSteps: configuration.timeSteps, trainedTimeSteps, imageSize, configuration },
    constants,
    data,
    accuracy: accuracy ?? null,
    paper: { ...paper, annRatio: paper.annMillijoules / paper.millijoules },
    exact: measured
      ? { millijoules: measured.exactMillijoules, neurons: measured.neurons, layers: measured.layers }
      : null,
    neuroBench: measured?.neuroBench ?? null,
    memory: measured?.memory ?? null,
    ...(measured?.regions ? { regions: measured.regions } : {}),
    structure: layersOfAll(graph, imageSize).map((layer) => ({
      name: layer.name,
      stage: stageOf(layer.name, graph) ?? 'classifier',
      kind: layer.kind,
      fedBy: layer.spikeFed ? 'spikes' : 'numbers',
    })),
  };
}

function checkFindings(found: EnergyFindings): void {
  const required = { subject: true, constants: true, data: true, paper: true } as const;
  checkOptionNames<EnergyFindings>('energyDocument', found, { ...required, measured: true, accuracy: true });
  for (const name of Object.keys(required) as (keyof typeof required)[]) {
    const value: unknown = found?.[name];
    if (typeof value !== 'object' || value === null)
      throw new UsageError(`energyDocument: ${name} is ${described(value)}, expected an object`);
  }
}

/** One row per layer for spreadsheets; RFC 4180, names with commas or quotes in quotes. Empty where nothing was measured. */
export function energyCsv(document: EnergyDocument): string {
  const { timeSteps } = document.model;
  const steps = Array.from({ length: timeSteps }, (_, t) => t + 1);
  const head = [
    'layer',
    'stage',
    'kind',
    'fed_by',
    'dense_operations_per_step',
    'firing_rate',
    'paper_mj',
    'exact_mj',
    'with_memory_mj',
    ...steps.map((t) => `additions_per_image_step_${t}`),
    ...steps.map((t) => `multiplications_per_image_step_${t}`),
  ];
  const rows = document.structure.map(({ name, stage, kind, fedBy }, index) => {
    const paper = document.paper.layers[index]!;
    const counts = countsOf(document, index);
    const memory = document.memory?.layers[index];
    return [
      name,
      stage,
      kind,
      fedBy,
      paper.operations,
      paper.firingRate ?? '',
      paper.millijoules,
      counts?.millijoules ?? '',
      memory?.millijoules ?? '',
      ...steps.map((t) => counts?.additions[t - 1] ?? ''),
      ...steps.map((t) => counts?.multiplications[t - 1] ?? ''),
    ];
  });
  return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Per image, by time step; millijoules over all steps. Undefined when nothing was measured. */
export function countsOf(
  { exact, data, constants }: EnergyDocument,
  index: number,
):
  | {
      readonly additions: readonly number[];
      readonly multiplications: readonly number[];
      readonly millijoulesByStep: readonly number[];
      readonly millijoules: number;
    }
  | undefined {
  if (!exact || !('images' in data)) return undefined;
  const layer = exact.layers[index]!;
  const perImage = (counts: readonly number[]) => counts.map((count) => count / data.images);
  const [additions, multiplications] = [perImage(layer.additions), perImage(layer.multiplications)];
  const millijoulesByStep = additions.map(
    (count, t) => 1e-9 * (constants.accumulate * count + constants.multiplyAccumulate * multiplications[t]!),
  );
  return { additions, multiplications, millijoulesByStep, millijoules: millijoulesByStep.reduce((a, b) => a + b, 0) };
}
