/** Rows scaled to length 1, the last step of a descriptor, and the gradient. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, word, write } from './call.js';

/** A shorter row is divided by this, as in PyTorch's `normalize`: zeros stay zeros. */
export const shortestRow = 1e-12;

/** PyTorch's `normalize` along the last axis: `output[r, c] = input[r, c] / max(√(Σₖ input[r, k]²), 10⁻¹²)`. Sums are float64 in the order of the channels. */
export interface UnitRowsCall {
  readonly name: string;
  readonly rows: number;
  readonly channels: number;
  /** Real, `[rows, channels]`. */
  readonly input: Tensor;
  /** Real, `[rows, channels]`. */
  readonly output: Tensor;
}

type Sizes = Pick<UnitRowsCall, 'rows' | 'channels'>;

const rowsShape = ({ rows, channels }: Sizes) => [rows, channels];

export const unitRows = declareCall<UnitRowsCall>('unitRows', {
  sizes: ['rows', 'channels'],
  tensors: { input: read('real', rowsShape), output: write('real', rowsShape) },
});

/** With `y` the output and `n` the divisor: `δinput = (δoutput − y · ⟨y, δoutput⟩) / n`; of a row shorter than 10⁻¹² it is `δoutput / n`. */
export interface UnitRowsGradientCall extends Omit<UnitRowsCall, 'output'> {
  /** Real, `[rows, channels]`. */
  readonly outputGradient: Tensor;
  /** Real, `[rows, channels]`. */
  readonly inputGradient: Tensor;
  /** Add to what the gradient holds. */
  readonly accumulate: boolean;
}

export const unitRowsGradient = declareCall<UnitRowsGradientCall>('unitRowsGradient', {
  sizes: ['rows', 'channels'],
  tensors: {
    input: read('real', rowsShape),
    outputGradient: read('real', rowsShape),
    inputGradient: write('real', rowsShape),
  },
  settings: { accumulate: word(({ accumulate }) => (accumulate ? 1 : 0)) },
});
