/**
 * The membrane of one neuron over the time steps: how the current charges it, where it meets the threshold, how a spike sets it back to zero.
 */
import { memo, useId } from 'react';
import type { FocusView } from '../engine/messages.js';
import type { View } from '../state/view.js';
import { Card } from './Card.js';

const box = { width: 330, height: 190, left: 40, right: 4, top: 18, bottom: 26 } as const;
/** Part of a step after which the membrane has its charge. */
const reached = 0.62;

export const Membrane = memo(function Membrane(props: {
  readonly focus: FocusView | null;
  readonly step: number;
  change(change: Partial<View>): void;
}) {
  const { focus } = props;
  return (
    <Card title="Membrane of one neuron" className="membrane">
      {focus ? (
        <>
          <Trace focus={focus} step={Math.min(props.step, focus.timeSteps)} />
          <Place focus={focus} change={props.change} />
        </>
      ) : (
        <p className="hint">Waiting for the first image.</p>
      )}
    </Card>
  );
});

function Trace({ focus, step }: { readonly focus: FocusView; readonly step: number }) {
  const title = useId();
  const { steps, threshold, tau } = focus.trace;
  const values = steps.flatMap(({ charged, current }) => [charged, current]);
  const high = Math.max(threshold * 1.25, ...values);
  const low = Math.min(0, ...values);
  const margin = (high - low) * 0.06;
  const y = (value: number) =>
    box.top + ((high + margin - value) / (high - low + 2 * margin)) * (box.height - box.top - box.bottom);
  const stepWidth = (box.width - box.left - box.right) / steps.length;
  const x = (time: number) => box.left + time * stepWidth;
  const spikes = steps.filter(({ spike }) => spike).length;
  const path = steps.reduce(
    (line, { charged, membrane }, t) => {
      // Charged during the first part of the step, then kept, or set back at once.
      const met = x(t + reached);
      return `${line} L ${met} ${y(charged)} L ${met} ${y(membrane)} L ${x(t + 1)} ${y(membrane)}`;
    },
    `M ${x(0)} ${y(0)}`,
  );
  const marks = [...new Set([0, threshold])];
  return (
    <svg className="trace" viewBox={`0 0 ${box.width} ${box.height}`} role="img" aria-labelledby={title}>
      <title id={title}>
        {`Membrane over ${steps.length} time steps with threshold ${threshold}: ${steps
          .map(({ charged, spike }, t) => `step ${t + 1} ${charged.toFixed(3)}${spike ? ', spike' : ''}`)
          .join('; ')}`}
      </title>
      <rect
        className="trace-step"
        x={x(step - 1)}
        y={box.top}
        width={stepWidth}
        height={box.height - box.top - box.bottom}
      />
      {marks.map((value) => (
        <g key={value} className={value === threshold ? 'trace-threshold' : 'trace-zero'}>
          <line x1={box.left} x2={box.width - box.right} y1={y(value)} y2={y(value)} />
          <text x={box.left - 6} y={y(value) + 4} textAnchor="end">
            {value === threshold ? `θ ${Number(threshold.toFixed(2))}` : '0'}
          </text>
        </g>
      ))}
      {steps
        .map(({ current }, t) => ({ current, time: t + 1 }))
        .map(({ current, time }) => (
          <g key={time} className="trace-current">
            <line x1={x(time - 0.69)} x2={x(time - 0.69)} y1={y(0)} y2={y(current)} />
            <circle cx={x(time - 0.69)} cy={y(current)} r={2.6} />
          </g>
        ))}
      <path className="trace-line" d={path} />
      {steps
        .map(({ charged, spike }, t) => ({ charged, spike, time: t + 1 }))
        .map(({ charged, spike, time }) => (
          <g key={time}>
            {spike && (
              <circle className="trace-spike" cx={x(time - 1 + reached)} cy={y(charged)} r={5}>
                <title>{`spike at step ${time}`}</title>
              </circle>
            )}
            <text className="trace-time" x={x(time - 0.5)} y={box.height - 8} textAnchor="middle">
              {time}
            </text>
          </g>
        ))}
      <text className="trace-time" x={box.left - 6} y={box.height - 8} textAnchor="end">
        t
      </text>
      <text className="trace-note" x={box.width - box.right} y={box.top - 5} textAnchor="end">
        {`τ ${tau} · ${spikes === 1 ? '1 spike' : `${spikes} spikes`}`}
      </text>
    </svg>
  );
}

/** Which neuron it is, in fields: the way there without a pointer. */
function Place({ focus, change }: { readonly focus: FocusView; change(change: Partial<View>): void }) {
  const { neuron, channels, size } = focus;
  const [height, width] = size;
  const row = Math.floor(neuron.position / width);
  const column = neuron.position % width;
  const fields = [
    { label: 'channel', value: neuron.channel, count: channels, set: (value: number) => change({ channel: value }) },
    { label: 'row', value: row, count: height, set: (value: number) => change({ position: value * width + column }) },
    { label: 'column', value: column, count: width, set: (value: number) => change({ position: row * width + value }) },
  ];
  return (
    <div className="place">
      {fields.map(({ label, value, count, set }) => (
        <label key={label}>
          <span>{label}</span>
          <input
            type="number"
            min={0}
            max={count - 1}
            value={value}
            onChange={({ target }) => {
              const wanted = Math.round(Number(target.value));
              if (wanted >= 0 && wanted < count) set(wanted);
            }}
          />
        </label>
      ))}
      <ul className="legend" aria-label="Legend">
        <li className="key-membrane">membrane</li>
        <li className="key-current">current</li>
        <li className="key-spike">spike, reset</li>
      </ul>
    </div>
  );
}
