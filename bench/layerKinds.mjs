// @ts-check
/** Layers of a Meta-SpikeFormer by kind, for tables of times. */

/**
 * The kind of layer that a layer's name tells.
 *
 * @param {string} name
 * @param {{ has(name: string): boolean }} layers all that were timed
 */
export function kindOf(name, layers) {
  if (/lif$/.test(name)) return 'neurons';
  if (name.startsWith('downsample1_1')) return 'first convolution';
  if (/^downsample/.test(name)) return 'other downsampling';
  if (/ConvBlock.*\.Conv\.dwconv/.test(name)) return 'SepConv, depthwise 7×7';
  if (/ConvBlock.*\.Conv\.pwconv1/.test(name)) return 'SepConv, first 1×1';
  if (/ConvBlock.*\.Conv\./.test(name)) return 'SepConv, last 1×1 (dense)';
  if (/ConvBlock.*\.conv1/.test(name)) return 'ChannelConv, first 3×3';
  if (/ConvBlock.*\.conv2/.test(name)) return 'ChannelConv, second 3×3';
  if (/\.product$/.test(name)) return 'attention, products';
  if (/_conv\.\d.*body\.2\.1$/.test(name) && !layers.has(name.replace(/2\.1$/, '0'))) return 'RepConv, one 3×3';
  if (/body\.2\.1$/.test(name)) return 'RepConv, last 1×1 (dense)';
  if (/body\.2\.0$/.test(name)) return 'RepConv, depthwise';
  if (/body\.0$/.test(name)) return 'RepConv, first 1×1';
  if (/\.mlp\.fc/.test(name)) return 'MLP';
  return 'sums and head';
}
