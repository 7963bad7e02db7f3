/**
 * A time limit for work inside native code, which is asked to stop at the limit but may not: whoever waits is told then in any case, and
 * the work's thread is left to itself. It counts what is still under way, so that a process can end without waiting for it.
 */
import type { Sharp } from 'sharp';
import { decodesUnderWay, decodingRules } from './decodingRules.js';
import { ImageError } from './errors.js';

/** libuv has 4 threads; shared by all threads of a process; with the last one taken nothing could be read any more. */
const mostGivenUp = 3;

/** Where libvips looks at its clock it can be told to stop: between rows, and for at most an hour. */
const longestOfLibvips = 3600;

/** The decoder, told to stop by itself at the limit where it can. */
export function stoppingInTime(image: Sharp): Sharp {
  const { timeoutSeconds } = decodingRules();
  return timeoutSeconds > longestOfLibvips ? image : image.timeout({ seconds: Math.ceil(timeoutSeconds) });
}

/** Whether a decoder did so. */
export function wasStopped(error: unknown): boolean {
  return error instanceof Error && /^timeout: \d+% complete$/m.test(error.message);
}

/** Runs `work`, and `ended` when it has really ended. Throws ImageError naming `label` and the limit when it takes longer than that. */
export function withinTime<Result>(label: string, work: () => Promise<Result>, ended: () => void): Promise<Result> {
  const { givenUp } = decodesUnderWay;
  if (givenUp >= mostGivenUp) {
    ended();
    throw new ImageError(
      `${label}: is not decoded, because ${givenUp} images before it could not be decoded in time; remove those`,
    );
  }
  const { timeoutSeconds } = decodingRules();
  return new Promise<Result>((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      decodesUnderWay.addGivenUp(1);
      reject(tooLate(label, timeoutSeconds));
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
        reject(wasStopped(error) ? tooLate(label, timeoutSeconds) : error);
      },
    );
  });
}

function tooLate(label: string, seconds: number): ImageError {
  return new ImageError(
    `${label}: was not decoded within ${seconds} s; remove the file, or allow more time with --decode-timeout`,
  );
}
