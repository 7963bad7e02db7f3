/**
 * The instructions that only training uses, beside those of `instructionSet.ts` and laid out the same way. Numbers only, so
 * that the AssemblyScript kernels can import this file too. Convolutions use the operands of `ConvolutionWord` and those of
 * `TrainingConvolutionWord` after them.
 */

/** Operands of a convolution's instructions beyond `ConvolutionWord`. */
export enum TrainingConvolutionWord {
  /** 1: add to what the input gradient holds. */
  accumulate = 39,
  /** Packed weights, or the partial sums of a weight gradient. */
  packed = 40,
  /** Parts into which positions or images are cut, whatever the number of threads; each has its own partial sums. */
  parts = 41,
  /** Bytes of the partial sums of one part. */
  partBytes = 42,
  /** Positions treated together. */
  positionsPerBlock = 43,
  /** Input gradient: taps whose patches are copied at a time. Depthwise packing: 1 to turn the kernel around. */
  tapsPerSlice = 44,
  /** Partial sums: numbers in a row of a chunk of output channels, and bytes of a chunk. */
  width = 45,
  chunkBytes = 46,
  /** Spike-fed weight gradient: rows of output positions in a unit, one image's or part of one's. */
  unitRows = 22,
  /** Spike-fed weight gradient: units per image, and units per block. */
  unitsPerImage = 23,
  unitsPerBlock = 24,
  /** Spike-fed weight gradient: rows of zeros between units. */
  marginRows = 25,
  /** Spike-fed weight gradient: bytes of scratch for the lists' ends, for a row of words, and for each list. */
  startBytes = 26,
  wordBytes = 27,
  listBytes = 28,
  /** Spike-fed weight gradient: positions of input and output; the last row may be shorter than its width. */
  inputPixels = 29,
  outputPixels = 30,
}

/** batchStatistics to batchGradient, columnSums, addColumnSums and borderValues. */
export enum BatchNormWord {
  input = 1,
  output = 2,
  outputGradient = 3,
  rows = 4,
  channels = 5,
  weight = 6,
  bias = 7,
  runningMean = 8,
  runningVariance = 9,
  batchMean = 10,
  batchInverseDeviation = 11,
  weightGradient = 12,
  biasGradient = 13,
  /** Float64: two words. */
  epsilon = 14,
  /** Float64: two words. */
  momentum = 16,
  /** Partial sums in float64. */
  sums = 18,
  parts = 19,
  /** What `finishGradientSums` leaves in float32. */
  means = 20,
}

export enum NeuronGradientWord {
  input = 1,
  outputGradient = 2,
  inputGradient = 3,
  timeSteps = 4,
  /** Neurons of one time step. */
  neurons = 5,
  accumulate = 6,
  /** Float32: as in `NeuronWord`. */
  factor = 7,
  divide = 8,
  /** Float32. */
  threshold = 9,
  /** Float32: 1/τ, and 1 − 1/τ. */
  inflow = 10,
  decay = 11,
  surrogate = 12,
  /** Float32. */
  alpha = 13,
  detachReset = 14,
  channels = 15,
  /** Addresses of the normalisation's tensors; the mean's is 0 without one. */
  batchMean = 16,
  batchInverseDeviation = 17,
  weight = 18,
  bias = 19,
  /** Partial sums for the gradient of the normalisation, as in `BatchNormWord`; no parts: none. */
  sums = 20,
  parts = 21,
}

/** Neurons behind a batch normalisation, one time step. */
export enum NormalisedNeuronWord {
  input = 1,
  output = 2,
  positions = 3,
  channels = 4,
  /** Float32: as in `NeuronWord`. */
  factor = 5,
  divide = 6,
  /** Float32. */
  threshold = 7,
  batchMean = 8,
  batchInverseDeviation = 9,
  weight = 10,
  bias = 11,
}

export enum SurrogateKind {
  sigmoid = 0,
  arctangent = 1,
  rectangular = 2,
}

export enum AttentionGradientWord {
  query = 1,
  key = 2,
  value = 3,
  outputGradient = 4,
  images = 5,
  tokens = 6,
  channels = 7,
  heads = 8,
  /** Float32. */
  scale = 9,
  queryGradient = 10,
  keyGradient = 11,
  valueGradient = 12,
}
