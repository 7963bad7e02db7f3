import type { ReachCall } from '../../calls/reach.js';
import { spikeWords } from '../../tensor.js';
import { spikeAt, spikeView } from '../memory.js';

export function reach(call: ReachCall): () => void {
  const { name, geometry: g, masks } = call;
  const { inputChannels: channels } = g;
  const [input, output] = [spikeView(name, call.input), spikeView(name, call.output)];
  const perPixel = spikeWords(channels);
  const reached = (image: number, outputY: number, outputX: number, channel: number): boolean => {
    for (let ky = 0; ky < g.kernelHeight; ky++)
      for (let kx = 0; kx < g.kernelWidth; kx++) {
        const y = outputY * g.strideHeight - g.paddingHeight + ky;
        const x = outputX * g.strideWidth - g.paddingWidth + kx;
        if (y < 0 || y >= g.inputHeight || x < 0 || x >= g.inputWidth) continue;
        const position = (image * g.inputHeight + y) * g.inputWidth + x;
        const hasWeight = spikeAt(masks, ky * g.kernelWidth + kx, channel, channels) === 1;
        if (hasWeight && spikeAt(input, position, channel, channels) === 1) return true;
      }
    return false;
  };
  return () => {
    output.fill(0);
    let position = 0;
    for (let image = 0; image < g.images; image++)
      for (let y = 0; y < g.outputHeight; y++)
        for (let x = 0; x < g.outputWidth; x++, position++)
          for (let channel = 0; channel < channels; channel++)
            if (reached(image, y, x, channel)) output[position * perPixel + (channel >>> 5)]! |= 1 << (channel & 31);
  };
}
