/** How people say the names of the authors' modules, where there is little room. A name that nothing is known of is its own title. */

/** `block3.0.attn.q_lif` is `block3.0.attn.q`. */
export function layerTitle(name: string): string {
  return name
    .replace(/_lif$/, '')
    .replace(/\.Conv\./, '.sepconv.')
    .replace(/^neck\.(\w+)_convs\./, 'neck.$1.')
    .replace(/^decode_head\.scale_heads\./, 'scale.')
    .replace(/^point_head\.levels\./, 'points.');
}

/** `ConvBlock1_2.0` is `1_2`, `block3.4` is `3.4`, a downsampling is an arrow. */
export function stageTitle(name: string): string {
  return name
    .replace(/^downsample.*/, '↓')
    .replace(/^ConvBlock(\d_\d)\.0$/, '$1')
    .replace(/^ConvBlock/, '')
    .replace(/^block/, '')
    .replace(/^decode_head\.scale_heads\./, 'scale ')
    .replace(/^\w+_head$/, 'head')
    .replace('classifier', 'out');
}

/** What stands behind a backbone's stages: `neck`, `decode_head`, `point_head`, …, or the classifier, whose modules have no common name. */
export function partBehindStages(name: string): string {
  return /^(neck|\w+_head)\./.exec(name)?.[1] ?? 'classifier';
}
