/** What the network says after the window that is shown, how sure it is, and what the window cost. */
import { memo } from 'react';
import { Card } from '../components/Card.js';
import { duration, energy as energyText, percent } from '../components/text.js';
import type { EventNetwork, WindowView } from './messages.js';
import { milliseconds } from './text.js';

export const WindowDecision = memo(function WindowDecision(props: {
  readonly network: EventNetwork | null;
  readonly windows: readonly WindowView[];
  /** From 0. */
  readonly chosen: number;
  readonly start: number;
}) {
  const { network, windows, chosen, start } = props;
  const window = windows[chosen];
  return (
    <Card title="Decision" className="decision" aside={network && <span className="fact">{network.name}</span>}>
      <p className="window-of" data-testid="window">
        {window
          ? `After window ${chosen + 1} of ${windows.length}: ${milliseconds(window.from - start)} to ${milliseconds(window.to - start)}`
          : network
            ? 'Waiting for the first window'
            : 'No network yet'}
      </p>
      <ol className="classes" aria-label="The most probable classes">
        {(window?.classes ?? []).map(({ index, label, probability, logit }, rank) => (
          <li key={index} data-logit={logit} className={rank === 0 ? 'first' : ''}>
            <span className="class-label">{label}</span>
            <span className="class-share">{percent(probability)}</span>
            <span className="class-bar" aria-hidden="true">
              <span className="class-fill" style={{ transform: `scaleX(${probability})` }} />
            </span>
          </li>
        ))}
      </ol>
      <dl className="figures">
        <div>
          <dt>latency</dt>
          <dd data-testid="latency">{window ? duration(latencyOf(window)) : '–'}</dd>
        </div>
        <div>
          <dt>energy</dt>
          <dd data-testid="energy">{window ? energyText(window.millijoules) : '–'}</dd>
        </div>
        <div>
          <dt>neurons that fire</dt>
          <dd>{window && network ? percent(firingShare(window, network)) : '–'}</dd>
        </div>
      </dl>
      {network && (
        <p className="hint">
          Cut into {network.windows}; the answer is about the last {network.timeSteps}. Latency is from the end of a
          window to its decision; energy is of the additions and multiplications that were counted.
        </p>
      )}
      {network?.warnings.map((warning) => (
        <p key={warning} className="hint" data-testid="warning">
          {warning}.
        </p>
      ))}
    </Card>
  );
});

/** From a window's last event to its decision: drawing the frame, and the network. */
export function latencyOf({ milliseconds: { frame, network } }: WindowView): number {
  return frame + network;
}

function firingShare({ rates }: WindowView, { layers }: EventNetwork): number {
  let [spikes, neurons] = [0, 0];
  for (const [index, { channels, size }] of layers.entries()) {
    const count = channels * size[0] * size[1];
    neurons += count;
    spikes += count * (rates[index] ?? 0);
  }
  return neurons === 0 ? 0 : spikes / neurons;
}
