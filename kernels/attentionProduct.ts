/**
 * The products of attention on real numbers, `scale · Q (Kᵀ V)` per image and head, and their gradient: matrices of a head's channels by its channels, which
 * wait in scratch, and products with them. Sums run over tokens, or over channels, in their order, whatever the number of threads.
 */
import { claimStart } from './threads';
import { loadLanes, multiplyAdd, storeLanes } from './vectors';

enum Word {
  query = 1,
  key = 2,
  value = 3,
  output = 4,
  images = 5,
  tokens = 6,
  channels = 7,
  heads = 8,
  scale = 9,
}

enum GradientWord {
  query = 1,
  key = 2,
  value = 3,
  outputGradient = 4,
  queryGradient = 5,
  keyGradient = 6,
  valueGradient = 7,
  images = 8,
  tokens = 9,
  channels = 10,
  heads = 11,
  scale = 12,
}

/**
 * `output[row][column] = scale · Σ a[row][inner] · b[inner][column]` for `width` columns. Numbers of `a` lie `aRow` and `aInner` bytes apart, rows of `b` and
 * of the output `bRow` and `outputRow`.
 */
function product(
  a: usize, aRow: usize, aInner: usize, b: usize, bRow: usize, output: usize, outputRow: usize, rows: u32, inner: u32, width: u32, scale: f32,
): void {
  const factor = f32x4.splat(scale);
  for (let row: u32 = 0; row < rows; row++) {
    let column: u32 = 0;
    for (; column + 16 <= width; column += 16) {
      let sum0 = f32x4.splat(0);
      let sum1 = f32x4.splat(0);
      let sum2 = f32x4.splat(0);
      let sum3 = f32x4.splat(0);
      let left = a + row * aRow;
      let right = b + column * 4;
      for (let k: u32 = 0; k < inner; k++) {
        const value = v128.load32_splat(left);
        sum0 = multiplyAdd(value, v128.load(right), sum0);
        sum1 = multiplyAdd(value, v128.load(right, 16), sum1);
        sum2 = multiplyAdd(value, v128.load(right, 32), sum2);
        sum3 = multiplyAdd(value, v128.load(right, 48), sum3);
        left += aInner;
        right += bRow;
      }
      const target = output + row * outputRow + column * 4;
      v128.store(target, f32x4.mul(factor, sum0));
      v128.store(target, f32x4.mul(factor, sum1), 16);
      v128.store(target, f32x4.mul(factor, sum2), 32);
      v128.store(target, f32x4.mul(factor, sum3), 48);
    }
    for (; column < width; column += 4) {
      const lanes = width - column;
      let sum = f32x4.splat(0);
      let left = a + row * aRow;
      let right = b + column * 4;
      for (let k: u32 = 0; k < inner; k++) {
        sum = multiplyAdd(v128.load32_splat(left), loadLanes(right, lanes), sum);
        left += aInner;
        right += bRow;
      }
      storeLanes(output + row * outputRow + column * 4, f32x4.mul(factor, sum), lanes);
    }
  }
}

export function attentionProduct(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + Word.tokens * 4);
  const channels = load<u32>(instruction + Word.channels * 4);
  const heads = load<u32>(instruction + Word.heads * 4);
  const scale = load<f32>(instruction + Word.scale * 4);
  const width = channels / heads;
  const rowBytes: usize = channels * 4;
  const squareRow: usize = ((width + 3) & ~3) * 4;
  const tasks = load<u32>(instruction + Word.images * 4) * heads;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const place: usize = (task / heads) * tokens * rowBytes + (task % heads) * width * 4;
    const query = <usize>load<u32>(instruction + Word.query * 4) + place;
    const key = <usize>load<u32>(instruction + Word.key * 4) + place;
    const value = <usize>load<u32>(instruction + Word.value * 4) + place;
    const output = <usize>load<u32>(instruction + Word.output * 4) + place;
    product(key, 4, rowBytes, value, rowBytes, scratch, squareRow, width, tokens, width, 1);
    product(query, rowBytes, 4, scratch, squareRow, output, rowBytes, tokens, width, width, scale);
  }
}

export function attentionProductGradient(instruction: usize, scratch: usize, from: u32, until: u32): void {
  const tokens = load<u32>(instruction + GradientWord.tokens * 4);
  const channels = load<u32>(instruction + GradientWord.channels * 4);
  const heads = load<u32>(instruction + GradientWord.heads * 4);
  const scale = load<f32>(instruction + GradientWord.scale * 4);
  const width = channels / heads;
  const rowBytes: usize = channels * 4;
  const squareRow: usize = ((width + 3) & ~3) * 4;
  const tasks = load<u32>(instruction + GradientWord.images * 4) * heads;
  const last = claimStart(tasks, until);
  for (let task = claimStart(tasks, from); task < last; task++) {
    const place: usize = (task / heads) * tokens * rowBytes + (task % heads) * width * 4;
    const query = <usize>load<u32>(instruction + GradientWord.query * 4) + place;
    const key = <usize>load<u32>(instruction + GradientWord.key * 4) + place;
    const value = <usize>load<u32>(instruction + GradientWord.value * 4) + place;
    const gradient = <usize>load<u32>(instruction + GradientWord.outputGradient * 4) + place;
    const queryGradient = <usize>load<u32>(instruction + GradientWord.queryGradient * 4) + place;
    const keyGradient = <usize>load<u32>(instruction + GradientWord.keyGradient * 4) + place;
    const valueGradient = <usize>load<u32>(instruction + GradientWord.valueGradient * 4) + place;
    product(value, 4, rowBytes, key, rowBytes, scratch, squareRow, width, tokens, width, 1);
    product(gradient, rowBytes, 4, scratch, squareRow, queryGradient, rowBytes, tokens, width, width, scale);
    product(gradient, 4, rowBytes, query, rowBytes, scratch, squareRow, width, tokens, width, scale);
    product(value, rowBytes, 4, scratch, squareRow, keyGradient, rowBytes, tokens, width, width, 1);
    product(query, 4, rowBytes, gradient, rowBytes, scratch, squareRow, width, tokens, width, scale);
    product(key, rowBytes, 4, scratch, squareRow, valueGradient, rowBytes, tokens, width, width, 1);
  }
}
