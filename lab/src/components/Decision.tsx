/** What the network decides, how sure it is, how long it takes, and what the last change of settings did to all three. */
import { memo } from 'react';
import { Legend } from '../dense/Legend.js';
import type { FrameView, ModelInfo } from '../engine/messages.js';
import type { Outcome } from '../state/labState.js';
import type { View } from '../state/view.js';
import { Card } from './Card.js';
import { duration, energy as energyText, percent, perSecond } from './text.js';

export const Decision = memo(function Decision(props: {
  readonly model: ModelInfo | null;
  readonly frame: FrameView | null;
  readonly arrivals: readonly number[];
  readonly view: Pick<View, 'opacity' | 'score' | 'hidden'>;
  change(change: Partial<View>): void;
}) {
  const { model, frame, arrivals, view, change } = props;
  const { length } = arrivals;
  const liveRate = length > 2 ? (1000 * (length - 1)) / (arrivals[length - 1]! - arrivals[0]!) : undefined;
  return (
    <Card title="Decision" className="decision" aside={model && <span className="fact">{model.name}</span>}>
      {frame?.dense && <Legend dense={frame.dense} live={frame.live} view={view} change={change} />}
      {!frame?.dense && !model?.describes && (
        <ol className="classes" aria-label="The most probable classes">
          {(frame?.classes ?? []).map(({ index, label, probability, logit }, rank) => (
            <li key={index} data-logit={logit} className={rank === 0 ? 'first' : ''}>
              <span className="class-label">{label}</span>
              <span className="class-share">{percent(probability)}</span>
              <span className="class-bar" aria-hidden="true">
                <span className="class-fill" style={{ transform: `scaleX(${probability})` }} />
              </span>
            </li>
          ))}
        </ol>
      )}
      <dl className="figures">
        <div>
          <dt>time per image</dt>
          <dd data-testid="network-time">{frame ? duration(frame.milliseconds.network) : '–'}</dd>
        </div>
        {liveRate === undefined ? (
          <div>
            <dt>images a second</dt>
            <dd>{frame ? perSecond(frame.milliseconds.network) : '–'}</dd>
          </div>
        ) : (
          <div>
            <dt>frames a second</dt>
            <dd data-testid="frame-rate">{liveRate.toFixed(1)}</dd>
          </div>
        )}
        <div>
          <dt>neurons that fire</dt>
          <dd>{frame && model ? percent(meanRate(frame, model)) : '–'}</dd>
        </div>
      </dl>
      {model?.warnings.map((warning) => (
        <p key={warning} className="hint" data-testid="warning">
          {warning}.
        </p>
      ))}
      {model?.randomWeights && (
        <p className="hint">These weights are random: cost and activity are real, the answer means nothing.</p>
      )}
      {model && !model.randomWeights && model.hasLabels && model.labels.length <= 20 && (
        <p className="hint">
          It knows {model.labels.length} classes: {model.labels.join(', ')}.
        </p>
      )}
    </Card>
  );
});

export function meanRate({ rates }: FrameView, { layers, timeSteps }: ModelInfo): number {
  let spikes = 0;
  let neurons = 0;
  layers.forEach(({ channels, size }, index) => {
    const count = channels * size[0] * size[1];
    neurons += count * timeSteps;
    for (let t = 0; t < timeSteps; t++) spikes += count * (rates[index * timeSteps + t] ?? 0);
  });
  // Neurons that give out numbers do not fire.
  return neurons === 0 ? 0 : spikes / neurons;
}

/** Before and after the last change of settings, side by side. */
export const Effect = memo(function Effect({
  before,
  now,
}: {
  readonly before: Outcome | null;
  readonly now: Outcome | null;
}) {
  if (!before || !now || before.configuration === now.configuration)
    return (
      <p className="hint">Change a setting or the network to see here what that does to speed, energy and decision.</p>
    );
  const rows: readonly (readonly [string, string, string])[] = [
    ['time', duration(before.milliseconds), duration(now.milliseconds)],
    [
      'energy',
      before.energy === null ? '–' : energyText(before.energy),
      now.energy === null ? '…' : energyText(now.energy),
    ],
    ['decision', before.decision, now.decision],
  ];
  return (
    <table className="effect" aria-live="polite">
      <caption className="visually-hidden">What the last change did</caption>
      <thead>
        <tr>
          <td />
          {[before, now].map(({ configuration, network, settings }) => (
            <th key={configuration} scope="col">
              {before.network !== now.network && <span className="network">{network}</span>}
              {settings}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, old, current]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{old}</td>
            <td className={old === current ? '' : 'changed'}>{current}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
});
