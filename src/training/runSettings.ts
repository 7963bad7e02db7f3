/** What a training run is told, what it reports on its way and what it gives in the end. */
import type { AnyDataset } from '../data/datasets/dataset.js';
import type { Engine } from '../engines/kernels.js';
import type { TrainingEngine } from '../engines/trainingKernels.js';
import { UsageError } from '../errors.js';
import type { Parameters } from '../graph/graph.js';
import { checkOptionNames, described } from '../optionNames.js';
import type { Recipe } from './recipe.js';

export interface RunSettings {
  readonly recipe: Recipe;
  /** The training samples; a part is held out if the recipe says so. */
  readonly dataset: AnyDataset;
  /** Folder for state, models and metrics; made if it is not there. */
  readonly output: string;
  /** Called for training and for each evaluation; the wasm engine on all processors by default. */
  readonly createEngine?: () => Promise<Engine & TrainingEngine>;
  /** Continue from the state in the output folder; default false. */
  readonly resume?: boolean;
  /** Whether a run that is in the folder already may be overwritten by a new one; default true. */
  readonly overwrite?: boolean;
  /** Where the data is, to be remembered in the state. */
  readonly dataPath?: string;
  /** Resume although the data is not what the run began with; default false. */
  readonly acceptChangedData?: boolean;
  /** Weights to start from instead of fresh ones; names that are not among them stay fresh. */
  readonly startFrom?: Parameters;
  /** Written into the run's files, such as the revision of the software. */
  readonly provenance?: Readonly<Record<string, string>>;
  readonly onProgress?: (report: ProgressReport) => void;
  /** Ends the run after the step (or the batch of an evaluation) in hand, with its state saved. */
  readonly signal?: AbortSignal;
}

export type ProgressReport =
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      readonly loss: number;
      /** The figure of the recipe's task over the step's images, and what it is called: of a classifier the accuracy. */
      readonly figure: number;
      readonly figureName: string;
      /** The figure, where it is one. */
      readonly accuracy?: number;
      readonly imagesPerSecond: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly loss: number;
      /** As in the report of a step, over the epoch. */
      readonly figure: number;
      readonly figureName: string;
      readonly accuracy?: number;
      /** On the held-out images; undefined when nothing is held out. */
      readonly heldOutFigure: number | undefined;
      readonly heldOutAccuracy?: number | undefined;
    };

export interface RunResult {
  readonly steps: number;
  readonly finished: boolean;
  /** The figure of the recipe's task on the held-out images, of the best weights; undefined when nothing was held out. */
  readonly bestFigure: number | undefined;
  readonly figureName: string;
  /** The best figure, where it is an accuracy. */
  readonly bestAccuracy?: number | undefined;
}

export type CompleteSettings = RunSettings & Required<Pick<RunSettings, 'createEngine'>>;

/** @throws UsageError for a setting that there is none of, and for a missing data set or folder. */
export function checkSettings(settings: RunSettings): void {
  checkOptionNames<RunSettings>('train', settings, {
    recipe: true,
    dataset: true,
    output: true,
    createEngine: true,
    resume: true,
    overwrite: true,
    dataPath: true,
    acceptChangedData: true,
    startFrom: true,
    provenance: true,
    onProgress: true,
    signal: true,
  });
  const { dataset, output }: { readonly dataset?: unknown; readonly output?: unknown } = settings ?? {};
  if (settings?.startFrom !== undefined && settings.recipe?.whitenedStem)
    throw new UsageError('train: the recipe’s whitenedStem would replace what startFrom brings; leave one of them out');
  if (typeof output !== 'string' || output === '')
    throw new UsageError(`train: output is ${described(output)}, expected the path of a folder`);
  if (typeof dataset !== 'object' || dataset === null || !('store' in dataset))
    throw new UsageError(`train: dataset is ${described(dataset)}, expected what openDataset gives`);
}
