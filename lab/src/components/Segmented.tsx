/** A few choices side by side, of which one holds: radio buttons in the dress of a switch. */
import { useId } from 'react';

export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  /** Why it cannot be chosen now. */
  readonly unavailable?: string;
}

export function Segmented<Value extends string | number>(props: {
  readonly label: string;
  /** The label is for screen readers only. */
  readonly quiet?: boolean;
  readonly value: Value;
  readonly choices: readonly Choice<Value>[];
  onChange(value: Value): void;
}) {
  const name = useId();
  return (
    <fieldset className="segmented">
      <legend className={props.quiet ? 'visually-hidden' : ''}>{props.label}</legend>
      <div className="segments">
        {props.choices.map(({ value, label, unavailable }) => (
          <label key={value} title={unavailable}>
            <input
              type="radio"
              name={name}
              checked={value === props.value}
              disabled={unavailable !== undefined}
              onChange={() => props.onChange(value)}
            />
            <span className="segment">{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
