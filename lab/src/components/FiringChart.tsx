/**
 * Which share of its neurons each layer fires: one bar per layer in the order of the network, stages side by side. It is the way into the layers:
 * a bar that is chosen is looked at closely below. A list box to keyboards and screen readers.
 */
import { type KeyboardEvent, memo, useEffect, useId, useMemo, useRef } from 'react';
import type { FrameView, ModelInfo } from '../engine/messages.js';
import { Card } from './Card.js';
import { percent } from './text.js';
import { useScrollEdges } from './useMeasure.js';

interface Bar {
  readonly index: number;
  readonly name: string;
  readonly title: string;
  readonly mean: number;
  /** At the time step that is shown. */
  readonly now: number;
}

interface Stage {
  readonly name: string;
  readonly title: string;
  readonly bars: readonly Bar[];
}

type Network = Pick<ModelInfo, 'layers' | 'timeSteps'>;
type Activity = Pick<FrameView, 'rates'>;

export const FiringChart = memo(function FiringChart(props: {
  readonly model: Network | null;
  readonly frame: Activity | null;
  readonly layer: string | null;
  readonly step: number;
  onLayer(name: string): void;
}) {
  const { model, frame, step } = props;
  const stages = useMemo(() => stagesOf(model, frame, step), [model, frame, step]);
  const id = useId();
  const list = useRef<HTMLDivElement | null>(null);
  useScrollEdges(list);
  const layers = model?.layers ?? [];
  const chosen = Math.max(
    0,
    layers.findIndex(({ name }) => name === props.layer),
  );
  const top = axisTop(stages);
  const chosenId = `${id}-${chosen}`;
  useEffect(() => {
    // On a narrow page the bars scroll sideways.
    const option = document.getElementById(chosenId);
    const box = list.current;
    if (option && box && box.scrollWidth > box.clientWidth)
      box.scrollTo({ left: option.offsetLeft - box.clientWidth / 2 });
  }, [chosenId]);

  function onKeyDown(event: KeyboardEvent) {
    const last = layers.length - 1;
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: Math.min(last, chosen + 1),
      ArrowDown: Math.min(last, chosen + 1),
      ArrowLeft: Math.max(0, chosen - 1),
      ArrowUp: Math.max(0, chosen - 1),
      Home: 0,
      End: last,
    };
    const next = moves[event.key];
    if (next === undefined || !layers[next]) return;
    event.preventDefault();
    props.onLayer(layers[next].name);
  }

  const selected = layers[chosen];
  return (
    <Card
      title="Firing rate by layer"
      className="firing"
      aside={
        selected && (
          <span className="fact">
            {selected.title} {percent(barAt(stages, chosen)?.mean ?? 0)}
          </span>
        )
      }
    >
      <div className="plot">
        <div className="axis" aria-hidden="true">
          <span>{percent(top, 0)}</span>
          <span>{percent(top / 2, 0)}</span>
          <span>0</span>
        </div>
        <div
          ref={list}
          className="bars"
          role="listbox"
          tabIndex={0}
          aria-label="Layers of neurons and the share that fires"
          aria-orientation="horizontal"
          aria-activedescendant={selected ? chosenId : undefined}
          onKeyDown={onKeyDown}
        >
          {stages.map((stage) => (
            <div key={stage.name} className="stage-bars" style={{ flexGrow: stage.bars.length }}>
              <div className="stage-row">
                {stage.bars.map(({ index, name, title, mean, now }) => (
                  <div
                    key={name}
                    id={`${id}-${index}`}
                    className="bar"
                    role="option"
                    tabIndex={-1}
                    aria-selected={index === chosen}
                    aria-label={`${title}, ${percent(mean)}`}
                    title={`${title}: ${percent(mean)} fire`}
                    onPointerDown={() => props.onLayer(name)}
                  >
                    <span className="bar-fill" style={{ transform: `scaleY(${Math.min(1, mean / top)})` }} />
                    {model && model.timeSteps > 1 && (
                      <span className="bar-now" style={{ bottom: `${Math.min(100, (100 * now) / top)}%` }} />
                    )}
                  </div>
                ))}
              </div>
              <span className="stage-label" aria-hidden="true">
                {stage.title}
              </span>
            </div>
          ))}
        </div>
      </div>
      <p className="hint">
        {model && model.timeSteps > 1 ? 'Bars: mean over time; ticks: the step shown below. ' : ''}
        1_1 to 2_2 are convolutions, 3.0 and on transformer blocks, ↓ downsamplings.
      </p>
    </Card>
  );
});

function barAt(stages: readonly Stage[], index: number): Bar | undefined {
  return stages.flatMap(({ bars }) => bars).find((bar) => bar.index === index);
}

function stagesOf(model: Network | null, frame: Activity | null, step: number): readonly Stage[] {
  const stages = new Map<string, { title: string; bars: Bar[] }>();
  const timeSteps = model?.timeSteps ?? 1;
  // Rates of another configuration would be read at the wrong places.
  const rates = model && frame?.rates.length === model.layers.length * timeSteps ? frame.rates : undefined;
  model?.layers.forEach(({ name, title, stage, stageTitle }, index) => {
    const own = rates?.subarray(index * timeSteps, (index + 1) * timeSteps);
    const mean = own ? own.reduce((a, b) => a + b, 0) / timeSteps : 0;
    const known = stages.get(stage) ?? { title: stageTitle, bars: [] };
    known.bars.push({ index, name, title, mean, now: own?.[Math.min(step, timeSteps) - 1] ?? 0 });
    stages.set(stage, known);
  });
  return [...stages].map(([name, { title, bars }]) => ({ name, title, bars }));
}

/** The least of a few round shares that holds all bars. */
function axisTop(stages: readonly Stage[]): number {
  const most = Math.max(0, ...stages.flatMap(({ bars }) => bars.flatMap(({ mean, now }) => [mean, now])));
  return [0.1, 0.2, 0.4, 0.6, 0.8].find((top) => top >= most) ?? 1;
}
