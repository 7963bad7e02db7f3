/** A recording as it plays: events as they happen, the moment under a slider, and the ways to another recording. */
import { memo, useEffect, useId, useRef } from 'react';
import { Card } from '../components/Card.js';
import { drawSoon, resized, themeColour } from '../components/canvas.js';
import { acceptedWithEvents } from '../input/files.js';
import { drawEvents, drawFrame, pictureSizeOf } from './eventPicture.js';
import type { ChosenRecording } from './eventState.js';
import { bundledRecording } from './eventState.js';
import { speeds } from './eventView.js';
import type { FrameValues, RecordingView } from './messages.js';
import { recordingNames } from './recordings.js';
import { milliseconds } from './text.js';
import type { Playhead } from './usePlayhead.js';

/** How long an event stays to be seen, in milliseconds of the person who looks. */
const glow = 120;
/** Steps of the time slider, which has to be moved by keys, too. */
const sliderSteps = 500;

export function Player(props: {
  readonly chosen: ChosenRecording;
  readonly recording: RecordingView | null;
  readonly frame: FrameValues | null;
  readonly playhead: Playhead;
  readonly theme: string;
  takeRecording(chosen: ChosenRecording): void;
  take(files: readonly File[]): void;
}) {
  const { chosen, recording, playhead, theme } = props;
  const picker = useRef<HTMLInputElement | null>(null);
  return (
    <Card
      title="Recording"
      className="player"
      aside={
        recording && (
          <span className="fact">
            {recording.sensor.width} × {recording.sensor.height}, {recording.length.toLocaleString('en')} events
          </span>
        )
      }
    >
      <div className="screen">
        <Screen recording={recording} playhead={playhead} theme={theme} />
        <Received recording={recording} frame={props.frame} theme={theme} />
      </div>
      <Transport recording={recording} playhead={playhead} />
      <ul className="legend polarities" aria-label="Colours">
        <li className="key-on">ON, brighter</li>
        <li className="key-off">OFF, darker</li>
      </ul>
      <div className="sources recordings">
        {recordingNames.map((name) => (
          <button
            key={name}
            type="button"
            className="button"
            aria-pressed={chosen.file === undefined && chosen.name === name}
            onClick={() => props.takeRecording(bundledRecording(name))}
          >
            {name}
          </button>
        ))}
        <button type="button" className="button" onClick={() => picker.current?.click()}>
          Open a file
        </button>
        <input
          ref={picker}
          type="file"
          className="visually-hidden"
          aria-label="A recording of events, or a checkpoint (.safetensors, .pth)"
          accept={acceptedWithEvents}
          tabIndex={-1}
          onChange={({ target }) => {
            props.take([...(target.files ?? [])]);
            target.value = '';
          }}
        />
      </div>
      <p className="hint">
        The bundled digits are simulated. Drop a recording anywhere: AEDAT 2, 3.1 or 4, EVT 2 or 3, DAT, ES, N-MNIST,
        NumPy or CSV; or a checkpoint. Nothing leaves this page.
      </p>
    </Card>
  );
}

const Screen = memo(function Screen(props: {
  readonly recording: RecordingView | null;
  readonly playhead: Pick<Playhead, 'time' | 'speed'>;
  readonly theme: string;
}) {
  const { recording, playhead, theme } = props;
  const { time, speed } = playhead;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const pixels = useRef<ImageData | null>(null);
  useEffect(() => {
    // The theme is a colour, too.
    if (!recording || theme === '') return;
    drawSoon(canvas.current, (context) => {
      const { width, height, shrink } = pictureSizeOf(recording);
      resized(context, width, height);
      if (pixels.current?.width !== width || pixels.current.height !== height)
        pixels.current = new ImageData(width, height);
      const colours = { on: themeColour('--spike'), off: themeColour('--membrane') };
      drawEvents(pixels.current, recording, { time, trail: Math.max(1, glow * 1000 * speed), colours, shrink });
      context.putImageData(pixels.current, 0, 0);
    });
  }, [recording, time, speed, theme]);
  const label = recording ? `Events of ${recording.name}` : 'No recording yet';
  return <canvas ref={canvas} className="events" role="img" aria-label={label} width={34} height={34} />;
});

const Received = memo(function Received(props: {
  readonly recording: RecordingView | null;
  readonly frame: FrameValues | null;
  readonly theme: string;
}) {
  const { recording, frame, theme } = props;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  useEffect(() => {
    if (!recording || !frame || theme === '') return;
    drawSoon(canvas.current, (context) => {
      resized(context, frame.width, frame.height);
      const pixels = new ImageData(frame.width, frame.height);
      const colours = { on: themeColour('--spike'), off: themeColour('--membrane') };
      drawFrame(pixels, frame, { colours, recording });
      context.putImageData(pixels, 0, 0);
    });
  }, [recording, frame, theme]);
  if (!frame) return null;
  const label = `What the network receives of window ${frame.window + 1}: ${frame.width} by ${frame.height} pixels`;
  return <canvas ref={canvas} className="received" role="img" aria-label={label} title={label} />;
});

function Transport({ recording, playhead }: { readonly recording: RecordingView | null; readonly playhead: Playhead }) {
  const { time, playing, speed } = playhead;
  const id = useId();
  const first = recording?.t[0] ?? 0;
  const span = recording ? recording.t[recording.length - 1]! - first : 0;
  const shown = `${milliseconds(time - first)} of ${milliseconds(span)}`;
  return (
    <div className="transport">
      <button
        type="button"
        className="button"
        aria-label={playing ? 'Pause the recording' : 'Play the recording'}
        disabled={recording === null}
        onClick={() => playhead.play(!playing)}
      >
        {playing ? '❚❚' : '▶'}
      </button>
      <input
        type="range"
        aria-label="Time in the recording"
        aria-valuetext={shown}
        min={0}
        max={sliderSteps}
        step={1}
        value={span === 0 ? 0 : Math.round((sliderSteps * (time - first)) / span)}
        disabled={span === 0}
        onChange={({ target }) => {
          playhead.play(false);
          playhead.seek(first + (span * Number(target.value)) / sliderSteps);
        }}
      />
      <output className="fact">{shown}</output>
      <label htmlFor={id} className="visually-hidden">
        Speed
      </label>
      <select id={id} value={speed} onChange={({ target }) => playhead.setSpeed(Number(target.value))}>
        {speeds.map((value) => (
          <option key={value} value={value}>
            {value} ×
          </option>
        ))}
      </select>
    </div>
  );
}
