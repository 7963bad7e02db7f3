/** What the library exports on every platform. */

export { type ByteSource, sourceFromBlob, sourceFromBytes } from '../data/events/byteSource.js';
export {
  type EventFormatName,
  type EventReader,
  type Events,
  eventFormatNames,
  type Sensor,
  type Skipped,
} from '../data/events/events.js';
export { type OpenEventsOptions, openEvents, type Recording, readEvents } from '../data/events/openEvents.js';
export { type RgbImage, rgbFromRgba } from '../data/image.js';
export {
  imagenetPreprocessing,
  type PreprocessSettings,
  plainPreprocessing,
  preprocess,
  preprocessSettingsSchema,
} from '../data/preprocess.js';
export { type Skeleton, type SkeletonName, skeletons } from '../data/skeletons/skeletonSequence.js';
export {
  defaultEnergyConstants,
  type EnergyConstants,
  energyTable,
  parseEnergyConstants,
} from '../energy/constants.js';
export { type EnergyDocument, energyCsv, energyDocument } from '../energy/document.js';
export { type FormProof, proveSpikeDriven } from '../energy/edges.js';
export { countedLayers, ratesOfSpikes } from '../energy/layers.js';
export { type EnergyMeasurement, EnergyMeter } from '../energy/meter.js';
export { type PaperEnergy, paperEnergy, parseRates } from '../energy/paperConvention.js';
export { energyReport } from '../energy/report.js';
export type { ReportOrigin } from '../energy/reportOrigin.js';
export type { NeuronActivity, SpikeCounts } from '../energy/spikeCounting.js';
export { MetaSpikeformerError, UsageError } from '../errors.js';
export type { Graph, Node, ParameterSpec } from '../graph/graph.js';
export type { Shape, ValueKind } from '../graph/shape.js';
export type { RepConvChoice, TuneOptions, Tuning } from '../inference/tune.js';
export { type AttentionHead, type AttentionSpikes, attentionHeads } from '../insight/attention.js';
export { type MembraneTrace, membraneTrace, type NeuronPlace } from '../insight/membrane.js';
export { type NeuronLayer, neuronLayers } from '../insight/neuronLayers.js';
export { skeletonAnimation } from '../insight/skeletons/animation.js';
export type { SkeletonDecision, SkeletonPicture } from '../insight/skeletons/page.js';
export { skeletonStrip } from '../insight/skeletons/strip.js';
export { type NetworkSummary, type StageSummary, summarise } from '../insight/summary.js';
export type { Checkpoint, CheckpointTensor, TensorSet } from '../interop/checkpoint.js';
export type { CheckpointOptions, ChosenWeights } from '../interop/loadParameters.js';
export type { OnnxOptions } from '../interop/onnx/exportOnnx.js';
export { openCheckpoint } from '../interop/openCheckpoint.js';
export { fileFromBlob, fileFromBytes, type RandomAccessFile } from '../interop/randomAccessFile.js';
export { encodeSafetensors } from '../interop/safetensors.js';
export { framesOf } from '../modalities/events/frames.js';
export { type LiveWindow, LiveWindows } from '../modalities/events/liveWindows.js';
export { recordedWindows } from '../modalities/events/recordedWindows.js';
export {
  type EventPreprocessing,
  type EventPreprocessingInput,
  parseEventPreprocessing,
} from '../modalities/events/settings.js';
export { stepFrames } from '../modalities/skeletons/stepFrames.js';
export { metaSpikeformerSizes, recogniseConfiguration, resolveConfiguration } from '../models/configurations.js';
export {
  type MetaSpikeformerConfiguration,
  type MetaSpikeformerOptions,
  metaSpikeformer,
} from '../models/metaSpikeformer.js';
export { architectureNames, architectureOf, graphOf, type NetworkDescription } from '../models/registry.js';
export { inferKinds, inferShapes, parametersOf } from '../operators/registry.js';
export { createEngine, type EngineOptions } from '../runtime/engines.js';
export { countSpikes } from '../runtime/layout.js';
export type { RepConvForm } from '../runtime/passes/mergeRepConv.js';
export { contactSheet, type SheetHit, type SheetQuery } from '../search/contactSheet.js';
export {
  type BinaryGallery,
  binaryGallery,
  type FloatGallery,
  type Gallery,
  type GalleryContents,
  galleryParts,
  joinGalleries,
  openGallery,
  packSigns,
} from '../search/gallery.js';
export { GallerySearch, type Hit } from '../search/gallerySearch.js';
export { type EventDecision, EventDecisions, type EventDecisionsOptions } from './eventDecisions.js';
export { onnxParts } from './exportModel.js';
export {
  type AnswerOptions,
  type AskOptions,
  type FieldTensor,
  type ImageSource,
  type ImageView,
  type ImageWindows,
  Model,
  type NeuronInput,
  type PackedSpikes,
  type Prediction,
  type Provenance,
  type RunOptions,
  type RunResult,
  type SpikeRecord,
  type StepResult,
  type ViewedImage,
} from './model.js';
export type * from './namedTypes.js';
export type { CheckpointSource, LoadOptions, ModelSource } from './openModel.js';
export { defaultModelName, modelNames, weightsAddress } from './shippedModels.js';
