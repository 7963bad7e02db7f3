/** What the pane of recordings holds, and how each event changes it. No effects: `useEvents.ts` has them. */
import type { SpikesView } from '../engine/messages.js';
import type { Notice } from '../state/labState.js';
import { type EventView, parseEventView } from './eventView.js';
import type { EventNetwork, FrameValues, FromEvents, NetworkSource, RecordingView, WindowView } from './messages.js';
import { recordingAddress } from './recordings.js';

export interface ChosenRecording {
  readonly name: string;
  /** Of a bundled one, which is fetched. */
  readonly address?: string;
  readonly file?: File;
}

export interface EventState {
  readonly chosen: ChosenRecording;
  readonly source: NetworkSource;
  readonly layer: string | null;
  /** The window that the address asks for, from 1, until it is there. */
  readonly wantedWindow: number | null;
  /** Networks that come with the page; null until the engine has said which. */
  readonly networks: readonly string[] | null;
  readonly network: EventNetwork | null;
  readonly recording: RecordingView | null;
  readonly windows: readonly WindowView[];
  /** Whether the network has seen the whole recording. */
  readonly isDecided: boolean;
  readonly spikes: SpikesView | null;
  readonly frame: FrameValues | null;
  readonly progress: { readonly what: string; readonly share: number | null } | null;
  readonly notices: readonly Notice[];
}

export type EventAction =
  | { readonly kind: 'recording'; readonly chosen: ChosenRecording }
  | { readonly kind: 'network'; readonly source: NetworkSource }
  | { readonly kind: 'layer'; readonly layer: string }
  | { readonly kind: 'address'; readonly view: EventView }
  | { readonly kind: 'worker'; readonly message: FromEvents }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'dismiss'; readonly id: number }
  | { readonly kind: 'dismissAll' };

const mostNotices = 20;
let notices = 0;

export function bundledRecording(name: string): ChosenRecording {
  return { name, address: recordingAddress(name) };
}

export function begin(fragment: string): EventState {
  const { view, complaints } = parseEventView(fragment);
  const state: EventState = {
    chosen: bundledRecording(view.recording),
    source: { kind: 'registered', name: null },
    layer: view.layer,
    wantedWindow: view.window,
    networks: null,
    network: null,
    recording: null,
    windows: [],
    isDecided: false,
    spikes: null,
    frame: null,
    progress: { what: 'Starting the engine', share: null },
    notices: [],
  };
  return complaints.reduce(withNotice, state);
}

export function reduce(state: EventState, action: EventAction): EventState {
  switch (action.kind) {
    case 'recording':
      return { ...state, chosen: action.chosen, wantedWindow: null };
    case 'network':
      return { ...state, source: action.source, wantedWindow: null };
    case 'layer':
      return { ...state, layer: action.layer };
    case 'address': {
      const { recording, layer, window } = action.view;
      const chosen = recording === state.chosen.name ? state.chosen : bundledRecording(recording);
      return { ...state, chosen, layer, wantedWindow: window };
    }
    case 'worker':
      return hear(state, action.message);
    case 'notice':
      return withNotice(state, action.text);
    case 'dismiss':
      return { ...state, notices: state.notices.filter(({ id }) => id !== action.id) };
    case 'dismissAll':
      return { ...state, notices: [] };
  }
}

function hear(state: EventState, message: FromEvents): EventState {
  switch (message.kind) {
    case 'progress':
      return { ...state, progress: { what: message.what, share: message.share } };
    case 'networks':
      return { ...state, networks: message.names };
    case 'ready':
      return { ...state, network: message.network, progress: null };
    case 'recording':
      return { ...state, recording: message.recording, progress: null };
    case 'begin':
      return { ...state, windows: [], isDecided: false, spikes: null, frame: null };
    case 'windows':
      return { ...state, windows: [...state.windows, ...message.windows] };
    case 'end':
      return { ...state, isDecided: state.windows.length > 0, progress: null };
    case 'looked':
      return { ...state, spikes: message.spikes, frame: message.frame };
    case 'note':
      return withNotice(state, message.text);
    case 'failed':
      return withNotice({ ...state, progress: null }, message.message);
  }
}

function withNotice(state: EventState, text: string): EventState {
  const others = state.notices.filter((notice) => notice.text !== text);
  return { ...state, notices: [...others, { id: ++notices, text }].slice(-mostNotices) };
}

/** The window of a time, from 0; the first before all of them, -1 without any. */
export function windowAt(windows: readonly WindowView[], time: number): number {
  let [low, high] = [0, windows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (windows[middle]!.from <= time) low = middle + 1;
    else high = middle;
  }
  return Math.min(Math.max(low - 1, 0), windows.length - 1);
}

/** The last moment that belongs to a window and to none after it. */
export function lastMomentOf(windows: readonly WindowView[], index: number): number {
  const { from, to } = windows[index]!;
  const next = windows[index + 1];
  return Math.max(from, Math.min(next ? next.from : to, to) - 1);
}
