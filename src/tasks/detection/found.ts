/** What was found in an image, whatever head found it. */

export interface Detection {
  /** Class number. */
  readonly class: number;
  readonly score: number;
  /** In pixels of the input. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** Of detectors with regions: which of the box's pixels are of the object. */
  readonly mask?: DetectionMask;
}

/** Stretched over the box. */
export interface DetectionMask {
  readonly height: number;
  readonly width: number;
  /** `[height, width]` */
  readonly probabilities: Float32Array;
}

/** Scores below are no detections. */
export const leastScore = 0.05;
