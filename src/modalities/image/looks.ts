/**
 * Several looks at one image: as it is, mirrored, and a little nearer and turned either way. Answers to all of them together scatter less than the answer to one (test-time augmentation;
 * Krizhevsky et al., NeurIPS 2012). They are made of the network's input, not of the image, so that wherever the input comes from they are the same.
 */

/** How the network sees an image once more. */
export interface Look {
  readonly mirrored: boolean;
  /** The side of the part that is seen, as a share of the whole. */
  readonly part: number;
  /** Counter-clockwise, around the centre. */
  readonly degrees: number;
}

/** The part is so much smaller that a turned look reaches nowhere beyond a square image: 0.85 · (cos 10° + sin 10°) < 1. */
const [part, degrees] = [0.85, 10];

/** In the order in which they are taken. */
const allLooks: readonly Look[] = [
  { mirrored: false, part: 1, degrees: 0 },
  { mirrored: true, part: 1, degrees: 0 },
  { mirrored: false, part, degrees },
  { mirrored: false, part, degrees: -degrees },
];

/** How many looks there may be. */
export const lookCounts = ['1', '2', '4'] as const;

/** The first `count` looks but the first, which is the input itself. */
export function furtherLooks(count: number): readonly Look[] {
  return allLooks.slice(1, count);
}

/**
 * The same input through another look.
 *
 * @param input `[…, H, W]`. Between pixels it is interpolated linearly; beyond the border the border's pixels go on, which only long images show.
 */
export function throughLook(input: Float32Array, [height, width]: readonly [number, number], look: Look): Float32Array {
  const output = new Float32Array(input.length);
  const plane = height * width;
  const samples = samplesOf(height, width, look);
  for (let start = 0; start < input.length; start += plane)
    for (let i = 0; i < plane; i++) {
      const from = 4 * i;
      let value = 0;
      for (let corner = from; corner < from + 4; corner++)
        value += samples.weights[corner]! * input[start + samples.places[corner]!]!;
      output[start + i] = value;
    }
  return output;
}

/** The four pixels that each one is made of, and how much of each. */
interface Samples {
  readonly places: Int32Array;
  readonly weights: Float64Array;
}

function samplesOf(height: number, width: number, { mirrored, part: share, degrees: angle }: Look): Samples {
  const places = new Int32Array(4 * height * width);
  const weights = new Float64Array(4 * height * width);
  const turn = (angle * Math.PI) / 180;
  const [cosine, sine] = [share * Math.cos(turn), share * Math.sin(turn)];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [(mirrored ? width - 1 - x : x) - middleX, y - middleY];
      const [column, right] = between(cosine * dx - sine * dy + middleX, width);
      const [row, below] = between(sine * dx + cosine * dy + middleY, height);
      const [nextColumn, nextRow] = [Math.min(column + 1, width - 1), Math.min(row + 1, height - 1)];
      const at = 4 * (y * width + x);
      places.set(
        [row * width + column, row * width + nextColumn, nextRow * width + column, nextRow * width + nextColumn],
        at,
      );
      weights.set([(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right], at);
    }
  return { places, weights };
}

/** The pixel at or before a position, and how far behind it the position is, as a share of the way to the next. */
function between(position: number, length: number): readonly [number, number] {
  const inside = Math.min(Math.max(position, 0), length - 1);
  const before = Math.floor(inside);
  return [before, inside - before];
}
