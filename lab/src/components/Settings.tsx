/** The knobs: network, time steps, threshold, precision, kernel, threads. */
import { type ReactNode, useId } from 'react';
import type { ModelInfo, Unseen } from '../engine/messages.js';
import type { OwnSettings } from '../state/labState.js';
import { mostTimeSteps, thresholdRange, type View } from '../state/view.js';
import { Card } from './Card.js';
import { OwnCheckpoint } from './OwnCheckpoint.js';
import { Segmented } from './Segmented.js';

const networks: Readonly<Record<View['model'], string>> = {
  photographs: 'Photographs of fifty things, trained',
  cifar10: 'CIFAR-10, trained',
  camvid: 'CamVid: street scenes, a mask, trained',
  bccd: 'BCCD: blood cells, boxes, trained',
  '15M-random': '15M at 224², random weights',
  '31M-random': '31M at 224², random weights',
  '55M-random': '55M at 224², random weights',
};

export function Settings(props: {
  readonly view: View;
  readonly model: ModelInfo | null;
  /** Those that come with the library. */
  readonly networks: readonly string[];
  /** What can be set of a person's own checkpoint; null without one. */
  readonly own: OwnSettings | null;
  readonly children: ReactNode;
  describe(change: Unseen): void;
  change(change: Partial<View>): void;
}) {
  const { view, model, change } = props;
  const network = useId();
  const steps = useId();
  const threshold = useId();
  const threads = useId();
  const timeSteps = view.T ?? model?.own.timeSteps ?? 1;
  const theta = view.threshold ?? model?.own.threshold ?? 1;
  const available = model?.availableThreads ?? 1;
  const own = model && !(model.name in networks) ? model.name : undefined;
  return (
    <Card title="Settings" className="settings">
      <div className="field">
        <label htmlFor={network}>Network</label>
        <select
          id={network}
          value={own === undefined ? view.model : 'own'}
          onChange={({ target }) => change({ model: target.value as View['model'] })}
        >
          {own !== undefined && <option value="own">{own}, your checkpoint</option>}
          {Object.entries(networks)
            .filter(([name]) => name === view.model || props.networks.includes(name))
            .map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
        </select>
      </div>
      {props.own && <OwnCheckpoint settings={props.own} describe={props.describe} />}
      <div className="field">
        <label htmlFor={steps}>Time steps T</label>
        <output htmlFor={steps}>{timeSteps}</output>
        <input
          id={steps}
          type="range"
          min={1}
          max={mostTimeSteps}
          value={timeSteps}
          onChange={({ target }) => {
            const T = Number(target.value);
            change({ T: T === model?.own.timeSteps ? null : T, step: Math.min(view.step, T) });
          }}
        />
      </div>
      <div className="field">
        <label htmlFor={threshold}>Threshold θ</label>
        <output htmlFor={threshold}>{theta.toFixed(2)}</output>
        <input
          id={threshold}
          type="range"
          min={thresholdRange.least}
          max={thresholdRange.most}
          step={thresholdRange.step}
          value={theta}
          onChange={({ target }) => {
            const value = Number(Number(target.value).toFixed(3));
            change({ threshold: value === model?.own.threshold ? null : value });
          }}
        />
      </div>
      <div className="pair">
        <Segmented
          label="Kernel"
          value={view.kernel}
          choices={[
            { value: 'table', label: 'table' },
            { value: 'dense', label: 'dense' },
          ]}
          onChange={(kernel) => change({ kernel })}
        />
        <Segmented
          label="Precision"
          value={view.precision}
          choices={[
            { value: 'f32', label: 'f32' },
            {
              value: 'i16',
              label: 'i16',
              ...(view.kernel === 'dense' ? { unavailable: 'The dense kernel only supports f32' } : {}),
            },
          ]}
          onChange={(precision) => change({ precision })}
        />
        <div className="field threads">
          <label htmlFor={threads}>Threads</label>
          <input
            id={threads}
            type="number"
            min={1}
            max={available}
            value={Math.min(view.threads ?? model?.threads ?? 1, available)}
            disabled={available === 1}
            onChange={({ target }) => {
              const count = Math.round(Number(target.value));
              if (count >= 1 && count <= available) change({ threads: count });
            }}
          />
        </div>
      </div>
      {model && !model.sharedMemory && (
        <p className="hint" data-testid="one-thread">
          One thread: this page is not cross-origin isolated. Its server can allow more: see docs/lab.md.
        </p>
      )}
      {props.children}
    </Card>
  );
}
