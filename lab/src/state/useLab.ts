/**
 * The page at work: one reducer holds its state (`labState.ts`), one effect per kind of choice passes it on to the worker, and the address bar
 * follows.
 */
import { type RefObject, startTransition, useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import { EngineClient, missingFeature } from '../engine/client.js';
import type { EngineSettings, Frame, ModelInfo, ModelSource, Unseen } from '../engine/messages.js';
import { kindOf } from '../input/files.js';
import { type Camera, useCamera } from '../input/useCamera.js';
import { galleryOf, mostPictures, nextToDescribe } from '../neighbours/gallery.js';
import { paneOf } from '../pane.js';
import { type Action, begin, type LabState, type Picture, reduce, settingsOf, shownLayer } from './labState.js';
import { formatView, parseView, type View } from './view.js';

/** A slider that is dragged should not lay the network out at every pixel. */
const settleMilliseconds = 180;
const stepMilliseconds = 550;
const layerMilliseconds = 900;

export interface Lab {
  readonly state: LabState;
  readonly camera: Camera;
  /** To be put on the element that shows the camera. */
  readonly video: RefObject<HTMLVideoElement | null>;
  change(change: Partial<View>): void;
  /** Files that were dropped, pasted or picked. */
  take(files: readonly File[]): void;
  /** What a person says of their own checkpoint. */
  describe(change: Unseen): void;
  /** Starts or stops showing layers, or time steps, one after the other. */
  play(playing: boolean): void;
  /** Pictures to compare the one at hand with, instead of those before. */
  compareWith(files: readonly File[]): void;
  dismiss(id: number): void;
  dismissAll(): void;
}

/** @param onRecordings Given what another pane shows. */
export function useLab(onRecordings: (files: readonly File[]) => void): Lab {
  const [state, dispatch] = useReducer(reduce, location.hash, begin);
  const { view, picture, ownModel, unseen, model } = state;
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
  useModelSource(client, view, ownModel, unseen, dispatch);
  usePicture(client, picture, camera.stream === null, tell);
  useSettings(client, view, model);
  useFocus(client, view, shownLayer(state));
  useGallery(client, state);
  useTicks(state, dispatch);
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
    async (files: readonly File[]) => {
      for (const file of files) {
        const kind = await kindOf(file);
        if (kind === 'checkpoint') dispatch({ kind: 'ownModel', file });
        else if (kind === 'recording') onRecordings([file]);
        else if (kind === 'image') {
          stop();
          dispatch({ kind: 'picture', picture: { name: file.name, address: URL.createObjectURL(file), file } });
        } else
          tell(
            `${file.name}: neither a photograph (JPEG, PNG, WebP), a recording of events nor a checkpoint (.safetensors, .pth); give one of these`,
          );
      }
    },
    [stop, tell, onRecordings],
  );
  const describe = useCallback((described: Unseen) => dispatch({ kind: 'unseen', change: described }), []);
  const compareWith = useCallback(
    (files: readonly File[]) => {
      if (files.length > mostPictures) tell(`the first ${mostPictures} of ${files.length} pictures are compared with`);
      dispatch({ kind: 'gallery', pictures: galleryOf(files) });
    },
    [tell],
  );
  const play = useCallback((playing: boolean) => dispatch({ kind: 'playing', playing }), []);
  const dismiss = useCallback((id: number) => dispatch({ kind: 'dismiss', id }), []);
  const dismissAll = useCallback(() => dispatch({ kind: 'dismissAll' }), []);
  return useMemo(
    () => ({ state, camera, video, change, take, describe, play, compareWith, dismiss, dismissAll }),
    [state, camera, change, take, describe, play, compareWith, dismiss, dismissAll],
  );
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
      if (paneOf(location.hash) !== 'images') return;
      const { view: wanted, complaints } = parseView(location.hash);
      for (const text of complaints) dispatch({ kind: 'notice', text });
      dispatch({ kind: 'address', view: wanted });
    };
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, [dispatch]);
}

function useModelSource(
  client: Client,
  view: View,
  ownModel: File | null,
  unseen: Unseen,
  dispatch: (action: Action) => void,
): void {
  const latest = useRef(view);
  latest.current = view;
  const { model: name } = view;
  useEffect(() => {
    const source: ModelSource = ownModel ? { kind: 'file', file: ownModel, unseen } : { kind: 'registered', name };
    const what = ownModel ? `Reading ${ownModel.name}` : 'Loading the network';
    dispatch({ kind: 'worker', message: { kind: 'progress', what, share: null }, now: 0 });
    client.current?.send({ kind: 'open', source, settings: settingsOf(latest.current) });
  }, [client, name, ownModel, unseen, dispatch]);
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

function useFocus(client: Client, view: View, layer: string | null): void {
  const { channel, position, attention } = view;
  useEffect(() => {
    client.current?.send({ kind: 'focus', focus: { layer, neuron: { channel, position }, attention } });
  }, [client, layer, channel, position, attention]);
}

/** Pictures of the gallery, one at a time, so that the picture at hand need not wait for all of them; and again when the network changes. */
function useGallery(client: Client, { gallery, frame, model }: LabState): void {
  const configuration = frame?.configuration;
  const describes = model?.describes === true;
  const asked = useRef<string | null>(null);
  useEffect(() => {
    if (!describes || configuration === undefined) return;
    const next = nextToDescribe(gallery, configuration);
    const key = next && `${next.id} ${configuration}`;
    if (!next || asked.current === key) return;
    asked.current = key!;
    client.current?.send({ kind: 'describe', id: next.id, image: next.file });
  }, [client, gallery, configuration, describes]);
  const held = useRef<readonly string[]>([]);
  useEffect(() => {
    const addresses = gallery.map(({ address }) => address);
    // An address holds its picture in memory.
    for (const address of held.current) if (!addresses.includes(address)) URL.revokeObjectURL(address);
    held.current = addresses;
  }, [gallery]);
}

/** The next layer or step when this one has been seen for a moment. */
function useTicks({ playing, frame, model, progress }: LabState, dispatch: (action: Action) => void): void {
  const moving = playing && frame !== null && progress === null;
  const pause = (model?.timeSteps ?? 1) > 1 ? stepMilliseconds : layerMilliseconds;
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(() => dispatch({ kind: 'tick' }), pause);
    return () => clearInterval(timer);
  }, [moving, pause, dispatch]);
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
