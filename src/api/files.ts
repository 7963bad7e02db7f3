/** Files of models, for Node: what is opened and written by path. */

import { writeNodeFile } from '../interop/nodeFile.js';
import type { OnnxOptions } from '../interop/onnx/exportOnnx.js';
import { onnxParts } from './exportModel.js';
import type { Model } from './model.js';

export { openCheckpointFile, writePth, writeSafetensors } from '../interop/checkpointFiles.js';

/**
 * Writes a model as ONNX; what was at `path` is replaced only when the new file is complete.
 *
 * @throws As `onnxParts`, and CheckpointError when the file cannot be written.
 */
export function writeOnnx(path: string, model: Model, options: Partial<OnnxOptions> = {}): Promise<void> {
  return writeNodeFile(path, onnxParts(model, options));
}
