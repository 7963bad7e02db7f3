import type { CodeProductsCall } from '../../calls/codeProducts.js';
import { realView, spikeView } from '../memory.js';

export function codeProducts(call: CodeProductsCall): () => void {
  const { name, rows, channels } = call;
  const words = spikeView(name, call.codes);
  const codes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const queryWords = spikeView(name, call.query);
  const query = new Int16Array(queryWords.buffer, queryWords.byteOffset, channels);
  const [scales, output] = [realView(name, call.scales), realView(name, call.output)];
  const rowBytes = codes.length / rows;
  return () => {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++)
        sum = (sum + codes[row * rowBytes + channel]! * query[channel]!) | 0;
      output[row] = Math.fround(sum) * scales[row]!;
    }
  };
}
