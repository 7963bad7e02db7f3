/** Fetching the weights that come with the page, and saying how far that is. */
import { weightsAddress } from '../../../src/index.browser.js';

export type Progress = (what: string, share: number | null) => void;

/** The weights that come with the page as a file, or the name of a network whose weights are drawn. */
export async function registeredWeights(name: string, progress: Progress): Promise<File | string> {
  if (name.endsWith('-random')) return name;
  const address = weightsAddress(name);
  const response = await fetch(address);
  if (!response.ok || !response.body)
    throw new Error(`${name}: its weights could not be fetched (${response.status} ${response.statusText})`);
  // A compressed transfer says how long it is compressed, which is of no use here.
  const length = response.headers.has('content-encoding') ? 0 : Number(response.headers.get('content-length') ?? 0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    progress('Fetching the weights', length > 0 ? Math.min(1, received / length) : null);
  }
  return new File(parts, name);
}
