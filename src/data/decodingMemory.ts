/**
 * How much memory decoding an image will take, judged by its header. Factors are peaks of the process measured on pictures of 36 million pixels,
 * above what it takes with a small one, rounded up.
 */

export type ImageFormat = 'JPEG' | 'PNG' | 'WebP' | 'GIF' | 'TIFF' | 'AVIF';

/** See {@link decodingBytes}. */
export interface ImageShape {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** Samples per pixel: a fraction where colours are stored at a lower resolution. */
  readonly channels: number;
  /** 8 or 16 (32 counts as such too). */
  readonly bitsPerSample: number;
  /** Interlaced or progressive: all of it is in memory before the first row is known. */
  readonly progressive: boolean;
  /** Length of the file. */
  readonly fileBytes: number;
}

const outputBytes = 3;

/** Bytes at the peak, the file and the decoded pixels included. */
export function decodingBytes(shape: ImageShape): number {
  return shape.fileBytes + Math.ceil(shape.width * shape.height * (outputBytes + workingBytes(shape)));
}

/** Bytes per pixel beside the output. */
function workingBytes({ format, channels, bitsPerSample, progressive }: ImageShape): number {
  const sampleBytes = Math.ceil(bitsPerSample / 8);
  switch (format) {
    case 'JPEG':
      // Coefficients have 16 bits; CMYK is decoded as such first. Subsampled colours take less than is said here.
      return (progressive ? 2 * channels : 0) + (channels === 4 ? 4 : 0);
    case 'PNG':
      if (sampleBytes === 2 && channels <= 2) return 4 + (progressive ? 2 * channels : 0);
      return progressive ? channels * sampleBytes : 1;
    case 'WebP':
      return 5;
    case 'GIF':
      return 1;
    case 'TIFF':
      // A strip may be the whole picture; turning it takes a second output.
      return channels * sampleBytes + outputBytes;
    case 'AVIF':
      return 15;
  }
}
