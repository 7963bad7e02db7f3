/** The products of attention on real numbers, head by head as matrices; sums are float64, rounded once. */
import type { AttentionProductCall, AttentionProductGradientCall } from '../../calls/attentionProduct.js';
import type { Tensor } from '../../tensor.js';
import { realView } from '../memory.js';

type Sizes = Pick<AttentionProductCall, 'name' | 'images' | 'tokens' | 'channels' | 'heads'>;

/** Rows of `columns` numbers. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: (row: number, column: number) => number;
}

export function attentionProduct(call: AttentionProductCall): () => void {
  const { scale, heads, images } = call;
  const [query, key, value] = [call.query, call.key, call.value].map((tensor) => headsOf(call, tensor)) as Heads[];
  const output = headsOf(call, call.output);
  return () => {
    for (let image = 0; image < images; image++)
      for (let head = 0; head < heads; head++) {
        const counts = times(transposed(key!.get(image, head)), value!.get(image, head));
        output.set(image, head, times(query!.get(image, head), counts), Math.fround(scale));
      }
  };
}

export function attentionProductGradient(call: AttentionProductGradientCall): () => void {
  const { images, heads } = call;
  const scale = Math.fround(call.scale);
  const of = (tensor: Tensor) => headsOf(call, tensor);
  const [query, key, value, gradient] = [of(call.query), of(call.key), of(call.value), of(call.outputGradient)];
  const [queryGradient, keyGradient, valueGradient] = [
    of(call.queryGradient),
    of(call.keyGradient),
    of(call.valueGradient),
  ];
  return () => {
    for (let image = 0; image < images; image++)
      for (let head = 0; head < heads; head++) {
        const [q, k, v, g] = [query, key, value, gradient].map((all) => all.get(image, head)) as Matrix[];
        queryGradient.set(image, head, times(g!, times(transposed(v!), k!)), scale);
        keyGradient.set(image, head, times(v!, times(transposed(g!), q!)), scale);
        valueGradient.set(image, head, times(k!, times(transposed(q!), g!)), scale);
      }
  };
}

interface Heads {
  get(image: number, head: number): Matrix;
  set(image: number, head: number, matrix: Matrix, scale: number): void;
}

function headsOf({ name, tokens, channels, heads }: Sizes, tensor: Tensor): Heads {
  const values = realView(name, tensor);
  const width = channels / heads;
  const index = (image: number, head: number, row: number, column: number) =>
    (image * tokens + row) * channels + head * width + column;
  return {
    get: (image, head) => ({
      rows: tokens,
      columns: width,
      at: (row, column) => values[index(image, head, row, column)]!,
    }),
    set: (image, head, { rows, columns, at }, scale) => {
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          values[index(image, head, row, column)] = scale * at(row, column);
    },
  };
}

function transposed({ rows, columns, at }: Matrix): Matrix {
  return { rows: columns, columns: rows, at: (row, column) => at(column, row) };
}

function times(a: Matrix, b: Matrix): Matrix {
  const values = new Float64Array(a.rows * b.columns);
  for (let row = 0; row < a.rows; row++)
    for (let column = 0; column < b.columns; column++) {
      let sum = 0;
      for (let inner = 0; inner < a.columns; inner++) sum += a.at(row, inner) * b.at(inner, column);
      values[row * b.columns + column] = sum;
    }
  return { rows: a.rows, columns: b.columns, at: (row, column) => values[row * b.columns + column]! };
}
