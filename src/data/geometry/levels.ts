/** Which level of a feature pyramid a region is cut from (Lin et al. 2017, Feature Pyramid Networks, equation 1), with mmdetection's constants: larger regions from coarser maps. */

export interface LevelSettings {
  /** Levels to choose from, finest first. */
  readonly levels: number;
  /** Side of a square region in pixels below whose double the finest level is taken. */
  readonly finestSide: number;
}

const publishedLevels: LevelSettings = { levels: 4, finestSide: 56 };

/**
 * `⌊log₂(√(w · h) / finestSide + 10⁻⁶)⌋`, cut to the levels that there are, rounded to float32 where PyTorch rounds.
 *
 * @param boxes `[N, 4]`: left, top, right and bottom in pixels. What has no area is of the finest level.
 * @returns `[N]`, 0 for the finest level.
 */
export function levelsOf(boxes: Float32Array, { levels, finestSide }: LevelSettings = publishedLevels): Uint8Array {
  return Uint8Array.from({ length: boxes.length / 4 }, (_, i) => {
    const width = Math.fround(boxes[4 * i + 2]! - boxes[4 * i]!);
    const height = Math.fround(boxes[4 * i + 3]! - boxes[4 * i + 1]!);
    const side = Math.fround(Math.sqrt(Math.fround(width * height)));
    const ratio = Math.fround(Math.fround(side / finestSide) + Math.fround(1e-6));
    const level = Math.floor(Math.fround(Math.log2(ratio)));
    return Number.isNaN(level) ? 0 : Math.min(Math.max(level, 0), levels - 1);
  });
}
