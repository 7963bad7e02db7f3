/** The page's end of the line to the worker. */
import type { FromWorker, Stopped, ToWorker } from './messages.js';

/** One for each pane; what panes of other things than images say and hear is of other types. */
export class EngineClient<Said = ToWorker, Heard = FromWorker> {
  readonly #worker: Worker;

  /** @param onMessage Also told when the worker itself cannot be started or dies. */
  constructor(onMessage: (message: Heard | Stopped) => void) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }: MessageEvent<Heard>) => onMessage(data);
    this.#worker.onerror = (event) => {
      const message = `the engine stopped (${event.message || 'its worker could not be loaded'}); reload the page`;
      onMessage({ kind: 'failed', what: 'model', message });
    };
  }

  send(message: Said, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  dispose(): void {
    this.#worker.terminate();
  }
}

/** What this browser lacks to run the engine, or undefined. */
export function missingFeature(): string | undefined {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(simdProbe)) return 'WebAssembly with SIMD';
  if (typeof Worker === 'undefined') return 'web workers';
  if (typeof OffscreenCanvas === 'undefined') return 'canvases outside the page (OffscreenCanvas)';
  return undefined;
}

/** A module of one function that makes a vector of zeros: valid where SIMD is. */
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);
