/** A tensor to be written into a checkpoint, and the check that its data fits its type and shape. */
import { elementCount, type Shape } from '../graph/shape.js';
import { DTYPE_BYTES, type DType } from './dtype.js';
import { CheckpointError, printable } from './errors.js';

export interface TensorData {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Row-major elements of `dtype`, little-endian; for float16 and bfloat16 their bits, in a `Uint16Array` for example. */
  readonly data: ArrayBufferView;
}

/** The tensor's bytes, not copied. @throws CheckpointError when their number does not fit the type and shape. */
export function bytesOf(name: string, { dtype, shape, data }: TensorData): Uint8Array {
  const expected = elementCount(shape) * DTYPE_BYTES[dtype];
  if (data.byteLength !== expected) {
    throw new CheckpointError(
      `cannot write ${printable(name)}: ${dtype} of shape [${shape.join(', ')}] takes ${expected} bytes, but its data has ${data.byteLength}; pass matching data`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
