/** Convolutions of every kind that engines tell apart, at odd sizes; and random ones. */
import type { ConvolutionGeometry, Storage } from '../../../src/engines/kernels.js';
import { geometryOf, SeededNumbers } from '../support.js';

export interface Layer {
  readonly title: string;
  readonly storage: Storage;
  readonly geometry: ConvolutionGeometry;
}

type Parts = Parameters<typeof geometryOf>[0];

const layer = (title: string, storage: Storage, parts: Parts): Layer => ({
  title,
  storage,
  geometry: geometryOf(parts),
});

/** Both storages. */
const both = (title: string, parts: Parts): Layer[] =>
  (['real', 'spikes'] as const).map((storage) => layer(`${title}, ${storage}`, storage, parts));

const pointwise = [1, 31, 32, 33, 65].flatMap((channels, index) =>
  [1, 5].flatMap((images) =>
    both(`pointwise, ${channels} channels, ${images} images`, {
      images,
      channels: [channels, [65, 33, 32, 31, 1][index]!],
      size: images === 1 ? [1, 1] : [3, 5],
      kernel: [1, 1],
    }),
  ),
);
const square = [1, 31, 32, 33, 65].flatMap((channels) =>
  both(`3×3, ${channels} channels`, {
    images: 5,
    channels: [channels, 7],
    size: [5, 6],
    kernel: [3, 3],
    padding: [1, 1],
  }),
);
const depthwise = [2, 31, 32, 33, 65].flatMap((channels) =>
  both(`depthwise, ${channels} channels`, {
    images: 5,
    channels: [channels, channels],
    size: [4, 5],
    kernel: [3, 3],
    padding: [1, 1],
    groups: channels,
  }),
);
const grouped = both('groups', {
  images: 2,
  channels: [6, 9],
  size: [7, 6],
  kernel: [3, 2],
  stride: [2, 1],
  padding: [1, 0],
  groups: 3,
});

/** What the wasm engine cuts up in ways of its own. */
const cut: readonly Layer[] = [
  layer('maps too large for one block of sums', 'spikes', {
    images: 2,
    channels: [5, 24],
    size: [41, 39],
    kernel: [3, 3],
    padding: [1, 1],
  }),
  layer('one row of pixels wider than a block of sums', 'spikes', {
    images: 2,
    channels: [3, 24],
    size: [3, 800],
    kernel: [3, 3],
    padding: [1, 1],
  }),
  layer('several small maps in a block, more blocks than parts', 'spikes', {
    images: 150,
    channels: [33, 45],
    size: [7, 7],
    kernel: [3, 3],
    padding: [1, 1],
  }),
  layer('a kernel without padding, of unequal sides', 'spikes', {
    images: 5,
    channels: [10, 17],
    size: [6, 9],
    kernel: [4, 2],
  }),
  layer('more padding than the kernel reaches', 'spikes', {
    images: 3,
    channels: [10, 8],
    size: [5, 5],
    kernel: [1, 2],
    padding: [2, 3],
  }),
  layer('tokens that do not fill their last row', 'spikes', {
    images: 1,
    channels: [70, 100],
    size: [1, 3001],
    kernel: [1, 1],
  }),
  ...both('a stride of two', {
    images: 3,
    channels: [45, 20],
    size: [9, 11],
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
  }),
  layer('a stride wider than the kernel', 'real', {
    images: 2,
    channels: [6, 10],
    size: [11, 10],
    kernel: [2, 1],
    stride: [3, 2],
  }),
  layer('numbers through a pointwise layer', 'real', { images: 7, channels: [45, 37], size: [13, 11], kernel: [1, 1] }),
  layer('numbers through a wide kernel', 'real', {
    images: 2,
    channels: [3, 16],
    size: [20, 21],
    kernel: [7, 7],
    padding: [3, 3],
  }),
  layer('tiles of Winograd, whole and cut', 'real', {
    images: 2,
    channels: [33, 18],
    size: [13, 11],
    kernel: [3, 3],
    padding: [2, 1],
  }),
  layer('depthwise numbers without padding', 'real', {
    images: 9,
    channels: [20, 20],
    size: [6, 7],
    kernel: [3, 3],
    groups: 20,
  }),
  layer('depthwise spikes with a stride', 'spikes', {
    images: 3,
    channels: [20, 20],
    size: [9, 9],
    kernel: [5, 5],
    stride: [2, 2],
    padding: [2, 2],
    groups: 20,
  }),
];

export const layers: readonly Layer[] = [...pointwise, ...square, ...depthwise, ...grouped, ...cut];

/** Any geometry that PyTorch would take, small, biased towards the layers that networks have. */
export function anyLayer(seed: number): Layer {
  const numbers = new SeededNumbers(1000 + seed);
  const kind = numbers.pick(['whole', 'whole', 'depthwise', 'grouped'] as const);
  const groups = kind === 'whole' ? 1 : kind === 'grouped' ? numbers.whole(2, 5) : numbers.whole(1, 100);
  const perGroup = kind === 'depthwise' ? 1 : 0;
  const channels = [0, 1].map(() => groups * (perGroup || numbers.whole(1, Math.ceil(100 / groups))));
  const kernel = numbers.pick([
    [1, 1],
    [3, 3],
    [7, 7],
    [numbers.whole(1, 4), numbers.whole(1, 4)],
  ] as const);
  return layer(`any (seed ${seed})`, numbers.pick(['real', 'spikes', 'spikes']), {
    images: numbers.whole(1, 6),
    channels: [channels[0]!, channels[1]!],
    size: [kernel[0] + numbers.whole(0, 8), kernel[1] + numbers.whole(0, 8)],
    kernel,
    stride: [numbers.whole(1, 3), numbers.whole(1, 3)],
    padding: [numbers.whole(0, kernel[0]), numbers.whole(0, kernel[1])],
    groups,
  });
}
