/**
 * What the weights of a person's own checkpoint do not tell: attention heads, strides, image size. A field that is left takes effect when it can be
 * read; one that cannot says what it expects.
 */
import { useEffect, useId, useState } from 'react';
import type { Unseen } from '../engine/messages.js';
import type { OwnSettings } from '../state/labState.js';

interface Field {
  readonly key: keyof Unseen;
  readonly label: string;
  readonly shown: (settings: OwnSettings) => string;
  /** Undefined: not to be read. */
  readonly read: (text: string) => Unseen | undefined;
  readonly expected: string;
}

const wholeNumber = (text: string, least: number, most: number): number | undefined => {
  const value = /^\d{1,4}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
};

const fields: readonly Field[] = [
  {
    key: 'heads',
    label: 'Heads',
    shown: ({ heads }) => String(heads),
    read: (text) => {
      const heads = wholeNumber(text, 1, 256);
      return heads === undefined ? undefined : { heads };
    },
    expected: 'a whole number from 1 to 256',
  },
  {
    key: 'strides',
    label: 'Strides',
    shown: ({ strides }) => strides.join(','),
    read: (text) =>
      /^\s*[1-4](\s*,\s*[1-4]){4}\s*$/.test(text)
        ? { strides: text.split(',').map(Number) as [number, number, number, number, number] }
        : undefined,
    expected: 'five strides from 1 to 4, such as 1,2,2,1,1',
  },
  {
    key: 'imageSize',
    label: 'Image size',
    shown: ({ inputSize: [height, width] }) => (height === width ? String(height) : `${height} × ${width}`),
    read: (text) => {
      const imageSize = wholeNumber(text, 8, 512);
      return imageSize === undefined ? undefined : { imageSize };
    },
    expected: 'a whole number from 8 to 512',
  },
];

export function OwnCheckpoint(props: { readonly settings: OwnSettings; describe(change: Unseen): void }) {
  return (
    <div className="own">
      {fields.map((field) => (
        <OwnField key={field.key} field={field} shown={field.shown(props.settings)} describe={props.describe} />
      ))}
      <p className="hint">
        These three cannot be read off the weights. Shown is what the file says of them, else the authors' defaults; you
        can change them.
      </p>
    </div>
  );
}

function OwnField(props: { readonly field: Field; readonly shown: string; describe(change: Unseen): void }) {
  const { field, shown } = props;
  const id = useId();
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const read = field.read(text);
  // A rectangle is shown, though only squares can be asked for.
  const isWrong = read === undefined && text !== shown;
  const apply = () => {
    if (read && text !== shown) props.describe(read);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{field.label}</label>
      <input
        id={id}
        type="text"
        inputMode="numeric"
        value={text}
        aria-invalid={isWrong}
        aria-describedby={isWrong ? `${id}-expected` : undefined}
        onChange={({ target }) => setText(target.value)}
        onBlur={apply}
        onKeyDown={({ key }) => key === 'Enter' && apply()}
      />
      {isWrong && (
        <p id={`${id}-expected`} className="hint">
          expected {field.expected}
        </p>
      )}
    </div>
  );
}
