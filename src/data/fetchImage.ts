/** The bytes of an image at an address, in Node and in browsers. What they mean is the decoder's business. */
import { ImageError } from './errors.js';

/** @throws ImageError when the address cannot be reached or answers with an error. */
export async function fetchImage(address: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const text = String(address);
  const name = text.length > 200 ? `${text.slice(0, 60)}…` : text;
  let response: Response;
  try {
    response = await fetch(address);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const reason =
      cause instanceof Error ? (cause.cause instanceof Error && cause.cause.message) || cause.message : String(cause);
    throw new ImageError(`${name}: cannot be fetched (${reason}); check the address and the connection`, { cause });
  }
  throw new ImageError(
    `${name}: the server answered ${`${response.status} ${response.statusText}`.trim()}; check the address`,
  );
}
