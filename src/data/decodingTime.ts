/**
 * A time limit for work inside native code, which cannot be stopped from outside: whoever waits is told when the limit is passed, and
 * the work's thread is left to itself. It counts what is still under way, so that a process can end without waiting for it.
 */
import { decodesUnderWay, decodingRules } from './decodingRules.js';
import { ImageError } from './errors.js';

/** libuv has 4 threads; shared by all threads of a process; with the last one taken nothing could be read any more. */
const mostGivenUp = 3;

/** Runs `work`, and `ended` when it has really ended. Throws ImageError naming `label` and the limit when it takes longer than that. */
export function withinTime<Result>(label: string, work: () => Promise<Result>, ended: () => void): Promise<Result> {
  const { givenUp } = decodesUnderWay;
  if (givenUp >= mostGivenUp) {
    ended();
    throw new ImageError(`${label}: is not decoded, since ${givenUp} images before it never ended; remove those`);
  }
  const { timeoutSeconds } = decodingRules();
  return new Promise<Result>((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      decodesUnderWay.addGivenUp(1);
      reject(
        new ImageError(
          `${label}: was not decoded within ${timeoutSeconds} s; remove the file, or allow more time with --decode-timeout`,
        ),
      );
    }, 1000 * timeoutSeconds);
    const settle = () => {
      decodesUnderWay.add(-1);
      clearTimeout(timer);
      if (late) decodesUnderWay.addGivenUp(-1);
      ended();
    };
    decodesUnderWay.add(1);
    work().then(
      (result) => {
        settle();
        resolve(result);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}
