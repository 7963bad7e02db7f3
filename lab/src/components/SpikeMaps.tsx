/**
 * The spikes of one layer: a tile per channel, a square per neuron, the time step under the scrubber. A neuron that is clicked becomes the one
 * whose membrane is shown; fields beside the membrane do the same for keyboards.
 */
import { memo, type PointerEvent, useEffect, useRef, useState } from 'react';
import type { ModelInfo, SpikesView } from '../engine/messages.js';
import type { View } from '../state/view.js';
import { Card } from './Card.js';
import { drawPixels, drawSoon, fires, resized, themeColour } from './canvas.js';
import { useWidth } from './useMeasure.js';

/** Tiles at once, by the longer side of a map: as many as fit a screen and can be drawn between two frames. */
function tilesPerPageOf([height, width]: readonly [number, number]): number {
  const side = Math.max(height, width);
  return side > 64 ? 20 : side > 40 ? 36 : 64;
}

const gap = 4;
const largestTile = 128;
/** Of all tiles together, roughly. */
const wishedHeight = 340;

interface Layout {
  readonly columns: number;
  /** Device-independent pixels per neuron. */
  readonly scale: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly width: number;
  readonly height: number;
}

/** Tiles of whole pixels per neuron, as large as the place allows, preferably in rows that are all full. */
export function layoutOf(tiles: number, [height, width]: readonly [number, number], available: number): Layout {
  const wished = Math.min(largestTile, Math.max(48, Math.sqrt((available * wishedHeight) / Math.max(1, tiles))));
  const largest = Math.max(1, Math.floor(wished / Math.max(height, width)));
  const smallest = Math.max(1, Math.floor(0.6 * largest));
  let best: Layout | undefined;
  let mostUse = 0;
  for (let scale = largest; scale >= smallest; scale--) {
    const [tileWidth, tileHeight] = [width * scale, height * scale];
    const fitting = Math.max(1, Math.min(tiles, Math.floor((available + gap) / (tileWidth + gap))));
    const rows = Math.ceil(tiles / fitting);
    const columns = Math.ceil(tiles / rows);
    const size = { width: columns * (tileWidth + gap) - gap, height: rows * (tileHeight + gap) - gap };
    const use = (tileWidth * tiles) / (columns * rows) / Math.max(1, size.height / wishedHeight) ** 2;
    if (use > mostUse) best = { columns, scale, tileWidth, tileHeight, ...size };
    mostUse = Math.max(mostUse, use);
  }
  return best!;
}

export const SpikeMaps = memo(function SpikeMaps(props: {
  readonly model: Pick<ModelInfo, 'layers'> | null;
  readonly focus: SpikesView | null;
  readonly view: Pick<View, 'step'>;
  readonly theme: string;
  readonly playing: boolean;
  play(playing: boolean): void;
  change(change: Partial<View>): void;
}) {
  const { model, focus, view, playing, change } = props;
  const [box, available] = useWidth<HTMLDivElement>();
  const [page, setPage] = useState(0);
  const timeSteps = focus?.timeSteps ?? 1;
  const step = Math.min(view.step, timeSteps);
  const channels = focus?.channels ?? 0;
  const tilesPerPage = tilesPerPageOf(focus?.size ?? [1, 1]);
  const pages = Math.max(1, Math.ceil(channels / tilesPerPage));
  const first = Math.min(page, pages - 1) * tilesPerPage;
  const tiles = Math.min(tilesPerPage, channels - first);
  const layerName = focus?.layer;

  return (
    <Card
      title="Spikes"
      className="spikes"
      aside={
        <select aria-label="Layer" value={layerName ?? ''} onChange={({ target }) => change({ layer: target.value })}>
          {(model?.layers ?? []).map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      }
    >
      <div className="toolbar">
        <span className="fact">
          {focus
            ? `${channels} channels of ${focus.size.join(' × ')} neurons; ${spikesAt(focus, step).toLocaleString('en')} spikes`
            : 'Waiting for the first answer'}
        </span>
        {pages > 1 && (
          <span className="pager">
            <button
              type="button"
              aria-label="Channels before"
              disabled={first === 0}
              onClick={() => setPage(first / tilesPerPage - 1)}
            >
              ‹
            </button>
            <span>
              {first}–{first + tiles - 1}
            </span>
            <button
              type="button"
              aria-label="Channels after"
              disabled={first + tiles >= channels}
              onClick={() => setPage(first / tilesPerPage + 1)}
            >
              ›
            </button>
          </span>
        )}
        <span className="scrubber">
          <button
            type="button"
            aria-label={playing ? 'Pause' : timeSteps > 1 ? 'Play the time steps' : 'Play the layers'}
            onClick={() => props.play(!playing)}
          >
            {playing ? '❚❚' : '▶'}
          </button>
          <input
            type="range"
            aria-label="Time step"
            min={1}
            max={Math.max(2, timeSteps)}
            value={step}
            disabled={timeSteps === 1}
            onChange={({ target }) => change({ step: Number(target.value) })}
          />
          <output>
            t {step}/{timeSteps}
          </output>
        </span>
      </div>
      <div ref={box} className="maps">
        {focus && available > 0 && (
          <Tiles
            focus={focus}
            step={step}
            first={first}
            layout={layoutOf(tiles, focus.size, available)}
            tiles={tiles}
            theme={props.theme}
            change={change}
          />
        )}
      </div>
    </Card>
  );
});

function spikesAt({ words, timeSteps }: SpikesView, step: number): number {
  const perStep = words.length / timeSteps;
  let count = 0;
  for (const word of words.subarray((step - 1) * perStep, step * perStep))
    for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function Tiles(props: {
  readonly focus: SpikesView;
  readonly step: number;
  readonly first: number;
  readonly tiles: number;
  readonly layout: Layout;
  readonly theme: string;
  change(change: Partial<View>): void;
}) {
  const { focus, step, first, tiles, layout, theme } = props;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const scratch = useRef<HTMLCanvasElement | null>(null);

  // Drawn anew when anything that is seen changes; the theme is a colour, too.
  useEffect(() => {
    if (theme === '') return;
    drawSoon(canvas.current, (context) => {
      scratch.current ??= document.createElement('canvas');
      draw(context, scratch.current, { focus, step, first, tiles, layout });
    });
  }, [focus, step, first, tiles, layout, theme]);

  function choose(event: PointerEvent<HTMLCanvasElement>) {
    const bounds = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - bounds.left) / bounds.width) * layout.width;
    const y = ((event.clientY - bounds.top) / bounds.height) * layout.height;
    const column = Math.floor(x / (layout.tileWidth + gap));
    const row = Math.floor(y / (layout.tileHeight + gap));
    const tile = row * layout.columns + column;
    const mapX = Math.floor((x - column * (layout.tileWidth + gap)) / layout.scale);
    const mapY = Math.floor((y - row * (layout.tileHeight + gap)) / layout.scale);
    const [height, width] = focus.size;
    if (tile >= tiles || mapX >= width || mapY >= height) return;
    props.change({ channel: first + tile, position: mapY * width + mapX });
  }

  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={`Spikes of ${focus.title} at time step ${step}: one tile for each of the channels ${first} to ${first + tiles - 1}`}
      style={{ width: layout.width, height: layout.height }}
      onPointerDown={choose}
    />
  );
}

function draw(
  context: CanvasRenderingContext2D,
  scratch: HTMLCanvasElement,
  {
    focus,
    step,
    first,
    tiles,
    layout,
  }: { focus: SpikesView; step: number; first: number; tiles: number; layout: Layout },
): void {
  const { words, channels, size, neuron } = focus;
  const [height, width] = size;
  const density = Math.min(2, window.devicePixelRatio || 1);
  resized(context, layout.width * density, layout.height * density);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, layout.width, layout.height);
  const quiet = themeColour('--neuron');
  const spike = themeColour('--spike');
  const pixels = new ImageData(width, height);
  const colours = new Uint32Array(pixels.data.buffer);
  const [quietWord, spikeWord] = [wordOf(quiet), wordOf(spike)];
  const start = (step - 1) * height * width;
  for (let tile = 0; tile < tiles; tile++) {
    for (let position = 0; position < height * width; position++)
      colours[position] = fires(words, channels, start + position, first + tile) ? spikeWord : quietWord;
    drawPixels(
      context,
      pixels,
      { ...cornerOf(tile, layout), width: layout.tileWidth, height: layout.tileHeight },
      scratch,
    );
  }
  const chosen = neuron ? neuron.channel - first : -1;
  if (!neuron || chosen < 0 || chosen >= tiles) return;
  const corner = cornerOf(chosen, layout);
  const [red, green, blue] = themeColour('--membrane');
  context.strokeStyle = `rgb(${red} ${green} ${blue})`;
  context.lineWidth = 1.5;
  context.strokeRect(corner.x - 1, corner.y - 1, layout.tileWidth + 2, layout.tileHeight + 2);
  const side = Math.max(5, layout.scale + 2);
  context.strokeRect(
    corner.x + ((neuron.position % width) + 0.5) * layout.scale - side / 2,
    corner.y + (Math.floor(neuron.position / width) + 0.5) * layout.scale - side / 2,
    side,
    side,
  );
}

function cornerOf(
  tile: number,
  { columns, tileWidth, tileHeight }: Layout,
): { readonly x: number; readonly y: number } {
  return { x: (tile % columns) * (tileWidth + gap), y: Math.floor(tile / columns) * (tileHeight + gap) };
}

/** A colour as `ImageData` holds it on machines whose least byte comes first, as all that run browsers do. */
function wordOf([red, green, blue]: readonly [number, number, number]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
