/**
 * The image with what attention makes of it on top: cut as the network cuts it, so that a token lies over the pixels it stands for; below it the
 * ways to another image.
 */
import { memo, type RefObject, useEffect, useRef } from 'react';
import { DenseOverlay, placeStyle } from '../dense/DenseOverlay.js';
import type { Place } from '../dense/denseView.js';
import '../dense/dense.css';
import type { AttentionView, FrameView, ModelInfo } from '../engine/messages.js';
import { accepted } from '../input/files.js';
import { photographAddress, photographNames } from '../input/photographs.js';
import { type Camera, cameraSupported } from '../input/useCamera.js';
import type { Picture } from '../state/labState.js';
import type { Overlay, View } from '../state/view.js';
import { Card } from './Card.js';
import { drawSoon, resized, themeColour } from './canvas.js';

export function Viewer(props: {
  readonly picture: Picture;
  readonly camera: Camera;
  readonly video: RefObject<HTMLVideoElement | null>;
  readonly model: ModelInfo | null;
  readonly frame: FrameView | null;
  readonly view: View;
  change(change: Partial<View>): void;
  take(files: readonly File[]): void;
}) {
  const { picture, camera, video, model, frame, view } = props;
  const { stream } = camera;
  const picker = useRef<HTMLInputElement | null>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
  }, [stream, video]);
  const whole = model?.whole === true && frame !== null;
  const zoom = whole ? {} : { transform: `scale(${1 / (model?.field ?? 1)})` };
  return (
    <Card
      title="Input"
      className="viewer"
      aside={model && <span className="fact">network sees {model.inputSize.join(' × ')}</span>}
    >
      <div className={whole ? 'stage whole' : 'stage'} style={whole ? stageStyle(frame.size) : {}}>
        {stream ? (
          <video ref={video} autoPlay muted playsInline style={zoom} aria-label="Camera" />
        ) : (
          <img src={picture.address} alt={`The input: ${picture.name}`} style={zoom} />
        )}
        {whole && frame.dense && <DenseOverlay dense={frame.dense} view={view} />}
        <AttentionOverlay attention={frame?.attention ?? null} view={view} place={whole ? frame.place : null} />
        {!whole && <Received input={frame?.input ?? null} />}
      </div>
      {whole && (
        <div className="received-row">
          <Received input={frame.input} />
          what the network receives
        </div>
      )}
      <div className="sources">
        <button
          type="button"
          className={stream ? 'button active' : 'button'}
          aria-pressed={stream !== null}
          disabled={!cameraSupported || camera.starting}
          title={cameraSupported ? undefined : 'This page may not use a camera: it needs https or localhost'}
          onClick={() => (stream ? camera.stop() : camera.start())}
        >
          <Icon path="M3 7h4l2-3h6l2 3h4v13H3zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z" />
          {stream ? 'Stop camera' : camera.starting ? 'Asking…' : 'Camera'}
        </button>
        <button type="button" className="button" onClick={() => picker.current?.click()}>
          <Icon path="M4 20h16M12 16V4M6 10l6-6 6 6" />
          Open a file
        </button>
        <input
          ref={picker}
          type="file"
          className="visually-hidden"
          aria-label="A photograph, or a checkpoint (.safetensors, .pth)"
          accept={accepted}
          tabIndex={-1}
          onChange={({ target }) => {
            props.take([...(target.files ?? [])]);
            target.value = '';
          }}
        />
      </div>
      <ul className="thumbnails" aria-label="Bundled photographs">
        {photographNames.map((name) => (
          <li key={name}>
            <button
              type="button"
              aria-pressed={!stream && picture.file === undefined && picture.name === name}
              aria-label={name}
              title={name}
              onClick={() => props.change({ image: name })}
            >
              <img src={photographAddress(name)} alt="" loading="lazy" />
            </button>
          </li>
        ))}
      </ul>
      <p className="hint">
        Drop or paste a photograph anywhere, or a checkpoint (.safetensors, .pth). Nothing leaves this page.
      </p>
    </Card>
  );
}

/** As large as there is room for, in the image's own proportions: shares of the stage are shares of the image. */
function stageStyle({ width, height }: FrameView['size']) {
  return { aspectRatio: `${width} / ${height}`, width: `min(100%, ${(70 * width) / height}vh)` };
}

function Icon({ path }: { readonly path: string }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

/** What is left of the image once it is scaled down for the network. */
const Received = memo(function Received({ input }: { readonly input: FrameView['input'] | null }) {
  const canvas = useRef<HTMLCanvasElement | null>(null);
  useEffect(() => {
    if (!input) return;
    drawSoon(canvas.current, (context) => {
      resized(context, input.width, input.height);
      context.putImageData(new ImageData(input.rgba, input.width, input.height), 0, 0);
    });
  }, [input]);
  const label = input ? `What the network receives: ${input.width} by ${input.height} pixels` : 'Nothing yet';
  return <canvas ref={canvas} className="received" role="img" aria-label={label} title={label} />;
});

/** Counts of the chosen head, by token. */
export function tokenCounts(
  attention: AttentionView,
  step: number,
  head: number,
  overlay: Overlay,
): Uint32Array | null {
  const heads = attention.steps[Math.min(step, attention.steps.length) - 1];
  const found = heads?.[Math.min(head, heads.length) - 1];
  if (!found || overlay === 'none') return null;
  return { query: found.selected, coincidences: found.contributed, result: found.result }[overlay];
}

const AttentionOverlay = memo(function AttentionOverlay({
  attention,
  view,
  place,
}: {
  readonly attention: AttentionView | null;
  readonly view: View;
  /** What its tokens cover; null: the whole stage. */
  readonly place: Place | null;
}) {
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const counts = attention && tokenCounts(attention, view.step, view.head, view.overlay);
  useEffect(() => {
    if (counts && attention)
      drawSoon(canvas.current, (context) => {
        const [height, width] = attention.size;
        resized(context, width, height);
        context.putImageData(tokenPixels(counts, attention.size), 0, 0);
      });
  });
  if (!counts) return null;
  const label = `${view.overlay} of head ${view.head} in ${attention!.name}, laid over the image`;
  const style = place ? placeStyle(place) : {};
  return <canvas ref={canvas} className="overlay" role="img" aria-label={label} style={style} />;
});

/** One cell per token: dark where nothing is counted, in the colour of heat where most is. */
export function tokenPixels(counts: Uint32Array, [height, width]: readonly [number, number]): ImageData {
  const [red, green, blue] = themeColour('--heat');
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const pixels = new ImageData(width, height);
  counts.forEach((count, token) => {
    const share = count / most;
    // Where nothing is selected the image is dimmed, so that what is selected stands out on light and dark images alike.
    pixels.data.set(share === 0 ? [8, 10, 14, 165] : [red, green, blue, Math.round(60 + 150 * share)], 4 * token);
  });
  return pixels;
}
