/** What this very image cost, in operations: the paper's convention, as counted spike by spike, and the same network with ReLU. */
import { memo } from 'react';
import type { EnergyView } from '../engine/messages.js';
import { Card } from './Card.js';
import { energy as energyText } from './text.js';

export const Energy = memo(function Energy({ energy }: { readonly energy: EnergyView | null }) {
  const rows = energy
    ? [
        { name: 'as counted', value: energy.exact, className: 'spiking', says: 'every addition by a spike' },
        { name: 'paper’s convention', value: energy.paper, className: 'spiking', says: 'by firing rates' },
        { name: 'the ANN', value: energy.ann, className: 'ann', says: 'the same with ReLU, one pass' },
      ]
    : [];
  const most = Math.max(...rows.map(({ value }) => value), 0);
  return (
    <Card
      title="Energy of this image"
      className="energy"
      aside={
        energy && (
          <span className="fact">
            {energy.ann > energy.exact
              ? `${(energy.ann / energy.exact).toFixed(1)} × less than the ANN`
              : `${(energy.exact / energy.ann).toFixed(1)} × more than the ANN`}
          </span>
        )
      }
    >
      <ul className="joules" aria-label="Energy of this image by convention">
        {rows.map(({ name, value, className, says }) => (
          <li key={name} className={className}>
            <span>
              {name} <small>{says}</small>
            </span>
            <span className="joules-value">{energyText(value)}</span>
            <span className="joules-bar" aria-hidden="true">
              <span className="joules-fill" style={{ transform: `scaleX(${Math.max(0.004, value / most)})` }} />
            </span>
          </li>
        ))}
      </ul>
      {energy ? (
        <p className="hint">
          Additions {energy.constants.accumulate} pJ, multiplications {energy.constants.multiplyAccumulate} pJ (
          {energy.constants.name}). Memory is not in it: reads and writes of an SRAM would add{' '}
          {energyText(energy.memory)}.
        </p>
      ) : (
        <p className="hint">Counted as soon as an image has run.</p>
      )}
    </Card>
  );
});
