/**
 * What the page holds: what was chosen, what the engine answered, what has to be said to a person; and how each event changes it. No effects:
 * `useLab.ts` has them.
 */
import { percent } from '../components/text.js';
import { denseInWords } from '../dense/legend.js';
import type { EnergyView, EngineSettings, FrameView, FromWorker, ModelInfo, Unseen } from '../engine/messages.js';
import { photographAddress } from '../input/photographs.js';
import { changedForYou, consistent, parseView, type View } from './view.js';

export interface Picture {
  readonly name: string;
  readonly address: string;
  /** Of a person's own file; a bundled photograph is fetched. */
  readonly file?: File;
}

/** A configuration and what it gave for an image: what the next one is compared with. */
export interface Outcome {
  readonly configuration: number;
  readonly network: string;
  readonly settings: string;
  readonly milliseconds: number;
  readonly energy: number | null;
  /** In a few words. */
  readonly decision: string;
}

/** A picture that the one at hand is compared with. */
export interface GalleryPicture {
  readonly id: number;
  readonly file: File;
  readonly address: string;
  /** By which configuration of the engine it was described; null: by none yet. */
  readonly configuration: number | null;
  /** Null where it could not be described. */
  readonly descriptor: Float32Array | null;
}

export interface Notice {
  readonly id: number;
  readonly text: string;
}

/** What weights do not tell, as it is. */
export type OwnSettings = Pick<ModelInfo, 'heads' | 'strides' | 'inputSize'>;

export interface LabState {
  /** Networks that come with the library; none before the engine has said so. */
  readonly networks: readonly string[];
  readonly view: View;
  readonly picture: Picture;
  /** The last one that could be decoded: what is shown again when another cannot. */
  readonly goodPicture: Picture;
  readonly ownModel: File | null;
  /** What a person says of their own checkpoint that its weights do not tell. */
  readonly unseen: Unseen;
  /** The own checkpoint that is at work; another that could not be read does not take its place. */
  readonly opened: { readonly file: File; readonly unseen: Unseen } | null;
  /** The own checkpoint that cannot be opened until its heads are said. */
  readonly waiting: File | null;
  /** The layers, or the time steps where there are several, shown one after the other. */
  readonly playing: boolean;
  /** The layer that is shown while nobody has chosen one. */
  readonly tour: number;
  readonly model: ModelInfo | null;
  readonly frame: FrameView | null;
  readonly energy: EnergyView | null;
  readonly before: Outcome | null;
  readonly progress: { readonly what: string; readonly share: number | null } | null;
  readonly notices: readonly Notice[];
  /** When the last frames of the camera were answered. */
  readonly arrivals: readonly number[];
  readonly gallery: readonly GalleryPicture[];
}

export type Action =
  | { readonly kind: 'view'; readonly change: Partial<View> }
  | { readonly kind: 'address'; readonly view: View }
  | { readonly kind: 'picture'; readonly picture: Picture }
  | { readonly kind: 'ownModel'; readonly file: File | null }
  | { readonly kind: 'unseen'; readonly change: Unseen }
  | { readonly kind: 'worker'; readonly message: FromWorker; readonly now: number }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'dismiss'; readonly id: number }
  | { readonly kind: 'dismissAll' }
  | { readonly kind: 'playing'; readonly playing: boolean }
  | { readonly kind: 'tick' }
  | { readonly kind: 'camera' }
  /** Pictures to compare with, instead of those before; none: no gallery. */
  | { readonly kind: 'gallery'; readonly pictures: readonly GalleryPicture[] };

const keptArrivals = 24;
const mostNotices = 20;
let notices = 0;

export function settingsOf({ T, threshold, precision, kernel, threads }: View): EngineSettings {
  return { timeSteps: T, threshold, precision, kernel, threads };
}

export function begin(fragment: string): LabState {
  const { view, complaints } = parseView(fragment);
  return {
    networks: [],
    view,
    picture: bundledPicture(view.image),
    goodPicture: bundledPicture(view.image),
    ownModel: null,
    unseen: {},
    opened: null,
    waiting: null,
    playing: plays(view),
    tour: 0,
    model: null,
    frame: null,
    energy: null,
    before: null,
    progress: { what: 'Starting the engine', share: null },
    notices: complaints.map((text) => ({ id: ++notices, text })),
    arrivals: [],
    gallery: [],
  };
}

/** The first view moves by itself, unless its address or the system asks for a still one. */
function plays(view: View): boolean {
  const still = typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches;
  return !still && view.layer === null && view.step === 1;
}

/** Whoever chooses a layer, a step or a neuron wants to look at that one. */
function takesOver({ layer, step, channel, position }: Partial<View>): boolean {
  return layer !== undefined || step !== undefined || channel !== undefined || position !== undefined;
}

/** With one time step the layers are played, from the one that is shown. */
function play(state: LabState, playing: boolean): LabState {
  const { model, view } = state;
  if (!playing || !model || model.timeSteps > 1) return { ...state, playing };
  const shown = model.layers.findIndex(({ name }) => name === view.layer);
  const last = model.layers.length - 1;
  const tour = shown >= 0 ? shown : state.tour >= last ? 0 : state.tour;
  return { ...state, playing, tour, view: { ...view, layer: null } };
}

/** The next step, again and again, or the next layer until the last. */
function ticked(state: LabState): LabState {
  const { model, view, tour, playing } = state;
  if (!model || !playing) return state;
  if (model.timeSteps > 1) return { ...state, view: { ...view, step: (view.step % model.timeSteps) + 1 } };
  const last = model.layers.length - 1;
  return tour >= last ? { ...state, playing: false } : { ...state, tour: tour + 1 };
}

/** The layer that is looked at; null: the first. */
export function shownLayer({ view, model, tour }: LabState): string | null {
  return view.layer ?? model?.layers[Math.min(tour, model.layers.length - 1)]?.name ?? null;
}

function bundledPicture(name: string): Picture {
  return { name, address: photographAddress(name) };
}

export function reduce(state: LabState, action: Action): LabState {
  switch (action.kind) {
    case 'view': {
      // Classes of another network have other numbers.
      const anew = action.change.model === undefined ? {} : { hidden: '' };
      const wanted = { ...state.view, ...anew, ...action.change };
      const view = consistent(wanted);
      const picture = action.change.image === undefined ? state.picture : bundledPicture(action.change.image);
      const ownModel = action.change.model === undefined ? state.ownModel : null;
      const playing = state.playing && !takesOver(action.change);
      return said({ ...state, view, picture, ownModel, playing }, changedForYou(wanted));
    }
    case 'address': {
      const picture = action.view.image === state.view.image ? state.picture : bundledPicture(action.view.image);
      return { ...state, view: action.view, picture };
    }
    case 'picture':
      return { ...state, picture: action.picture };
    case 'ownModel':
      return { ...state, view: { ...state.view, hidden: '' }, ownModel: action.file, unseen: {}, waiting: null };
    case 'unseen':
      return described(state, action.change);
    case 'worker':
      return hear(state, action.message, action.now);
    case 'notice':
      return withNotice(state, action.text);
    case 'dismiss':
      return { ...state, notices: state.notices.filter(({ id }) => id !== action.id) };
    case 'dismissAll':
      return { ...state, notices: [] };
    case 'playing':
      return play(state, action.playing);
    case 'tick':
      return ticked(state);
    case 'camera':
      return { ...state, arrivals: [] };
    case 'gallery':
      return { ...state, gallery: action.pictures };
  }
}

/** What is said of a checkpoint is said of the one at work, whatever was tried since. */
function described(state: LabState, change: Unseen): LabState {
  const { opened, ownModel, waiting } = state;
  if (waiting !== null && waiting === ownModel) return { ...state, unseen: { ...state.unseen, ...change } };
  const unseen = opened && opened.file !== ownModel ? opened.unseen : state.unseen;
  return { ...state, ownModel: opened?.file ?? ownModel, unseen: { ...unseen, ...change } };
}

/** What the three settings of a person's own checkpoint are now; null without one. */
export function ownSettings({ model, opened, waiting, unseen }: LabState): OwnSettings | null {
  if (waiting === null) return opened && model;
  const side = unseen.imageSize ?? 224;
  return { heads: unseen.heads ?? 8, strides: unseen.strides ?? [2, 2, 2, 2, 1], inputSize: [side, side] };
}

/** The own checkpoint that a network came from. */
function openedBy({ ownModel, unseen, opened }: LabState, { name }: ModelInfo): LabState['opened'] {
  if (ownModel?.name === name) return { file: ownModel, unseen };
  return opened?.file.name === name ? opened : null;
}

function said(state: LabState, texts: readonly string[]): LabState {
  return texts.reduce(withNotice, state);
}

function withNotice(state: LabState, text: string): LabState {
  const others = state.notices.filter((notice) => notice.text !== text);
  return { ...state, notices: [...others, { id: ++notices, text }].slice(-mostNotices) };
}

function hear(state: LabState, message: FromWorker, now: number): LabState {
  switch (message.kind) {
    case 'networks':
      return { ...state, networks: message.names };
    case 'progress':
      return { ...state, progress: { what: message.what, share: message.share } };
    case 'ready':
      return said(
        {
          ...state,
          model: message.model,
          opened: openedBy(state, message.model),
          waiting: null,
          progress: null,
          before: outcomeOf(state) ?? state.before,
        },
        changedByEngine(state.view, message.model),
      );
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
    case 'described': {
      const { id, configuration, descriptor, problem } = message.described;
      const picture = state.gallery.find((each) => each.id === id);
      const gallery = state.gallery.map((each) => (each.id === id ? { ...each, configuration, descriptor } : each));
      const next = { ...state, gallery };
      return problem === null || !picture ? next : withNotice(next, `${picture.file.name}: ${problem}`);
    }
    case 'failed':
      return withNotice(
        {
          ...state,
          progress: null,
          picture: message.what === 'image' ? state.goodPicture : state.picture,
          // Channels that the authors' eight heads do not divide: only a person knows how many there are.
          waiting: message.what === 'model' && /\bheads\b/.test(message.message) ? state.ownModel : state.waiting,
        },
        message.message,
      );
  }
}

/** Settings that the engine has otherwise than they were asked for, a line each. */
function changedByEngine(view: View, model: ModelInfo): string[] {
  const lines: string[] = [];
  if (view.threads !== null && view.threads > model.availableThreads)
    lines.push(`threads: ${view.threads} were requested, but this page can only have ${model.availableThreads}`);
  if (view.layer !== null && !model.layers.some(({ name }) => name === view.layer))
    lines.push(`layer: ${model.name} has no ${view.layer}; its first layer is shown`);
  if (view.step > model.timeSteps)
    lines.push(`step: ${view.step} was requested, but the network only runs ${model.timeSteps}; the last one is shown`);
  return lines;
}

export function outcomeOf({ model, frame, energy, view }: LabState): Outcome | null {
  if (!model || !frame) return null;
  return {
    configuration: frame.configuration,
    network: model.name,
    settings: settingsText(model),
    milliseconds: frame.milliseconds.network,
    energy: energy?.configuration === frame.configuration ? energy.exact : null,
    decision: decisionOf(frame, view),
  };
}

function decisionOf({ classes: [first], dense }: FrameView, view: View): string {
  if (dense) return denseInWords(dense, view.score / 100);
  return first ? `${first.label} ${percent(first.probability, 0)}` : '–';
}

function settingsText({ timeSteps, threshold, precision, kernel, threads }: ModelInfo): string {
  return `T ${timeSteps}, θ ${threshold}, ${precision}, ${kernel}, ${threads === 1 ? '1 thread' : `${threads} threads`}`;
}
