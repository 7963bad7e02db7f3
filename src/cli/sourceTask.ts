/** What a model is for, known before its weights are read: from the checkpoint's header. */
import { MetaSpikeformerError } from '../errors.js';
import { openCheckpointFile } from '../interop/checkpointFiles.js';
import { descriptionOf } from '../interop/modelDescription.js';
import { type AnyTask, defaultTask, taskNamed } from '../tasks/registry.js';

/** What is wrong with the checkpoint is said when it is loaded; until then it counts as a classifier, as registered models are. */
export async function taskOfSource(checkpoint: string | undefined): Promise<AnyTask> {
  if (checkpoint === undefined) return taskNamed(defaultTask);
  try {
    const opened = await openCheckpointFile(checkpoint);
    try {
      return taskNamed(descriptionOf(opened).task ?? defaultTask);
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof MetaSpikeformerError) return taskNamed(defaultTask);
    throw error;
  }
}
