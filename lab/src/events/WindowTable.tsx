/** Every window in a row: when it was, what the network said after it, how long that took and what it cost. A row that is chosen is shown. */
import { memo, useEffect, useRef } from 'react';
import { Card } from '../components/Card.js';
import { duration, energy as energyText, percent } from '../components/text.js';
import type { WindowView } from './messages.js';
import { milliseconds } from './text.js';
import { latencyOf } from './WindowDecision.js';

export const WindowTable = memo(function WindowTable(props: {
  readonly windows: readonly WindowView[];
  readonly chosen: number;
  readonly start: number;
  choose(window: number): void;
}) {
  const { windows, chosen, start, choose } = props;
  const box = useRef<HTMLElement | null>(null);
  useEffect(() => {
    const row = box.current?.querySelectorAll('tbody tr')[chosen] as HTMLElement | undefined;
    // Only the table moves, not the page.
    if (row && box.current) box.current.scrollTop = row.offsetTop - box.current.clientHeight / 2;
  }, [chosen]);
  const total = windows.reduce((sum, { millijoules }) => sum + millijoules, 0);
  return (
    <Card
      title="Windows"
      className="windows"
      aside={windows.length > 0 && <span className="fact">{energyText(total)} in all</span>}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys. */}
      <section ref={box} className="window-rows" aria-label="Windows of the recording" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">window</th>
              <th scope="col">from</th>
              <th scope="col">events</th>
              <th scope="col">decision</th>
              <th scope="col">latency</th>
              <th scope="col">energy</th>
            </tr>
          </thead>
          <tbody>
            {windows.map((window, index) => (
              <Row
                key={window.from}
                window={window}
                index={index}
                chosen={index === chosen}
                start={start}
                choose={choose}
              />
            ))}
          </tbody>
        </table>
      </section>
    </Card>
  );
});

const Row = memo(function Row(props: {
  readonly window: WindowView;
  readonly index: number;
  readonly chosen: boolean;
  readonly start: number;
  choose(window: number): void;
}) {
  const { window, index, chosen, start, choose } = props;
  const [first] = window.classes;
  return (
    <tr aria-current={chosen ? 'step' : undefined}>
      <td>
        <button type="button" aria-label={`Show window ${index + 1}`} onClick={() => choose(index)}>
          {index + 1}
        </button>
      </td>
      <td>{milliseconds(window.from - start)}</td>
      <td>{window.events.toLocaleString('en')}</td>
      <td>{first && `${first.label} ${percent(first.probability, 0)}`}</td>
      <td>{duration(latencyOf(window))}</td>
      <td>{energyText(window.millijoules)}</td>
    </tr>
  );
});
