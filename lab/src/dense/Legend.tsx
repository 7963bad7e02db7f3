/** The classes of a mask or of boxes, with how much of each there is. A class that is clicked is hidden or shown; a slider says how a mask covers or which boxes are sure enough. */
import { useId } from 'react';
import type { View } from '../state/view.js';
import type { DenseView } from './denseView.js';
import { classColourText, hiddenClasses, legendOf, toggled } from './legend.js';

export function Legend(props: {
  readonly dense: DenseView;
  readonly live: boolean;
  readonly view: Pick<View, 'opacity' | 'score' | 'hidden'>;
  change(change: Partial<View>): void;
}) {
  const { dense, live, view, change } = props;
  const slider = useId();
  const entries = legendOf(dense, view.score / 100, hiddenClasses(view.hidden), live);
  const [key, title] = dense.kind === 'mask' ? (['opacity', 'Opacity'] as const) : (['score', 'Least score'] as const);
  return (
    <>
      <ul
        className="seen-classes"
        aria-label={dense.kind === 'mask' ? 'Classes by their share' : 'Classes by their boxes'}
      >
        {entries.map(({ index, label, said, hidden }) => (
          <li key={index}>
            <button
              type="button"
              aria-pressed={!hidden}
              title={hidden ? `Show ${label}` : `Hide ${label}`}
              onClick={() => change({ hidden: toggled(view.hidden, index) })}
            >
              <span className="swatch" style={{ background: classColourText(index) }} aria-hidden="true" />
              <span className="class-label">{label}</span> <span className="class-share">{said}</span>
            </button>
          </li>
        ))}
        {entries.length === 0 && <li className="hint">Nothing is found at this score.</li>}
      </ul>
      <div className="field">
        <label htmlFor={slider}>{title}</label>
        <output htmlFor={slider}>{view[key]} %</output>
        <input
          id={slider}
          type="range"
          min={dense.kind === 'mask' ? 0 : 5}
          max={100}
          value={view[key]}
          onChange={({ target }) => change({ [key]: Number(target.value) })}
        />
      </div>
    </>
  );
}
