/**
 * Weights into the order in which the kernels read them, at every step, because training changes them. The layouts are those
 * of `src/engines/wasm/packing.ts`, which packs once for inference; the panels of the input gradient are used here only.
 */
import { ConvolutionWord as Word, Width } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart } from './threads';

/** Patterns of four spikes with two spikes or more. */
const patterns: u32 = 11;

/** The eleven sums of the rows of four input channels, of which `present` exist. */
// @ts-ignore: decorator
@inline
function fillTable(rows: usize, rowBytes: usize, present: u32, table: usize): void {
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const zero = f32x4.splat(0);
    const row0 = v128.load(rows + at);
    const row1 = present > 1 ? v128.load(rows + rowBytes + at) : zero;
    const row2 = present > 2 ? v128.load(rows + rowBytes * 2 + at) : zero;
    const row3 = present > 3 ? v128.load(rows + rowBytes * 3 + at) : zero;
    const sum3 = f32x4.add(row0, row1);
    const sum5 = f32x4.add(row0, row2);
    const sum6 = f32x4.add(row1, row2);
    const sum7 = f32x4.add(sum3, row2);
    let target = table + at;
    v128.store(target, sum3);
    target += rowBytes;
    v128.store(target, sum5);
    target += rowBytes;
    v128.store(target, sum6);
    target += rowBytes;
    v128.store(target, sum7);
    target += rowBytes;
    v128.store(target, f32x4.add(row0, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(row1, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum3, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(row2, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum5, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum6, row3));
    target += rowBytes;
    v128.store(target, f32x4.add(sum7, row3));
  }
}

/** Rows and tables of the spike-fed convolution; tasks are (chunk of output channels, four input channels). */
export function packSpikeRows(instruction: usize, from: u32, until: u32): void {
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const rowBytes: usize = load<u32>(instruction + Word.rowBytes * 4);
  const tapBytes: usize = load<u32>(instruction + Word.tapBytes * 4);
  const chunkBytes: usize = load<u32>(instruction + Word.chunkBytes * 4);
  const tables = load<u32>(instruction + Word.tables * 4) != 0;
  const width = <u32>(rowBytes >>> 2);
  const groups = (inputChannels + 3) >>> 2;
  const chunks = (outputChannels + Width.chunk - 1) / Width.chunk;
  const last = claimStart(chunks * groups, until);
  for (let task = claimStart(chunks * groups, from); task < last; task++) {
    const chunk = task / groups;
    const group = task % groups;
    const firstInput = group * 4;
    const firstOutput = chunk * Width.chunk;
    const present = min<u32>(4, inputChannels - firstInput);
    const lanes = min<u32>(width, outputChannels - firstOutput);
    const target = packed + chunk * chunkBytes + firstInput * rowBytes;
    for (let lane: u32 = 0; lane < width; lane++) {
      let source = weights + ((firstOutput + lane) * inputChannels + firstInput) * taps * 4;
      for (let input: u32 = 0; input < present; input++) {
        let row = target + input * rowBytes + lane * 4;
        for (let tap: u32 = 0; tap < taps; tap++) {
          store<f32>(row, lane < lanes ? load<f32>(source) : 0);
          source += 4;
          row += tapBytes;
        }
      }
    }
    if (!tables) continue;
    for (let tap: u32 = 0; tap < taps; tap++) {
      const table = packed + chunk * chunkBytes + tap * tapBytes + (inputChannels + group * patterns) * rowBytes;
      fillTable(target + tap * tapBytes, rowBytes, present, table);
    }
  }
}

/** Panels of the dense convolution; tasks are (panel, input channel). */
export function packPanels(instruction: usize, from: u32, until: u32): void {
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const panels = (outputChannels + Width.panel - 1) / Width.panel;
  const last = claimStart(panels * inputChannels, until);
  for (let task = claimStart(panels * inputChannels, from); task < last; task++) {
    const panel = task / inputChannels;
    const input = task % inputChannels;
    for (let lane: u32 = 0; lane < <u32>Width.panel; lane++) {
      const output = panel * Width.panel + lane;
      let source = weights + (output * inputChannels + input) * taps * 4;
      let target = packed + ((panel * taps * inputChannels + input) * Width.panel + lane) * 4;
      for (let tap: u32 = 0; tap < taps; tap++) {
        store<f32>(target, output < outputChannels ? load<f32>(source) : 0);
        source += 4;
        target += inputChannels * Width.panel * 4;
      }
    }
  }
}

/** Lines of sixteen channels of the depthwise convolution, the kernel turned around where the input gradient asks for it. */
export function packDepthwise(instruction: usize, from: u32, until: u32): void {
  const channels = load<u32>(instruction + Word.outputChannels * 4);
  const taps = load<u32>(instruction + Word.kernelHeight * 4) * load<u32>(instruction + Word.kernelWidth * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const turned = load<u32>(instruction + Extra.tapsPerSlice * 4) != 0;
  const lines = (channels + Width.depthwise - 1) / Width.depthwise;
  const last = claimStart(lines, until);
  for (let line = claimStart(lines, from); line < last; line++) {
    for (let lane: u32 = 0; lane < <u32>Width.depthwise; lane++) {
      const channel = line * Width.depthwise + lane;
      for (let tap: u32 = 0; tap < taps; tap++) {
        const from = turned ? taps - 1 - tap : tap;
        const value: f32 = channel < channels ? load<f32>(weights + (channel * taps + from) * 4) : 0;
        store<f32>(packed + ((line * taps + tap) * Width.depthwise + lane) * 4, value);
      }
    }
  }
}

/** How many of `kernel` taps meet pixels of one phase: those that leave the remainder `phase` when divided by the stride. */
// @ts-ignore: decorator
@inline
export function phaseTaps(kernel: u32, stride: u32, phase: u32): u32 {
  return phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
}

/**
 * Panels of the input gradient: `[phase][panel of input channels][tap of the phase][output channel][8]`, see
 * `trainingInputGradient.ts`. Tasks are (panel, output channel).
 */
export function packInputGradient(instruction: usize, from: u32, until: u32): void {
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const packed: usize = load<u32>(instruction + Extra.packed * 4);
  const taps = kernelHeight * kernelWidth;
  const panels = (inputChannels + Width.panel - 1) / Width.panel;
  const tapBytes: usize = outputChannels * Width.panel * 4;
  const last = claimStart(panels * outputChannels, until);
  for (let task = claimStart(panels * outputChannels, from); task < last; task++) {
    const panel = task / outputChannels;
    const output = task % outputChannels;
    const firstInput = panel * Width.panel;
    const source = weights + (output * inputChannels + firstInput) * taps * 4;
    const lanes = min<u32>(Width.panel, inputChannels - firstInput);
    let phaseStart = packed;
    for (let phaseY: u32 = 0; phaseY < strideHeight; phaseY++) {
      const tapsY = phaseTaps(kernelHeight, strideHeight, phaseY);
      for (let phaseX: u32 = 0; phaseX < strideWidth; phaseX++) {
        const tapsX = phaseTaps(kernelWidth, strideWidth, phaseX);
        let target = phaseStart + panel * tapsY * tapsX * tapBytes + output * Width.panel * 4;
        for (let y: u32 = 0; y < tapsY; y++) {
          for (let x: u32 = 0; x < tapsX; x++) {
            const tap = (phaseY + y * strideHeight) * kernelWidth + phaseX + x * strideWidth;
            for (let lane: u32 = 0; lane < <u32>Width.panel; lane++) {
              store<f32>(target + lane * 4, lane < lanes ? load<f32>(source + (lane * taps + tap) * 4) : 0);
            }
            target += tapBytes;
          }
        }
        phaseStart += panels * tapsY * tapsX * tapBytes;
      }
    }
  }
}
