/** How probable the leading classes are after each window, over the time of the recording. A click goes to that moment; keys do it by the time slider. */
import { memo, type PointerEvent } from 'react';
import { Card } from '../components/Card.js';
import { percent } from '../components/text.js';
import { useWidth } from '../components/useMeasure.js';
import type { EventNetwork, WindowView } from './messages.js';
import { milliseconds } from './text.js';

const height = 170;
const edge = { left: 40, right: 86, top: 8, bottom: 22 };
const mostLines = 4;
/** Between the names at the right, in CSS pixels. */
const lineHeight = 15;

interface Line {
  readonly index: number;
  readonly label: string;
  readonly path: string;
  readonly end: number;
}

export function ProbabilityChart(props: {
  readonly network: EventNetwork | null;
  readonly windows: readonly WindowView[];
  readonly chosen: number;
  readonly time: number;
  readonly from: number;
  readonly to: number;
  seek(time: number): void;
}) {
  const { network, windows, chosen, time, from } = props;
  const [box, width] = useWidth<HTMLDivElement>();
  const to = Math.max(props.to, windows.at(-1)?.to ?? from, from + 1);
  const inner = Math.max(1, width - edge.left - edge.right);
  const x = (moment: number) => edge.left + (inner * (moment - from)) / (to - from);
  const window = windows[chosen];
  const leading = window?.classes[0];

  function choose({ clientX, currentTarget }: PointerEvent<SVGSVGElement>) {
    const bounds = currentTarget.getBoundingClientRect();
    const place = ((clientX - bounds.left) / bounds.width) * width;
    props.seek(from + ((place - edge.left) / inner) * (to - from));
  }

  return (
    <Card
      title="Probability over time"
      className="probability"
      aside={leading && <span className="fact">{`${leading.label} ${percent(leading.probability)}`}</span>}
    >
      <div ref={box} className="chart">
        {width > 0 && (
          <svg
            role="img"
            aria-label={summary(windows)}
            width={width}
            height={height}
            viewBox={`0 0 ${width} ${height}`}
            onPointerDown={choose}
          >
            {window && (
              <rect
                className="chart-window"
                x={x(window.from)}
                y={edge.top}
                width={Math.max(1, x(window.to) - x(window.from))}
                height={height - edge.top - edge.bottom}
              />
            )}
            {[0, 0.5, 1].map((share) => (
              <g key={share} className="chart-grid">
                <line x1={edge.left} x2={width - edge.right} y1={y(share)} y2={y(share)} />
                <text x={edge.left - 6} y={y(share) + 4} textAnchor="end">
                  {percent(share, 0)}
                </text>
              </g>
            ))}
            <text className="chart-text" x={edge.left} y={height - 5}>
              0
            </text>
            <text className="chart-text" x={width - edge.right} y={height - 5} textAnchor="end">
              {milliseconds(to - from)}
            </text>
            <Lines network={network} windows={windows} from={from} to={to} width={width} leading={leading?.index} />
            <line className="chart-now" x1={x(time)} x2={x(time)} y1={edge.top} y2={height - edge.bottom} />
          </svg>
        )}
      </div>
      <p className="hint">The shaded window is the one that is shown. Click to go to a moment.</p>
    </Card>
  );
}

const Lines = memo(function Lines(props: {
  readonly network: EventNetwork | null;
  readonly windows: readonly WindowView[];
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly leading: number | undefined;
}) {
  const { network, windows, from, to, width, leading } = props;
  if (!network || windows.length === 0) return null;
  const inner = width - edge.left - edge.right;
  const x = (moment: number) => edge.left + (inner * (moment - from)) / (to - from);
  const lines = leadersOf(windows).map((index): Line => {
    const steps = windows.map(
      ({ from: begin, to: end, probabilities }) =>
        `${x(begin).toFixed(1)} ${y(probabilities[index]!).toFixed(1)}H${x(end).toFixed(1)}`,
    );
    const label = network.labels[index] ?? String(index);
    return { index, label, path: `M${steps.join('L')}`, end: y(windows.at(-1)!.probabilities[index]!) };
  });
  const places = apart(lines.map(({ end }) => end));
  return lines.map(({ index, label, path }, rank) => (
    <g key={index} className={index === leading ? 'chart-line leading' : 'chart-line'}>
      <path d={path} strokeDasharray={['', '6 3', '2 3', '8 3 2 3'][rank]} />
      <text x={width - edge.right + 6} y={places[rank]! + 4}>
        {label.length > 11 ? `${label.slice(0, 10)}…` : label}
      </text>
    </g>
  ));
});

function y(share: number): number {
  return edge.top + (height - edge.top - edge.bottom) * (1 - share);
}

/** The classes that led longest, then those that end highest. */
function leadersOf(windows: readonly WindowView[]): readonly number[] {
  const led = new Map<number, number>();
  for (const { classes } of windows) led.set(classes[0]!.index, (led.get(classes[0]!.index) ?? 0) + 1);
  const longest = [...led].sort(([, a], [, b]) => b - a).map(([index]) => index);
  const last = windows.at(-1)!.classes.map(({ index }) => index);
  return [...new Set([...longest, ...last])].slice(0, mostLines);
}

/** Heights for names, none over another, each near its own. */
function apart(wished: readonly number[]): readonly number[] {
  const order = wished.map((_, i) => i).sort((a, b) => wished[a]! - wished[b]!);
  const places = [...wished];
  for (const [rank, i] of order.entries())
    if (rank > 0) places[i] = Math.max(places[i]!, places[order[rank - 1]!]! + lineHeight);
  const below = Math.max(0, Math.max(...places) - (height - edge.bottom));
  return places.map((place) => place - below);
}

function summary(windows: readonly WindowView[]): string {
  const last = windows.at(-1)?.classes[0];
  if (!last) return 'Probability of the classes over time: nothing yet';
  return `Probability of the classes over ${windows.length} windows; at the end ${last.label} with ${percent(last.probability, 0)}`;
}
