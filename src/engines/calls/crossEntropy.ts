/**
 * Cross entropy of the softmax of rows of scores, with its gradient (the formulas are in `training/losses/crossEntropy.ts`), where the scores lie: for outputs that are
 * too large to be read and answered, such as a score for each class and pixel.
 */
import { EngineError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { declareCall, read, write } from './call.js';

/**
 * With z a row, p = softmax(z) and q its target, which is (1 − ε)·onehot(label) + ε/K or given: `losses = −Σₖ qₖ ln pₖ`, `gradient = scale · (p·Σq − q)`. A row whose label is
 * no whole number from 0 to K − 1 is left out: its loss and its gradient are 0.
 *
 * Sums are float64, of four lanes: element i is added to lane i mod 4, and the lanes are (0 + 1) + (2 + 3). Exponentials are right but for some units in the last place of
 * a float64, and the same on all fast engines; what is stored is float32.
 */
export interface CrossEntropyCall {
  readonly name: string;
  readonly rows: number;
  readonly classes: number;
  /** Real, `[rows, classes]`. */
  readonly scores: Tensor;
  /** Real, `[rows]`: whole numbers. Either these or targets. */
  readonly labels?: Tensor;
  /** Real, `[rows, classes]`, not negative. */
  readonly targets?: Tensor;
  /** Two float64, each in the place of two elements: the scale and ε, which targets have no use for. */
  readonly numbers: Tensor;
  /** Real, `[rows, classes]`. */
  readonly gradient: Tensor;
  /** Real, `[rows]`; not scaled. */
  readonly losses: Tensor;
  /** Real, `[rows]`: the class with the largest score, the first of several. */
  readonly likeliest: Tensor;
}

const rowShape = ({ rows }: Pick<CrossEntropyCall, 'rows'>) => [rows];
const scoreShape = ({ rows, classes }: Pick<CrossEntropyCall, 'rows' | 'classes'>) => [rows, classes];

export const crossEntropy = declareCall<CrossEntropyCall>('crossEntropy', {
  sizes: ['rows', 'classes'],
  tensors: {
    scores: read('real', scoreShape),
    labels: read('real', rowShape),
    targets: read('real', scoreShape),
    numbers: read('real', () => [2, 2]),
    gradient: write('real', scoreShape),
    losses: write('real', rowShape),
    likeliest: write('real', rowShape),
  },
  check: ({ name, labels, targets }) => {
    if ((labels === undefined) === (targets === undefined))
      throw new EngineError(`${name}: found ${labels ? 'labels and' : 'neither labels nor'} targets; give one of them`);
  },
});
