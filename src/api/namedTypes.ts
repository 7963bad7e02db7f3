/** Types that the public signatures name beside those that `common.ts` exports, so that whoever uses a signature can name its parts. */

export type { Convention } from '../data/events/format.js';
export type { RecordedPictures } from '../data/events/recordedPictures.js';
export type { ColumnName, ColumnOrder, TableOptions, TimeUnit } from '../data/events/tableColumns.js';
export type { Placement } from '../data/geometry/placement.js';
export type { RunLengthMask } from '../data/masks/runLength.js';
export type { Region, Size } from '../data/resize.js';
export type { BodyRecording, TrackedBody } from '../data/skeletons/bodyRecording.js';
export type { SkeletonSample } from '../data/skeletons/preparations.js';
export type { SkeletonSequence } from '../data/skeletons/skeletonSequence.js';
export type { MemoryConstants } from '../energy/constants.js';
export type { EnergyFindings, EnergySource, EnergySubject } from '../energy/document.js';
export type { Edge, FedLayer, NetworkForm } from '../energy/edges.js';
export type { CountedLayer } from '../energy/layers.js';
export type { MemoryAccesses } from '../energy/memoryAccesses.js';
export type { AnnMemory, LayerOperations } from '../energy/meter.js';
export type { MeteredModel } from '../energy/meteredModel.js';
export type { NeuroBenchOperations } from '../energy/neuroBench.js';
export type { NeuroBenchFigures } from '../energy/neuroBenchFigures.js';
export type { PaperLayer } from '../energy/paperConvention.js';
export type * from '../engines/kernels.js';
export type {
  Attributes,
  GraphBuilder,
  GraphOutput,
  Initialiser,
  LaterGraph,
  OutputMeaning,
  ParameterRole,
  Parameters,
} from '../graph/graph.js';
export type { TunedForm } from '../inference/tune.js';
export type { FrameRecordOptions, Outputs, Recorded, RecordOptions } from '../inference/types.js';
export type { AttentionRole } from '../insight/neuronLayers.js';
export type { DType } from '../interop/dtype.js';
export type { TensorData } from '../interop/tensorData.js';
export type { PicturePreprocessing } from '../modalities/eventPictures/settings.js';
export type { RecordedEvents } from '../modalities/events/eventsInput.js';
export type { FrameShape } from '../modalities/events/frames.js';
export type { WindowSettings } from '../modalities/events/settings.js';
export type { SliceOptions } from '../modalities/events/slice.js';
export type { SampleShape } from '../modalities/input.js';
export type { AnyPreprocessing } from '../modalities/inputs.js';
export type { ModalityName } from '../modalities/names.js';
export type { SkeletonPreprocessing } from '../modalities/skeletons/settings.js';
export type {
  Architecture,
  ConfigurationSchema,
  Normalisation,
  ParameterNames,
  ParameterShapes,
  Variant,
} from '../models/architecture.js';
export type { AttentionName } from '../models/attentions.js';
export type {
  Depths,
  ExpectedArchitecture,
  MetaSpikeformerSize,
  UnseenOptions,
} from '../models/configurations.js';
export type { DetectionStrides, Features, Head, StageMap } from '../models/head.js';
export type { BetweenTensor } from '../models/later.js';
export type { NeuronName } from '../models/neurons.js';
export type { DescribedNetwork, NetworkConfiguration } from '../models/registry.js';
export type { AttentionSize, SpikeSum } from '../operators/traits.js';
export type { EngineName } from '../runtime/engines.js';
export type { MergedRepConv } from '../runtime/passes/mergeRepConv.js';
export type { PrepareOptions } from '../runtime/prepare.js';
export type {
  Answer,
  ClassAnswer,
  Description,
  FoundObject,
  NamedClass,
  NamedValue,
  Segment,
  Segmentation,
  TaskAnswers,
} from '../tasks/registry.js';
export type { Original, RegionOptions } from '../tasks/task.js';
export type {
  ModelInput,
  ModelParts,
  PictureRecordingSource,
  RecordingSource,
  SampleReaders,
  SampleSource,
  SkeletonSource,
} from './modelTypes.js';
