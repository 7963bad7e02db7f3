/**
 * The layout of a recorded program in wasm memory, written once for both sides: TypeScript fills the fields in, the
 * AssemblyScript kernels (`kernels/`) import this same file and read them. It holds numbers only, so that both
 * compilers understand it.
 *
 * A program is an array of instructions of `Size.instruction` bytes. Each is an opcode and 32-bit operands: addresses,
 * sizes, and a few float32 bit patterns.
 */

/** Sizes in bytes. */
export enum Size {
  instruction = 192,
  /** Start of memory, kept free of data: the words by which threads meet (see `kernels/threads.ts`). */
  control = 5120,
  /** Start of each thread's scratch: a word that is 0 at a thread's first claim of an instruction, see `isPrepared` in `kernels/threads.ts`. */
  prepared = 64,
  /** Start of each thread's scratch that the spike-fed convolution uses for its lookup tables. */
  lookup = 896,
  /** Lists of rows are written up to sixteen entries at a time; what is too much needs this room behind a list. */
  listMargin = 128,
}

/** Word 0 of every instruction is its opcode; the other words by kernel follow. */
export enum ConvolutionWord {
  input = 1,
  output = 2,
  weights = 3,
  bias = 4,
  /** Address, or 0 when there is none. */
  residual = 5,
  /** Positions of the residual: the output's, or a whole fraction of them. */
  residualPositions = 6,
  images = 7,
  inputHeight = 8,
  inputWidth = 9,
  inputChannels = 10,
  outputHeight = 11,
  outputWidth = 12,
  outputChannels = 13,
  kernelHeight = 14,
  kernelWidth = 15,
  strideHeight = 16,
  strideWidth = 17,
  paddingHeight = 18,
  paddingWidth = 19,
  groups = 20,
  /** 1 when the input is packed spikes. */
  spikes = 21,
  /** Blocks into which the output positions are cut. */
  blocks = 22,
  /** Spike-fed: 0, or where the rows of each tap are followed by their tables the percentage of spikes from which on an image uses them. */
  tables = 23,
  /** Spike-fed: bytes of one row of a chunk, and of a whole chunk of output channels. */
  rowBytes = 24,
  chunkBytes = 25,
  /** Spike-fed: bytes of one tap's rows and tables in a chunk. */
  tapBytes = 35,
  /** Spike-fed: 1 when positions are pixels: 1×1, stride 1, no padding. */
  inPlace = 36,
  /** Spike-fed: a segment is this many taps, and of each tap this many words of input channels. */
  tapsPerSegment = 26,
  wordsPerSegment = 27,
  segments = 28,
  /** The same where the tables are used; in the same order. */
  tableTapsPerSegment = 29,
  tableWordsPerSegment = 30,
  tableSegments = 31,
  /**
   * Spike-fed: scratch after the lookup tables: image modes, sums between segments, starts of the row lists; then the
   * starts and lists of pixels, unless positions are pixels; then the lists.
   */
  modeBytes = 32,
  partialBytes = 33,
  startBytes = 34,
  pixelStartBytes = 37,
  pixelListBytes = 38,
  /** Spike-fed: 1 when rows are of eight-bit weights, 64 channels wide. */
  bytes = 39,
  /** Integer weights: address of the scale of each output channel. */
  scales = 40,
  /** Spike-fed: address of the spikes of the neurons that the convolution feeds and that fire in the same instruction, or 0; then as in `NeuronWord`. */
  neurons = 41,
  timeSteps = 42,
  factor = 43,
  divide = 44,
  threshold = 45,
  /** Where nobody else reads the currents of those neurons: the offset in scratch at which they wait; else 0 and they are written to `output`. */
  currents = 46,
  /** Spike-fed: address of lists (in front, where each begins and ends) that an instruction before has made, or 0. */
  lists = 47,
}

export enum NeuronWord {
  input = 1,
  output = 2,
  timeSteps = 3,
  positions = 4,
  channels = 5,
  inputTimeSteps = 6,
  /** Float32: what the difference is multiplied by, or divided by when `divide` is 1. */
  factor = 7,
  divide = 8,
  /** Float32. */
  threshold = 9,
  /** Where membranes come from and go to; 0: they begin at 0 and are forgotten. */
  membrane = 10,
}

export enum AttentionWord {
  query = 1,
  key = 2,
  value = 3,
  output = 4,
  images = 5,
  tokens = 6,
  channels = 7,
  heads = 8,
  /** Float32. */
  scale = 9,
}

/** Instructions that count: `kernels/counting.ts`. Sums are added to counters of 64 bits. */
export enum CountWord {
  input = 1,
  /** Counters; reachSpikes and markNonZero: the spikes that they make. */
  output = 2,
  /** countSpikes: rows of pixels, of all images and time steps; countCoincidences: tokens; weighSpikes, reachSpikes, markNonZero: images. */
  tasks = 3,
  /** The same per time step. */
  tasksPerStep = 4,
  /** Words of the spikes of a position. */
  words = 5,
  channels = 6,
  height = 7,
  width = 8,
  /** countSpikes: addresses of the class of each row, and of runs of columns of one class, as pairs of class and words. */
  rowClasses = 9,
  runs = 10,
  runCount = 11,
  columnClassCount = 12,
  /** Classes of rows times classes of columns; weighSpikes: classes of positions. */
  classCount = 13,
  /** weighSpikes: addresses of the positions, class by class, and of the end of each class among them. */
  positions = 14,
  classEnds = 15,
  /** weighSpikes: weights, `[word][class][32]`, of the words listed at `listedWords`. */
  weights = 16,
  listedWords = 17,
  listedWordCount = 18,
  /** countCoincidences: the other spikes. */
  second = 19,
  heads = 20,
  /** reachSpikes: the window and the channels that a tap reaches, `[tap][word]` and the same words again, so that four can be loaded from any of them on. */
  outputHeight = 21,
  outputWidth = 22,
  kernelHeight = 23,
  kernelWidth = 24,
  strideHeight = 25,
  strideWidth = 26,
  paddingHeight = 27,
  paddingWidth = 28,
  masks = 29,
  /** Words from one tap's masks to the next one's. */
  maskStride = 30,
}

/** add, scaleShift, pad, means and repeat. */
export enum ElementWord {
  input = 1,
  output = 2,
  /** add: the second addend; scaleShift: the scales; pad: the values. */
  second = 3,
  /** scaleShift: the shifts. */
  third = 4,
  /** add, repeat, timeMean: elements of the output, of the input, of the second input. */
  elements = 5,
  inputElements = 6,
  secondElements = 7,
  /** timeMean. */
  timeSteps = 8,
  /** scaleShift: rows. pad, spatialMean: images. */
  rows = 9,
  channels = 10,
  positions = 11,
  inputHeight = 12,
  inputWidth = 13,
  padding = 14,
}

/** Widths that the packed weights are cut into, in numbers (not bytes). */
export enum Width {
  /** Output channels of a chunk in the spike-fed convolution: six registers of four. */
  chunk = 24,
  /** Of those chunks the native kernel sums so many at once; sums between segments and currents in scratch have room for them. */
  chunksAtOnce = 2,
  /** The same for rows of bytes: four registers of sixteen, one cache line. */
  byteChunk = 64,
  /** Output channels of a panel in the dense convolution. */
  panel = 8,
  /** Positions that the dense convolutions multiply at once; blocks are made of whole tiles. */
  tile = 4,
  /** Channels that the depthwise convolution treats together: one cache line. */
  depthwise = 16,
}

/** The convolution in 16-bit integers. */
export enum IntegerConvolution {
  /** The largest magnitude of a position's inputs becomes so many steps; `quantise.ts` bounds the weights accordingly. */
  inputLevels = 4095,
}
