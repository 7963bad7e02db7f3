/** Cases of the kernels of the optimizer and the loss. */
import { SeededNumbers } from '../support.js';
import { type Case, positive, real, result, TensorSpec } from './specs.js';

/** Numbers of float64 in the place of two elements each; the lower of the two is no NaN for numbers that a float32 can hold. */
function doubles(values: readonly number[]): TensorSpec {
  const words = new Float32Array(Float64Array.from(values, Math.fround).buffer);
  return new TensorSpec('real', [values.length, 2], words);
}

export function sumOfSquaresCases(): Case[] {
  return [1, 2, 7, 70].map((parts) => {
    const numbers = new SeededNumbers(parts);
    const lengths = Array.from({ length: parts }, () => numbers.pick([1, 3, 16, 31, 100, 1001]));
    const starts = lengths.map((_, part) =>
      lengths.slice(0, part).reduce((sum, length) => sum + Math.ceil(length / 16), 0),
    );
    // The last part ends behind the vector.
    const elements = 16 * starts.at(-1)! + lengths.at(-1)! - (parts > 2 ? 1 : 0);
    const ranges = new Float32Array(Uint32Array.from(starts.flatMap((start, part) => [start, lengths[part]!])).buffer);
    return {
      title: `${parts} parts`,
      call: {
        elements,
        parts,
        // Their squares are whole numbers, and so are the sums.
        values: new TensorSpec(
          'real',
          [elements],
          Float32Array.from({ length: elements }, () => numbers.whole(-20, 20)),
        ),
        ranges: new TensorSpec('real', [parts, 2], ranges),
        sums: result([parts, 2]),
      },
    };
  });
}

export function adamWCases(): Case[] {
  return [1, 3, 33, 1000].flatMap((lines) =>
    [1, 0.37].map((scale) => {
      const numbers = new SeededNumbers(lines);
      const shape = [lines, 16];
      return {
        title: `${lines} lines, gradients times ${scale}`,
        call: {
          lines,
          parameters: real(numbers, shape),
          gradients: real(numbers, shape),
          firstMoment: real(numbers, shape),
          secondMoment: positive(numbers, shape),
          decays: new TensorSpec('real', [lines], numbers.bits(lines, 0.5)),
          numbers: doubles([scale, 0.9, 0.1, 0.999, 0.001, 0.995, 0.01, 1.5, 1e-8]),
        },
      };
    }),
  );
}

export function crossEntropyCases(): Case[] {
  return [1, 2, 3, 4, 5, 10, 37, 150, 1000].flatMap((classCount, index) =>
    [1, 3, 70].flatMap((rows) => {
      const numbers = new SeededNumbers(10 * rows + index);
      const shape = [rows, classCount];
      const call = {
        rows,
        classes: classCount,
        // From what is almost certain to what is almost the same everywhere.
        scores: real(numbers, shape, [0.1, 3, 60, 800][index % 4]!),
        gradient: result(shape),
        losses: result([rows]),
        likeliest: result([rows]),
      };
      const labels = Float32Array.from({ length: rows }, (_, row) =>
        // No class, in four ways.
        row % 7 === 3 ? numbers.pick([-1, classCount, 0.5, 1e9]) : numbers.whole(0, classCount - 1),
      );
      return [0, 0.1]
        .map((smoothing) => ({
          title: `${rows} rows of ${classCount} classes, ${smoothing > 0 ? 'smoothed labels' : 'labels'}`,
          call: { ...call, labels: new TensorSpec('real', [rows], labels), numbers: doubles([1 / 3, smoothing]) },
        }))
        .concat({
          title: `${rows} rows of ${classCount} classes, targets`,
          call: { ...call, targets: positive(numbers, shape), numbers: doubles([0.25, 0]) } as never,
        });
    }),
  );
}
