/** The page: its parts in their places, files that are dropped or pasted anywhere, and what has to be said. */
import { useCallback, useEffect, useState } from 'react';
import { Attention } from './components/Attention.js';
import { Decision, Effect } from './components/Decision.js';
import { Energy } from './components/Energy.js';
import { FiringChart } from './components/FiringChart.js';
import { Membrane } from './components/Membrane.js';
import { Settings } from './components/Settings.js';
import { SpikeMaps } from './components/SpikeMaps.js';
import { rounded } from './components/text.js';
import { Viewer } from './components/Viewer.js';
import { outcomeOf, ownSettings, shownLayer } from './state/labState.js';
import { type Lab, useLab } from './state/useLab.js';
import { useTheme } from './state/useTheme.js';

export function App() {
  const lab = useLab();
  const { state, camera, video, change, take } = lab;
  const { view, model, frame, energy } = state;
  const [theme, toggleTheme] = useTheme();
  const dragging = useDroppedFiles(take);
  const onLayer = useCallback((layer: string) => change({ layer }), [change]);
  const now = outcomeOf(state);
  // Of another image or other settings it would be a lie; a camera's energy is counted now and then.
  const current = energy && frame && energy.configuration === frame.configuration ? energy : null;
  const shownEnergy = current && (frame!.live || current.image === frame!.image) ? current : null;
  return (
    <div
      className={`page${dragging ? ' dragging' : ''}${camera.stream ? ' live' : ''}`}
      data-ready={frame !== null && state.progress === null}
    >
      <Header lab={lab} theme={theme} toggleTheme={toggleTheme} />
      <Notices lab={lab} />
      <main>
        <div className="column">
          <Viewer
            picture={state.picture}
            camera={camera}
            video={video}
            model={model}
            frame={frame}
            view={view}
            change={change}
            take={take}
          />
          <Decision model={model} frame={frame} arrivals={state.arrivals} />
        </div>
        <div className="column">
          <FiringChart
            model={model}
            frame={frame}
            layer={frame?.focus?.layer ?? shownLayer(state)}
            step={view.step}
            onLayer={onLayer}
          />
          <SpikeMaps
            model={model}
            focus={frame?.focus ?? null}
            view={view}
            theme={theme}
            playing={state.playing}
            play={lab.play}
            change={change}
          />
          <Attention
            model={model}
            attention={frame?.attention ?? null}
            input={frame?.input ?? null}
            view={view}
            theme={theme}
            change={change}
          />
        </div>
        <div className="column last">
          <Membrane focus={frame?.focus ?? null} step={view.step} change={change} />
          <Settings view={view} model={model} own={ownSettings(state)} describe={lab.describe} change={change}>
            <Effect before={state.before} now={now} />
          </Settings>
          <Energy energy={shownEnergy} />
        </div>
      </main>
      <footer>
        <p>
          Meta-SpikeFormer (Yao et al., ICLR 2024), run by the engine of <b>meta-spikeformer</b> in this page. No server
          sees your images. <a href="licences.txt">Licences</a>
        </p>
      </footer>
    </div>
  );
}

function Header(props: { readonly lab: Lab; readonly theme: string; toggleTheme(): void }) {
  const { model, progress } = props.lab.state;
  return (
    <header className="top">
      <h1>
        <svg viewBox="0 0 32 24" aria-hidden="true">
          <path d="M0 17h8l3-5 3 5h1l2-15 2 19 2-4h11" />
        </svg>
        Spikeformer lab
      </h1>
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
          model && (
            <span className="running">
              {rounded(model.parameters)} parameters · {model.threads === 1 ? '1 thread' : `${model.threads} threads`} ·
              T {model.timeSteps}
            </span>
          )
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

/** The newest message, and how many there are; the others on request. */
function Notices({ lab }: { readonly lab: Lab }) {
  const { state, dismiss, dismissAll } = lab;
  const [open, setOpen] = useState(false);
  const newestFirst = [...state.notices].reverse();
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

/** @returns whether files hang over the page. */
function useDroppedFiles(take: (files: readonly File[]) => void): boolean {
  const [dragging, setDragging] = useState(false);
  useEffect(() => {
    const over = (event: globalThis.DragEvent) => {
      event.preventDefault();
      setDragging(event.type === 'dragover');
    };
    const drop = (event: globalThis.DragEvent) => {
      event.preventDefault();
      setDragging(false);
      take([...(event.dataTransfer?.files ?? [])]);
    };
    const paste = (event: globalThis.ClipboardEvent) => take([...(event.clipboardData?.files ?? [])]);
    window.addEventListener('dragover', over);
    window.addEventListener('dragleave', over);
    window.addEventListener('drop', drop);
    window.addEventListener('paste', paste);
    return () => {
      window.removeEventListener('dragover', over);
      window.removeEventListener('dragleave', over);
      window.removeEventListener('drop', drop);
      window.removeEventListener('paste', paste);
    };
  }, [take]);
  return dragging;
}
