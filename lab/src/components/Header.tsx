/** The top of every pane: which pane it is, what the engine is doing, the address to share, and the theme. */
import { useState } from 'react';
import { type Pane, panes } from '../pane.js';
import { Segmented } from './Segmented.js';

export interface Progress {
  readonly what: string;
  /** From 0 to 1; null where nobody knows. */
  readonly share: number | null;
}

export function Header(props: {
  readonly pane: Pane;
  readonly progress: Progress | null;
  /** Of the network at work, when there is nothing to wait for. */
  readonly running: string | null;
  readonly theme: string;
  show(pane: Pane): void;
  toggleTheme(): void;
}) {
  const { progress, running } = props;
  return (
    <header className="top">
      <h1>
        <svg viewBox="0 0 32 24" aria-hidden="true">
          <path d="M0 17h8l3-5 3 5h1l2-15 2 19 2-4h11" />
        </svg>
        Spikeformer lab
      </h1>
      <Segmented label="What the network looks at" quiet value={props.pane} choices={panes} onChange={props.show} />
      <p className="tagline">Watch a spiking transformer think</p>
      <div className="status" role="status">
        {progress ? (
          <span className="loading">
            {progress.what}
            {progress.share === null ? '…' : ` ${Math.round(100 * progress.share)} %`}
            <progress
              max={1}
              {...(progress.share === null ? {} : { value: progress.share })}
              aria-label={progress.what}
            />
          </span>
        ) : (
          running && <span className="running">{running}</span>
        )}
      </div>
      <CopyLink />
      <button type="button" className="button quiet" onClick={props.toggleTheme}>
        {props.theme === 'dark' ? 'Light' : 'Dark'}
      </button>
    </header>
  );
}

const copiedMilliseconds = 1500;

function CopyLink() {
  const [copied, setCopied] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(location.href).catch(() => undefined);
    setCopied(true);
    setTimeout(() => setCopied(false), copiedMilliseconds);
  };
  return (
    <button type="button" className="button quiet" onClick={copy}>
      {copied ? 'Copied' : 'Copy link'}
    </button>
  );
}
