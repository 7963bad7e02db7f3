/** What has to be said to a person: the newest message, and how many there are; the others on request. */
import { useState } from 'react';
import type { Notice } from '../state/labState.js';

export function Notices(props: { readonly notices: readonly Notice[]; dismiss(id: number): void; dismissAll(): void }) {
  const { notices, dismiss, dismissAll } = props;
  const [open, setOpen] = useState(false);
  const newestFirst = [...notices].reverse();
  const count = newestFirst.length;
  const shown = open ? newestFirst : newestFirst.slice(0, 1);
  return (
    <div className="notices" role="alert">
      {shown.map(({ id, text }, place) => (
        <p key={id} className="notice">
          <span>{text}</span>
          {place === 0 && count > 1 && (
            <>
              <button type="button" className="more" aria-expanded={open} onClick={() => setOpen(!open)}>
                {open ? 'show one' : `${count} messages`}
              </button>
              <button type="button" className="more" onClick={dismissAll}>
                dismiss all
              </button>
            </>
          )}
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}
