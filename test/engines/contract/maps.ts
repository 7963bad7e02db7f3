/** Cases of the kernels of dense prediction, whose maps change their size. */
import { SeededNumbers } from '../support.js';
import { type Case, real, result } from './specs.js';

const channelCounts = [1, 3, 33, 64];

/** Heights and widths before and after: the same, doubled, halved, odd, one pixel, longer on one axis alone. */
const resizes = [
  [4, 5, 4, 5],
  [3, 4, 6, 8],
  [8, 6, 4, 3],
  [7, 10, 13, 21],
  [7, 10, 9, 6],
  [13, 9, 5, 4],
  [5, 3, 1, 1],
  [1, 1, 3, 4],
  [1, 6, 7, 2],
  [2, 2, 9, 9],
] as const;

function ofResizes(isGradient: boolean): Case[] {
  return resizes.flatMap(([inputHeight, inputWidth, outputHeight, outputWidth], index) =>
    (['nearest', 'bilinear'] as const).map((mode) => {
      const channels = channelCounts[index % channelCounts.length]!;
      const images = 1 + 2 * (index % 2);
      const numbers = new SeededNumbers(index);
      const [small, large] = [
        [images, inputHeight, inputWidth, channels],
        [images, outputHeight, outputWidth, channels],
      ];
      const accumulate = index % 3 === 0;
      return {
        title: `${mode}, ${inputHeight}×${inputWidth} to ${outputHeight}×${outputWidth}, ${channels} channels`,
        call: {
          ...{ images, inputHeight, inputWidth, outputHeight, outputWidth, channels, mode },
          ...(isGradient
            ? {
                accumulate,
                outputGradient: real(numbers, large),
                inputGradient: accumulate ? real(numbers, small) : result(small),
              }
            : { input: real(numbers, small), output: result(large) }),
        },
      };
    }),
  );
}

export const mapCases: Readonly<Record<string, () => Case[]>> = {
  resize: () => ofResizes(false),
  resizeGradient: () => ofResizes(true),
};
