/** The pane of recordings at work: one reducer holds its state (`eventState.ts`), effects pass what was chosen to the worker, the address follows. */
import { type RefObject, useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import { EngineClient, missingFeature } from '../engine/client.js';
import { kindOf } from '../input/files.js';
import { paneOf } from '../pane.js';
import {
  begin,
  type ChosenRecording,
  type EventAction,
  type EventState,
  lastMomentOf,
  reduce,
  windowAt,
} from './eventState.js';
import { formatEventView, parseEventView, speeds } from './eventView.js';
import type { FromEvents, RecordingView, ToEventWorker } from './messages.js';
import { recordingNames } from './recordings.js';
import { type Playhead, usePlayhead } from './usePlayhead.js';

/** How long a short recording takes at the speed that it begins with. */
const shortestMilliseconds = 3000;

export interface EventsLab {
  readonly state: EventState;
  readonly playhead: Playhead;
  /** The window at the playhead, from 0; -1 without any. */
  readonly window: number;
  /** Shows a window, from 0, and stops the playing. */
  choose(window: number): void;
  look(layer: string): void;
  takeRecording(chosen: ChosenRecording): void;
  /** One that comes with the page. */
  takeNetwork(name: string): void;
  take(files: readonly File[]): void;
  dismiss(id: number): void;
  dismissAll(): void;
}

type Client = RefObject<EngineClient<ToEventWorker, FromEvents> | null>;

/** @param onImages Given what another pane shows. */
export function useEvents(onImages: (files: readonly File[]) => void): EventsLab {
  const [state, dispatch] = useReducer(reduce, location.hash, begin);
  const { chosen, source, layer, recording, windows, isDecided, wantedWindow } = state;
  const client: Client = useRef(null);
  const [from, to] = recording ? [recording.t[0]!, recording.t[recording.length - 1]!] : [0, 0];
  const playhead = usePlayhead(from, to);
  const window = windowAt(windows, playhead.time);

  useEffect(() => {
    const lacking = missingFeature();
    const message = `This browser has no ${lacking}; use one of 2023 or later.`;
    if (lacking) return dispatch({ kind: 'worker', message: { kind: 'failed', what: 'model', message } });
    client.current = new EngineClient<ToEventWorker, FromEvents>((heard) =>
      dispatch({ kind: 'worker', message: heard }),
    );
    return () => client.current?.dispose();
  }, []);

  useEffect(() => {
    client.current?.send({ kind: 'events', message: { kind: 'open', source } });
  }, [source]);

  useEffect(() => {
    let replaced = false;
    const { name, file, address } = chosen;
    const send = async () => {
      const content = file ?? (await (await fetch(address!)).blob());
      const named = file ? name : `${name}.bin`;
      if (!replaced)
        client.current?.send({ kind: 'events', message: { kind: 'recording', file: content, name: named } });
    };
    send().catch(() =>
      dispatch({ kind: 'notice', text: `${name}: the recording could not be fetched; is the server still there?` }),
    );
    return () => {
      replaced = true;
    };
  }, [chosen]);

  useEffect(() => {
    client.current?.send({ kind: 'events', message: { kind: 'focus', focus: { layer, window: Math.max(0, window) } } });
  }, [layer, window]);

  const { seek, play } = playhead;
  useStart(recording, wantedWindow === null, playhead);
  // The window of an address can be shown when it is there.
  useEffect(() => {
    if (wantedWindow === null || !isDecided) return;
    play(false);
    seek(lastMomentOf(windows, Math.min(wantedWindow, windows.length) - 1));
  }, [wantedWindow, isDecided, windows, seek, play]);

  // Where playing ends is where a view rests that nobody chose.
  useAddress(state, playhead.playing || window === windows.length - 1 ? null : window, dispatch);

  const choose = useCallback(
    (wanted: number) => {
      if (!windows[wanted]) return;
      play(false);
      seek(lastMomentOf(windows, wanted));
    },
    [windows, play, seek],
  );
  const look = useCallback((wanted: string) => dispatch({ kind: 'layer', layer: wanted }), []);
  const takeRecording = useCallback((wanted: ChosenRecording) => dispatch({ kind: 'recording', chosen: wanted }), []);
  const takeNetwork = useCallback(
    (name: string) => dispatch({ kind: 'network', source: { kind: 'registered', name } }),
    [],
  );
  const take = useCallback(
    async (files: readonly File[]) => {
      for (const file of files) {
        const kind = await kindOf(file);
        if (kind === 'image') onImages([file]);
        else if (kind === 'checkpoint') dispatch({ kind: 'network', source: { kind: 'file', file } });
        else takeRecording({ name: file.name, file });
      }
    },
    [onImages, takeRecording],
  );
  const dismiss = useCallback((id: number) => dispatch({ kind: 'dismiss', id }), []);
  const dismissAll = useCallback(() => dispatch({ kind: 'dismissAll' }), []);
  return useMemo(
    () => ({ state, playhead, window, choose, look, takeRecording, takeNetwork, take, dismiss, dismissAll }),
    [state, playhead, window, choose, look, takeRecording, takeNetwork, take, dismiss, dismissAll],
  );
}

/** A recording begins to play when it comes, at a speed that leaves time to look, unless the system asks for less motion. */
function useStart(recording: RecordingView | null, plays: boolean, { seek, play, setSpeed }: Playhead): void {
  const actions = useRef({ seek, play, setSpeed, plays });
  actions.current = { seek, play, setSpeed, plays };
  useEffect(() => {
    if (!recording) return;
    const first = recording.t[0]!;
    const milliseconds = (recording.t[recording.length - 1]! - first) / 1000;
    const fitting = speeds.filter((speed) => speed <= 1 && milliseconds / speed >= shortestMilliseconds);
    actions.current.setSpeed(fitting.at(-1) ?? speeds[0]);
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    // Who wants no motion sees the last decision.
    actions.current.seek(still ? recording.t[recording.length - 1]! : first);
    actions.current.play(actions.current.plays && !still);
  }, [recording]);
}

/** @param window The window that is shown, from 0; null: the address says nothing of it. */
function useAddress(
  { chosen, layer, isDecided }: EventState,
  window: number | null,
  dispatch: (action: EventAction) => void,
): void {
  useEffect(() => {
    if (!isDecided) return;
    const bundled = recordingNames.includes(chosen.name) && chosen.file === undefined;
    const fragment = formatEventView({
      recording: bundled ? chosen.name : parseEventView('').view.recording,
      layer,
      window: window === null ? null : window + 1,
    });
    if (`#${fragment}` !== location.hash) history.replaceState(null, '', `#${fragment}`);
  }, [chosen, layer, window, isDecided]);
  useEffect(() => {
    const follow = () => {
      if (paneOf(location.hash) !== 'events') return;
      const { view, complaints } = parseEventView(location.hash);
      for (const text of complaints) dispatch({ kind: 'notice', text });
      dispatch({ kind: 'address', view });
    };
    globalThis.addEventListener('hashchange', follow);
    return () => globalThis.removeEventListener('hashchange', follow);
  }, [dispatch]);
}
