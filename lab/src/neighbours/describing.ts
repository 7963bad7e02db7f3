/** Descriptors of pictures in the worker, by a network for retrieval. */
import { decodeImage, type Model, type RunResult } from '../../../src/index.browser.js';
import type { DescribedView } from '../engine/messages.js';

/** Of the first image of a run, a copy, since messages give arrays away; null of a network for something else. */
export function descriptorOf({ task }: Model, { outputs }: RunResult): Float32Array<ArrayBuffer> | null {
  const found = task === 'retrieval' ? outputs.get('descriptors') : undefined;
  return found ? new Float32Array(found.data) : null;
}

/** @returns with the reason where a picture cannot be described: the page goes on without it. */
export async function describedPicture(
  model: Model | undefined,
  configuration: number,
  { id, image }: { readonly id: number; readonly image: Blob },
): Promise<DescribedView> {
  const without = (problem: string): DescribedView => ({ id, configuration, descriptor: null, problem });
  if (model?.task !== 'retrieval') return without('the network describes nothing');
  try {
    const result = await model.run(await model.inputOf([await decodeImage(image)]));
    return { id, configuration, descriptor: descriptorOf(model, result), problem: null };
  } catch (error) {
    return without(error instanceof Error ? error.message : String(error));
  }
}
