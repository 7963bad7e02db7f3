/**
 * The state of the page: what was chosen, what the engine answered, what has to be said to a person. One reducer holds it, one effect per
 * kind of choice passes it on to the worker, and the address bar follows.
 */
import { type RefObject, startTransition, useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import { EngineClient, missingFeature } from '../engine/client.js';
import type {
  EnergyView,
  EngineSettings,
  Frame,
  FrameView,
  FromWorker,
  ModelInfo,
  ModelSource,
} from '../engine/messages.js';
import { kindOf } from '../input/files.js';
import { photographAddress } from '../input/photographs.js';
import { type Camera, useCamera } from '../input/useCamera.js';
import { consistent, formatView, parseView, type View } from './view.js';

export interface Picture {
  readonly name: string;
  readonly address: string;
  /** Of a person's own file; a bundled photograph is fetched. */
  readonly file?: File;
}

/** A configuration and what it gave for an image: what the next one is compared with. */
export interface Outcome {
  readonly configuration: number;
  readonly settings: string;
  readonly milliseconds: number;
  readonly energy: number | null;
  readonly label: string;
  readonly probability: number;
}

export interface Notice {
  readonly id: number;
  readonly text: string;
}

export interface LabState {
  readonly view: View;
  readonly picture: Picture;
  /** The last one that could be decoded: what is shown again when another cannot. */
  readonly goodPicture: Picture;
  readonly ownModel: File | null;
  readonly model: ModelInfo | null;
  readonly frame: FrameView | null;
  readonly energy: EnergyView | null;
  readonly before: Outcome | null;
  readonly progress: { readonly what: string; readonly share: number | null } | null;
  readonly notices: readonly Notice[];
  /** When the last frames of the camera were answered. */
  readonly arrivals: readonly number[];
}

type Action =
  | { readonly kind: 'view'; readonly change: Partial<View> }
  | { readonly kind: 'address'; readonly view: View }
  | { readonly kind: 'picture'; readonly picture: Picture }
  | { readonly kind: 'ownModel'; readonly file: File | null }
  | { readonly kind: 'worker'; readonly message: FromWorker; readonly now: number }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'dismiss'; readonly id: number }
  | { readonly kind: 'camera' };

const keptArrivals = 24;
const mostNotices = 4;
/** A slider that is dragged should not lay the network out at every pixel. */
const settleMilliseconds = 180;

let notices = 0;

export function settingsOf({ T, threshold, precision, kernel, threads }: View): EngineSettings {
  return { timeSteps: T, threshold, precision, kernel, threads };
}

function begin(fragment: string): LabState {
  const { view, complaints } = parseView(fragment);
  return {
    view,
    picture: bundledPicture(view.image),
    goodPicture: bundledPicture(view.image),
    ownModel: null,
    model: null,
    frame: null,
    energy: null,
    before: null,
    progress: { what: 'Starting the engine', share: null },
    notices: complaints.map((text) => ({ id: ++notices, text })),
    arrivals: [],
  };
}

function bundledPicture(name: string): Picture {
  return { name, address: photographAddress(name) };
}

function reduce(state: LabState, action: Action): LabState {
  switch (action.kind) {
    case 'view': {
      const view = consistent({ ...state.view, ...action.change });
      const picture = action.change.image === undefined ? state.picture : bundledPicture(action.change.image);
      const ownModel = action.change.model === undefined ? state.ownModel : null;
      return { ...state, view, picture, ownModel };
    }
    case 'address': {
      const picture = action.view.image === state.view.image ? state.picture : bundledPicture(action.view.image);
      return { ...state, view: action.view, picture };
    }
    case 'picture':
      return { ...state, picture: action.picture };
    case 'ownModel':
      return { ...state, ownModel: action.file };
    case 'worker':
      return hear(state, action.message, action.now);
    case 'notice':
      return withNotice(state, action.text);
    case 'dismiss':
      return { ...state, notices: state.notices.filter(({ id }) => id !== action.id) };
    case 'camera':
      return { ...state, arrivals: [] };
  }
}

function withNotice(state: LabState, text: string): LabState {
  const others = state.notices.filter((notice) => notice.text !== text);
  return { ...state, notices: [...others, { id: ++notices, text }].slice(-mostNotices) };
}

function hear(state: LabState, message: FromWorker, now: number): LabState {
  switch (message.kind) {
    case 'progress':
      return { ...state, progress: { what: message.what, share: message.share } };
    case 'ready':
      return { ...state, model: message.model, progress: null, before: outcomeOf(state) ?? state.before };
    case 'frame': {
      const { frame } = message;
      const arrivals = frame.live ? [...state.arrivals, now].slice(-keptArrivals) : [];
      return { ...state, frame, arrivals, goodPicture: frame.live ? state.goodPicture : state.picture };
    }
    case 'looked': {
      const { focus, attention } = message;
      return state.frame ? { ...state, frame: { ...state.frame, focus, attention } } : state;
    }
    case 'energy':
      return { ...state, energy: message.energy };
    case 'failed':
      return withNotice(
        { ...state, progress: null, picture: message.what === 'image' ? state.goodPicture : state.picture },
        message.message,
      );
  }
}

export function outcomeOf({ model, frame, energy }: LabState): Outcome | null {
  if (!model || !frame) return null;
  const [first] = frame.classes;
  return {
    configuration: frame.configuration,
    settings: settingsText(model),
    milliseconds: frame.milliseconds.network,
    energy: energy?.configuration === frame.configuration ? energy.exact : null,
    label: first!.label,
    probability: first!.probability,
  };
}

function settingsText({ timeSteps, threshold, precision, kernel, threads }: ModelInfo): string {
  return `T ${timeSteps}, θ ${threshold}, ${precision}, ${kernel}, ${threads === 1 ? '1 thread' : `${threads} threads`}`;
}

export interface Lab {
  readonly state: LabState;
  readonly camera: Camera;
  /** To be put on the element that shows the camera. */
  readonly video: RefObject<HTMLVideoElement | null>;
  change(change: Partial<View>): void;
  /** Files that were dropped, pasted or picked. */
  take(files: readonly File[]): void;
  dismiss(id: number): void;
}

export function useLab(): Lab {
  const [state, dispatch] = useReducer(reduce, location.hash, begin);
  const { view, picture, ownModel, model } = state;
  const client = useRef<EngineClient | null>(null);
  const frameAnswered = useRef<(() => void) | null>(null);
  const video = useRef<HTMLVideoElement | null>(null);
  const tell = useCallback((text: string) => dispatch({ kind: 'notice', text }), []);
  const camera = useCamera(tell);

  useEffect(() => {
    const lacking = missingFeature();
    if (lacking) {
      dispatch({
        kind: 'worker',
        message: {
          kind: 'failed',
          what: 'model',
          message: `This browser has no ${lacking}; use one of 2023 or later.`,
        },
        now: 0,
      });
      return;
    }
    client.current = new EngineClient((message) => {
      const live =
        message.kind === 'frame' ? message.frame.live : message.kind === 'failed' && message.what === 'frame';
      if (live) frameAnswered.current?.();
      const tellPage = () => dispatch({ kind: 'worker', message, now });
      const now = performance.now();
      // What is seen of a frame may be put together in pieces; a click in between goes first.
      if (live) startTransition(tellPage);
      else tellPage();
    });
    return () => client.current?.dispose();
  }, []);

  useAddress(view, dispatch);
  useModelSource(client, view, ownModel, dispatch);
  usePicture(client, picture, camera.stream === null, tell);
  useSettings(client, view, model);
  useFocus(client, view);
  useFrames(client, camera.stream, video, model !== null, frameAnswered);

  useEffect(() => {
    if (camera.stream) dispatch({ kind: 'camera' });
  }, [camera.stream]);

  const { stop } = camera;
  const change = useCallback(
    (changed: Partial<View>) => {
      if (changed.image !== undefined) stop();
      dispatch({ kind: 'view', change: changed });
    },
    [stop],
  );
  const take = useCallback(
    (files: readonly File[]) => {
      for (const file of files) {
        const kind = kindOf(file);
        if (kind === 'checkpoint') dispatch({ kind: 'ownModel', file });
        else if (kind === 'image') {
          stop();
          dispatch({ kind: 'picture', picture: { name: file.name, address: URL.createObjectURL(file), file } });
        } else
          tell(
            `${file.name}: neither a photograph (JPEG, PNG, WebP) nor a checkpoint (.safetensors, .pth); give one of these`,
          );
      }
    },
    [stop, tell],
  );
  const dismiss = useCallback((id: number) => dispatch({ kind: 'dismiss', id }), []);
  return useMemo(() => ({ state, camera, video, change, take, dismiss }), [state, camera, change, take, dismiss]);
}

type Client = RefObject<EngineClient | null>;

/** The address follows the view, and the view an address that a person edits or goes back to. */
function useAddress(view: View, dispatch: (action: Action) => void): void {
  useEffect(() => {
    const fragment = formatView(view);
    if (fragment === location.hash.replace(/^#/, '')) return;
    history.replaceState(null, '', fragment ? `#${fragment}` : location.pathname + location.search);
  }, [view]);
  useEffect(() => {
    const follow = () => {
      const { view: wanted, complaints } = parseView(location.hash);
      for (const text of complaints) dispatch({ kind: 'notice', text });
      dispatch({ kind: 'address', view: wanted });
    };
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, [dispatch]);
}

function useModelSource(client: Client, view: View, ownModel: File | null, dispatch: (action: Action) => void): void {
  const latest = useRef(view);
  latest.current = view;
  const { model: name } = view;
  useEffect(() => {
    const source: ModelSource = ownModel ? { kind: 'file', file: ownModel } : { kind: 'registered', name };
    const what = ownModel ? `Reading ${ownModel.name}` : 'Loading the network';
    dispatch({ kind: 'worker', message: { kind: 'progress', what, share: null }, now: 0 });
    client.current?.send({ kind: 'open', source, settings: settingsOf(latest.current) });
  }, [client, name, ownModel, dispatch]);
}

function usePicture(client: Client, picture: Picture, still: boolean, tell: (text: string) => void): void {
  useEffect(() => {
    if (!still) return;
    let replaced = false;
    const send = async () => {
      const image = picture.file ?? (await (await fetch(picture.address)).blob());
      if (!replaced) client.current?.send({ kind: 'image', image, live: false });
    };
    send().catch(() => tell(`${picture.name}: the photograph could not be fetched; is the server still there?`));
    return () => {
      replaced = true;
    };
  }, [client, picture, still, tell]);
}

/** Sends settings that differ from those the engine has, when they have settled. */
function useSettings(client: Client, view: View, model: ModelInfo | null): void {
  const { T, threshold, precision, kernel, threads } = view;
  const sent = useRef<string | null>(null);
  const loaded = model !== null;
  useEffect(() => {
    const settings: EngineSettings = { timeSteps: T, threshold, precision, kernel, threads };
    const text = JSON.stringify(settings);
    // The first ones go out with the weights.
    sent.current ??= text;
    if (!loaded || sent.current === text) return;
    const timer = setTimeout(() => {
      sent.current = text;
      client.current?.send({ kind: 'settings', settings });
    }, settleMilliseconds);
    return () => clearTimeout(timer);
  }, [client, T, threshold, precision, kernel, threads, loaded]);
}

function useFocus(client: Client, view: View): void {
  const { layer, channel, position, attention } = view;
  useEffect(() => {
    client.current?.send({ kind: 'focus', focus: { layer, neuron: { channel, position }, attention } });
  }, [client, layer, channel, position, attention]);
}

/** Frames of the camera, one at a time: the next is taken when the last was answered, so that none waits. */
function useFrames(
  client: Client,
  stream: MediaStream | null,
  video: RefObject<HTMLVideoElement | null>,
  ready: boolean,
  answered: RefObject<(() => void) | null>,
): void {
  useEffect(() => {
    const element = video.current;
    if (!stream || !element || !ready) return;
    let stopped = false;
    const onNextFrame = (then: () => void) => {
      if ('requestVideoFrameCallback' in element) element.requestVideoFrameCallback(then);
      else requestAnimationFrame(then);
    };
    const take = async () => {
      if (stopped) return;
      const image = element.readyState < HTMLMediaElement.HAVE_CURRENT_DATA ? undefined : await frameOf(element);
      if (stopped) return image?.close();
      if (!image) return onNextFrame(take);
      client.current?.send({ kind: 'image', image, live: true }, [image]);
    };
    answered.current = () => onNextFrame(take);
    onNextFrame(take);
    return () => {
      stopped = true;
      answered.current = null;
    };
  }, [client, stream, video, ready, answered]);
}

/** What the camera shows now; undefined when the browser could not say. A `VideoFrame` costs the page no copy. */
async function frameOf(element: HTMLVideoElement): Promise<Frame | undefined> {
  try {
    return typeof VideoFrame === 'undefined' ? await createImageBitmap(element) : new VideoFrame(element);
  } catch {
    // Between two streams there is a moment without a picture; the next frame will do.
    return undefined;
  }
}
