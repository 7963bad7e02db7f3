/** What a race and its contestants say to each other. */

export const contestants = ['f32', 'i16', 'onnxruntime-node', 'onnxruntime-web'] as const;
export type Contestant = (typeof contestants)[number];

export interface ContestantTask {
  readonly contestant: Contestant;
  readonly checkpoint: string;
  readonly onnx: string;
  /** Of the input, `[B, C, H, W]`. */
  readonly shape: readonly number[];
  readonly threads: number;
  /** Of our engine. */
  readonly tuning?: TaskTuning;
}

/** What was measured for our engine before the race. */
export interface TaskTuning {
  /** Of RepConvs, by name. */
  readonly forms: readonly (readonly [layer: string, form: 'none' | 'full'])[];
  /** Share of neurons that fire, by layer. */
  readonly firingRates: readonly (readonly [layer: string, rate: number])[];
}

export type FromContestant =
  | { readonly kind: 'ready'; readonly logits: readonly number[]; readonly firingRate: number | null }
  | { readonly kind: 'time'; readonly milliseconds: number; readonly peakMemoryMB: number }
  | { readonly kind: 'failed'; readonly message: string };

/** The same numbers for every contestant: uniform with deviation 1, as normalised images have. */
export function inputOf(shape: readonly number[]): Float32Array {
  let state = 12345;
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * Math.sqrt(12);
  });
}
