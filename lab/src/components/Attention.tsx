/**
 * Spike-driven self-attention of one block, head by head: which tokens Q selects, where K and V fire together, what comes out; and the counts
 * Kᵀ V of the chosen head. Nothing is multiplied: these are integers.
 */
import { memo, useEffect, useRef } from 'react';
import type { AttentionView, FrameView, ModelInfo } from '../engine/messages.js';
import type { Overlay, View } from '../state/view.js';
import { Card } from './Card.js';
import { between, drawPixels, drawSoon, resized, themeColour } from './canvas.js';
import { Segmented } from './Segmented.js';
import { tokenCounts, tokenPixels } from './Viewer.js';

const kinds: readonly { readonly value: Exclude<Overlay, 'none'>; readonly label: string; readonly says: string }[] = [
  {
    value: 'query',
    label: 'Q selects',
    says: 'Bright tokens: where Q of this head fires. There it selects rows of Kᵀ V.',
  },
  {
    value: 'coincidences',
    label: 'K meets V',
    says: 'Bright tokens: where K and V fire together. Kᵀ V counts these coincidences.',
  },
  {
    value: 'result',
    label: 'Q (Kᵀ V)',
    says: 'Bright tokens: where the attention gives most to the next neurons.',
  },
];

export const Attention = memo(function Attention(props: {
  readonly model: ModelInfo | null;
  readonly attention: AttentionView | null;
  readonly input: FrameView['input'] | null;
  readonly view: View;
  readonly theme: string;
  change(change: Partial<View>): void;
}) {
  const { model, attention, input, view, theme, change } = props;
  const blocks = new Map<string, string>();
  for (const { attention: name, stage } of model?.layers ?? []) if (name !== undefined) blocks.set(name, stage);
  if (model && blocks.size === 0) return null;
  const step = Math.min(view.step, attention?.steps.length ?? 1);
  const heads = attention?.steps[step - 1] ?? [];
  const head = Math.min(view.head, Math.max(1, heads.length));
  const kind = view.overlay === 'none' ? 'query' : view.overlay;
  return (
    <Card
      title="Attention"
      className="attention"
      aside={
        <select
          aria-label="Attention block"
          value={attention?.name ?? ''}
          onChange={({ target }) => change({ attention: target.value })}
        >
          {[...blocks].map(([name, stage]) => (
            <option key={name} value={name}>
              {stage}
            </option>
          ))}
        </select>
      }
    >
      <div className="toolbar">
        <Segmented label="Shown" quiet value={kind} choices={kinds} onChange={(overlay) => change({ overlay })} />
        <label className="check">
          <input
            type="checkbox"
            checked={view.overlay !== 'none'}
            onChange={({ target }) => change({ overlay: target.checked ? kind : 'none' })}
          />
          over the image
        </label>
      </div>
      <div className="attention-body">
        <fieldset className="heads">
          <legend className="visually-hidden">Head</legend>
          {heads
            .map((_, index) => index + 1)
            .map((number) => (
              <label key={number} className={number === head ? 'head chosen' : 'head'}>
                <input
                  type="radio"
                  name="head"
                  className="visually-hidden"
                  checked={number === head}
                  onChange={() => change({ head: number })}
                />
                <HeadMap attention={attention!} input={input} step={step} head={number} kind={kind} theme={theme} />
                <span>head {number}</span>
              </label>
            ))}
        </fieldset>
        {heads[head - 1] && <Counts head={heads[head - 1]!} theme={theme} number={head} />}
      </div>
      <p className="hint">{kinds.find(({ value }) => value === kind)?.says}</p>
    </Card>
  );
});

function HeadMap(props: {
  readonly attention: AttentionView;
  readonly input: FrameView['input'] | null;
  readonly step: number;
  readonly head: number;
  readonly kind: Overlay;
  readonly theme: string;
}) {
  const { attention, input, step, head, kind, theme } = props;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const scratch = useRef<HTMLCanvasElement | null>(null);
  useEffect(() => {
    const counts = tokenCounts(attention, step, head, kind);
    if (!input || !counts || theme === '') return;
    drawSoon(canvas.current, (context) => {
      scratch.current ??= document.createElement('canvas');
      const { width, height } = input;
      resized(context, width, height);
      context.putImageData(new ImageData(input.rgba, width, height), 0, 0);
      drawPixels(context, tokenPixels(counts, attention.size), { x: 0, y: 0, width, height }, scratch.current);
    });
  }, [attention, input, step, head, kind, theme]);
  return (
    <span className="head-map" aria-hidden="true">
      <canvas ref={canvas} />
    </span>
  );
}

/** The matrix Kᵀ V of one head: rows are channels of K, columns channels of V. */
function Counts(props: {
  readonly head: AttentionView['steps'][number][number];
  readonly number: number;
  readonly theme: string;
}) {
  const { head, number, theme } = props;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const { channels, coincidences } = head;
  const total = coincidences.reduce((a, b) => a + b, 0);
  const most = coincidences.reduce((a, b) => Math.max(a, b), 0);
  useEffect(() => {
    if (theme === '') return;
    drawSoon(canvas.current, (context) => {
      resized(context, channels, channels);
      const [cold, hot] = [themeColour('--neuron'), themeColour('--heat')];
      const pixels = new ImageData(channels, channels);
      coincidences.forEach((count, index) => {
        pixels.data.set([...between(cold, hot, most === 0 ? 0 : count / most), 255], 4 * index);
      });
      context.putImageData(pixels, 0, 0);
    });
  }, [channels, coincidences, most, theme]);
  const text = `${total.toLocaleString('en')} coincidences, at most ${most} in one pair`;
  return (
    <figure className="counts">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Kᵀ V of head ${number}: ${channels} by ${channels} counts; ${text}`}
      />
      <figcaption>
        <b>
          K<sup>T</sup>V, head {number}
        </b>
        <span>
          {channels} × {channels} channels
        </span>
        <span>{text}</span>
      </figcaption>
    </figure>
  );
}
