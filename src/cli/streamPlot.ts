/** Time and energy of windows against their rate of events, as an SVG of two panels that needs nothing beside it. */
import { escaped } from '../energy/reportText.js';

/** What one window cost. */
export interface WindowCost {
  readonly eventsPerSecond: number;
  readonly milliseconds: number;
  /** Absent where nothing was counted. */
  readonly microjoules?: number;
  /** Whether the network slept. */
  readonly skipped: boolean;
}

const panel = { width: 420, height: 260, left: 64, top: 44, gap: 40 };

/** Points that a picture shows; of more, evenly spaced ones. */
const mostPoints = 4000;

/** @param title Above both panels. */
export function streamPlot(costs: readonly WindowCost[], title: string): string {
  const step = Math.max(1, Math.ceil(costs.length / mostPoints));
  const shown = costs.filter((_, index) => index % step === 0);
  const panels = [
    panelOf(shown, 'milliseconds a window', ({ milliseconds }) => milliseconds),
    ...(shown.some(({ microjoules }) => microjoules !== undefined)
      ? [panelOf(shown, 'microjoules a window', ({ microjoules = 0 }) => microjoules)]
      : []),
  ];
  const width = panel.left + panels.length * (panel.width + panel.gap + panel.left) - panel.left;
  const height = panel.top + panel.height + 56;
  const drawn = panels.map((body, index) => {
    const x = panel.left + index * (panel.width + panel.gap + panel.left);
    return `<g transform="translate(${x} ${panel.top})">${body}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${panel.left}" y="22" font-size="14">${escaped(title)}</text>
${drawn.join('\n')}
</svg>
`;
}

function panelOf(costs: readonly WindowCost[], label: string, of: (cost: WindowCost) => number): string {
  const { width, height } = panel;
  const [rightmost, highest] = [costs.map(({ eventsPerSecond }) => eventsPerSecond), costs.map(of)].map((values) =>
    niceCeiling(values.reduce((most, value) => Math.max(most, value), 0)),
  ) as [number, number];
  const place = (cost: WindowCost) =>
    `cx="${((cost.eventsPerSecond / rightmost) * width).toFixed(1)}" cy="${(height - (of(cost) / highest) * height).toFixed(1)}"`;
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = height * (1 - share);
    return `<path d="M0 ${y}H${width}" stroke="#ddd"/><text x="-8" y="${y + 4}" text-anchor="end">${short(highest * share)}</text><text x="${width * share}" y="${height + 18}" text-anchor="middle">${short(rightmost * share)}</text>`;
  });
  const points = costs.map(
    (cost) => `<circle ${place(cost)} r="2.2" fill="${cost.skipped ? '#999' : '#0b6'}" fill-opacity=".6"/>`,
  );
  return `${lines.join('')}<text x="0" y="-10" font-weight="600">${label}</text><text x="${width / 2}" y="${height + 38}" text-anchor="middle">events a second</text>${points.join('')}`;
}

/** 1, 2, 2.5 or 5 times a power of ten, at least the value. */
function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 2.5, 5, 10].find((factor) => factor * unit >= value * (1 - 1e-12))!;
}

function short(value: number): string {
  if (value === 0) return '0';
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}
