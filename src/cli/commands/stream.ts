/** `stream`: events as they come, window by window, and what the network says of them while it is still looking. */
import type { Command } from 'commander';
import { z } from 'zod';
import { type EventDecision, EventDecisions } from '../../api/eventDecisions.js';
import type { Model } from '../../api/model.js';
import { eventFormatNames } from '../../data/events/events.js';
import { openEvents } from '../../data/events/openEvents.js';
import { defaultEnergyConstants } from '../../energy/constants.js';
import { UsageError } from '../../errors.js';
import { loadModel } from '../../index.js';
import { LiveWindows } from '../../modalities/events/liveWindows.js';
import { type EventPreprocessing, parseEventPreprocessing } from '../../modalities/events/settings.js';
import { listenForEvents, type OpenedSource, openEventSource } from '../eventSources.js';
import type { Io } from '../io.js';
import { modelNote, printModelNote } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  given,
  loadingOptions,
  needsCheckpoint,
  OptionError,
  oneOf,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { checkOutput } from '../outputFile.js';
import { exitCodes, type Session } from '../session.js';
import { StreamSummary } from '../streamSummary.js';
import { counted, grouped, milliseconds, oneLine, percent } from '../text.js';

const expectedWindow = 'expected a duration such as 20ms, 500us or 1s';
const units = { us: 1, ms: 1e3, s: 1e6 } as const;

/** A duration with its unit, in microseconds. */
export const windowSchema = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,6})?(us|ms|s)$/, expectedWindow)
  .transform((text) => {
    const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text)!;
    return Math.round(Number(number) * units[unit as keyof typeof units]);
  })
  .refine((microseconds) => microseconds >= 1 && microseconds <= 1e9, expectedWindow);

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    window: windowSchema.optional(),
    over: wholeNumber(1, 10_000).optional(),
    listen: wholeNumber(0, 65_535).optional(),
    from: oneOf(eventFormatNames).optional(),
    empty: oneOf(['skip', 'show']).optional(),
    realtime: z.boolean().default(false),
    reset: z.boolean().default(false),
    strict: z.boolean().default(false),
    energy: z.boolean().default(true),
    plot: z.string().min(1).optional(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint);

type Options = z.output<typeof schema>;

/** What is used when nothing else is said: the shipped model that looks at events. */
const defaultEventModel = 'nmnist';

export function registerStream(program: Command, session: Session): void {
  const command = program
    .command('stream')
    .description('watch events as they come, and decide window by window')
    .argument('[FILE]', 'a recording of events, - for standard input, or tcp://localhost:PORT');
  addEngineOptions(addNetworkOptions(addSourceOptions(command)))
    .option('--window <TIME>', 'duration of a window, such as 20ms (default: what the model was trained with)')
    .option('--over <N>', 'how many steps a decision is about (default: the time steps of the model)')
    .option('--reset', 'begin anew after every decision over that many steps')
    .option(
      '--empty <WHAT>',
      'windows without events: skip them, which costs nothing, or show them (default: as the model was trained)',
    )
    .option('--realtime', 'read a file at its own pace')
    .option('--listen <PORT>', 'wait for a connection on this port of this machine instead of reading a file')
    .option('--from <NAME>', `format of the events (default: recognised): ${eventFormatNames.join(', ')}`)
    .option('--strict', 'refuse recordings with faults instead of counting them')
    .option('--no-energy', 'do not count operations')
    .option('--plot <FILE>', 'write time and energy of the windows against their events, as SVG')
    .option('--json', 'print a JSON document a line: one for each window, then a summary')
    .action((file: string | undefined, typed: Record<string, unknown>) =>
      stream(session, file, parseOptions(schema, typed)),
    );
}

async function stream(session: Session, file: string | undefined, options: Options): Promise<void> {
  if ((file === undefined) === (options.listen === undefined))
    throw new OptionError('stream: name a recording, or give --listen PORT, one of them');
  if (options.plot !== undefined)
    await checkOutput(options.plot, file === undefined ? [] : [{ path: file, role: 'recording' }], '--plot');
  const { io } = session;
  const { model: name, checkpoint, timeSteps, heads, strides, attention, neuron } = options;
  const { threads, engine, precision } = options;
  const source = given({ model: name ?? (checkpoint === undefined ? defaultEventModel : undefined), checkpoint });
  const settings = {
    ...given({ timeSteps, heads, strides, attention, neuron, threads, engine, precision }),
    ...loadingOptions(options),
  };
  const whole = await loadModel(source, settings);
  // The network of one step, on the same engine.
  const model = whole.reconfigured({ timeSteps: 1 }, whole.engine);
  const abort = new AbortController();
  const ignore = io.onInterrupt(() => abort.abort());
  try {
    const preprocessing = preprocessingOf(whole);
    if (!options.json) printModelNote(io, whole);
    const opened =
      options.listen === undefined
        ? await openEventSource(io, file!)
        : await listenForEvents(io, options.listen, abort.signal);
    try {
      await watch(io, { options, whole, model, preprocessing, opened, signal: abort.signal });
    } finally {
      await opened.close();
    }
    if (abort.signal.aborted) session.exitCode = exitCodes.interrupted;
  } finally {
    ignore();
    await model.dispose();
  }
}

function preprocessingOf(model: Model): EventPreprocessing {
  if (model.modality !== 'events')
    throw new UsageError(
      `${model.provenance.name}: looks at samples of the kind ${model.modality}, not at events; give a network for events, such as --model ${defaultEventModel}`,
    );
  return parseEventPreprocessing(model.input.preprocessing, model.provenance.name);
}

interface Watched {
  readonly options: Options;
  readonly whole: Model;
  /** Of one time step. */
  readonly model: Model;
  readonly preprocessing: EventPreprocessing;
  readonly opened: OpenedSource;
  readonly signal: AbortSignal;
}

async function watch(io: Io, { options, whole, model, preprocessing, opened, signal }: Watched): Promise<void> {
  const { window } = preprocessing;
  const microseconds = options.window ?? (window.by === 'time' ? window.microseconds : undefined);
  if (microseconds === undefined)
    throw new OptionError('--window: the model was not trained on windows of time; say how long one is, such as 20ms');
  const trained = window.by === 'time' ? window.empty : 'shown';
  const [height, width] = preprocessing.sensor;
  const { from: format, strict } = options;
  const reader = await openEvents(opened.source, given({ format, strict, sensor: { width, height } }));
  const decisions = new EventDecisions({
    model,
    preprocessing,
    timeSteps: options.over ?? whole.configuration.timeSteps,
    emptyWindows: options.empty === undefined ? trained : options.empty === 'skip' ? 'leftOut' : 'shown',
    resets: options.reset,
    ...(options.energy ? { energy: defaultEnergyConstants } : {}),
  });
  await decisions.warmUp();
  const summary = new StreamSummary();
  const print = options.json ? jsonPrinter(io) : textPrinter(io);
  const windows = new LiveWindows(microseconds);
  const pace = pacer(options.realtime, signal);
  const show = async (found: Parameters<EventDecisions['decide']>[0]) => {
    await pace(found);
    if (signal.aborted) return;
    const decision = await decisions.decide(found);
    summary.add(decision);
    print(decision);
  };
  for await (const events of untilAborted(reader.chunks(), signal, opened)) {
    for (const found of windows.push(events)) {
      if (signal.aborted) break;
      await show(found);
    }
    if (signal.aborted) break;
  }
  const last = signal.aborted ? undefined : windows.end();
  if (last) await show(last);
  const document = summary.document({
    model: modelNote(whole),
    source: opened.source.name,
    format: reader.format,
    windowMicroseconds: microseconds,
    skipped: reader.skipped,
  });
  if (options.json) io.stdout.write(`${JSON.stringify(document)}\n`);
  else for (const line of summary.lines()) io.stderr.write(`${line}\n`);
  const faults = Object.entries(reader.skipped).filter(([, count]) => count > 0);
  if (!options.json && faults.length > 0)
    io.stderr.write(`note: ${faults.map(([what, count]) => `${what} ${grouped(count)}`).join(', ')}\n`);
  if (options.plot !== undefined) {
    await summary.writePlot(
      options.plot,
      `${oneLine(opened.source.name)}, windows of ${milliseconds(microseconds / 1000)}`,
    );
    if (!options.json) io.stderr.write(`wrote ${oneLine(options.plot)}\n`);
  }
}

/** Ctrl-C ends a live source although nothing arrives. */
async function* untilAborted<T>(
  chunks: AsyncGenerator<T>,
  signal: AbortSignal,
  { close }: OpenedSource,
): AsyncGenerator<T> {
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  while (!signal.aborted) {
    const next = chunks.next();
    const result = await Promise.race([next, stopped]);
    if (result === undefined) {
      next.catch(() => undefined);
      await close();
      return;
    }
    if (result.done) return;
    yield result.value;
  }
}

/** Waits until a window would be over if the recording happened now. */
function pacer(realtime: boolean, signal: AbortSignal) {
  let origin: { readonly clock: number; readonly time: number } | undefined;
  return async ({ from, to }: { readonly from: number; readonly to: number }) => {
    if (!realtime) return;
    origin ??= { clock: performance.now(), time: from };
    const wait = origin.clock + (to - origin.time) / 1000 - performance.now();
    if (wait > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(wait, 2 ** 31 - 1));
        function done() {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        }
        signal.addEventListener('abort', done, { once: true });
      });
  };
}

function jsonPrinter(io: Io) {
  return (decision: EventDecision) => {
    const { meanLogits, predictions, ...rest } = decision;
    const document = { ...rest, predictions: predictions.slice(0, 5), meanLogits: [...meanLogits] };
    io.stdout.write(`${JSON.stringify(document)}\n`);
  };
}

function textPrinter(io: Io) {
  let first: number | undefined;
  return ({ windows, from, to, events, skipped, predictions, milliseconds: took, millijoules }: EventDecision) => {
    first ??= from;
    const when = `${((to - first) / 1000).toFixed(0)} ms`.padStart(10);
    if (skipped) {
      io.stdout.write(io.colours.dim(`${when}  ${counted(windows, 'window')} without events\n`));
      return;
    }
    const [best] = predictions;
    const answer = best ? `${best.label} ${percent(best.probability)}` : '';
    const energy = millijoules === undefined ? '' : `  ${microjoules(millijoules)}`;
    io.stdout.write(
      `${when}  ${grouped(events).padStart(9)} events  ${milliseconds(took.frame + took.network).padStart(7)}${energy}  ${oneLine(answer)}\n`,
    );
  };
}

function microjoules(millijoules: number): string {
  return `${(millijoules * 1000).toPrecision(3)} µJ`.padStart(9);
}
