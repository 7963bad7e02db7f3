/**
 * The worker in which the engine lives, so that the page never waits for it. Messages are answered one after the other; a camera's frames
 * do not queue up, because the page sends the next one when it has the answer to the last.
 */
import { z } from 'zod';
import { MetaSpikeformerError, modelNames } from '../../../src/index.browser.js';
import type { EventSession } from '../events/engine/eventSession.js';
import type { FromEvents, ToEvents, ToEventWorker } from '../events/messages.js';
import type { FrameView, FromWorker, ToWorker } from './messages.js';
import { Session } from './session.js';

// A page may forbid code made from text, as the lab's own server does.
z.config({ jitless: true });

/** The part of a worker's scope that is used here; TypeScript's worker library and the page's contradict each other. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker | ToEventWorker>) => void) | null;
  postMessage(message: FromWorker | FromEvents, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const session = new Session();
/** A page that shows images never loads it. */
let eventSession: Promise<EventSession> | undefined;
let queue: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  if (data.kind === 'events') return hearOfEvents(data.message);
  queue = queue.then(() => answer(data)).catch((error: unknown) => fail(data, error));
};

const progress = (what: string, share: number | null): void => scope.postMessage({ kind: 'progress', what, share });

function hearOfEvents(message: ToEvents): void {
  eventSession ??= import('../events/engine/eventSession.js').then(
    ({ EventSession }) => new EventSession((answered, transfer) => scope.postMessage(answered, transfer)),
  );
  eventSession.then(
    (events) => events.receive(message),
    (error: unknown) => scope.postMessage({ kind: 'failed', what: 'model', message: `the engine: ${String(error)}` }),
  );
}

async function answer(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'open': {
      scope.postMessage({ kind: 'networks', names: modelNames() });
      const model = await session.open(message.source, message.settings, progress);
      scope.postMessage({ kind: 'ready', configuration: session.configuration, model });
      return sendFrame(await session.showPhotograph());
    }
    case 'settings': {
      const model = await session.configure(message.settings, progress);
      if (!model) return;
      scope.postMessage({ kind: 'ready', configuration: session.configuration, model });
      return sendFrame(await session.showAgain());
    }
    case 'focus':
      session.look(message.focus);
      if (session.seesFocus) return scope.postMessage({ kind: 'looked', ...session.view() });
      return sendFrame(await session.lookAgain(), false);
    case 'describe': {
      const described = await session.describe(message.id, message.image);
      return scope.postMessage(
        { kind: 'described', described },
        described.descriptor ? [described.descriptor.buffer] : [],
      );
    }
    case 'image':
      return sendFrame(await session.show(message.image, message.live));
  }
}

/** The energy of an image that was shown before is known. */
function sendFrame(frame: FrameView | undefined, counted = true): void {
  if (!frame) return;
  const transfer: Transferable[] = [frame.rates.buffer, frame.input.rgba.buffer];
  if (frame.focus) transfer.push(frame.focus.words.buffer);
  if (frame.dense?.kind === 'mask') transfer.push(frame.dense.mask.buffer);
  if (frame.descriptor) transfer.push(frame.descriptor.buffer);
  scope.postMessage({ kind: 'frame', frame }, transfer);
  const energy = counted ? session.energy() : undefined;
  if (energy) scope.postMessage({ kind: 'energy', energy });
}

function fail(message: ToWorker, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  // What the library says is written for people; anything else is a defect, and the console has its trace.
  if (!(error instanceof MetaSpikeformerError)) console.warn(error);
  const live = message.kind === 'image' && message.live;
  const what = message.kind === 'image' ? (live ? 'frame' : 'image') : 'model';
  scope.postMessage({ kind: 'failed', what, message: text });
}
