/** The pane of images: its parts in their places, files that are dropped or pasted anywhere, and what has to be said. */
import { useCallback, useEffect } from 'react';
import { Attention } from './components/Attention.js';
import { Decision, Effect } from './components/Decision.js';
import { Energy } from './components/Energy.js';
import { FiringChart } from './components/FiringChart.js';
import { Header } from './components/Header.js';
import { Membrane } from './components/Membrane.js';
import { Notices } from './components/Notices.js';
import { Settings } from './components/Settings.js';
import { SpikeMaps } from './components/SpikeMaps.js';
import { rounded } from './components/text.js';
import { Viewer } from './components/Viewer.js';
import { useDroppedFiles } from './input/useDroppedFiles.js';
import { Neighbours } from './neighbours/Neighbours.js';
import './neighbours/neighbours.css';
import type { PaneProps } from './pane.js';
import { outcomeOf, ownSettings, shownLayer } from './state/labState.js';
import { useLab } from './state/useLab.js';
import { useTheme } from './state/useTheme.js';

export function App({ handed, show }: PaneProps) {
  const onRecordings = useCallback((files: readonly File[]) => show('events', files), [show]);
  const lab = useLab(onRecordings);
  const { state, camera, video, change, take } = lab;
  const { view, model, frame, energy } = state;
  const [theme, toggleTheme] = useTheme();
  const dragging = useDroppedFiles(take);
  useEffect(() => {
    take(handed);
  }, [take, handed]);
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
      <Header
        pane="images"
        show={show}
        progress={state.progress}
        running={
          model &&
          `${rounded(model.parameters)} parameters · ${model.threads === 1 ? '1 thread' : `${model.threads} threads`} · T ${model.timeSteps}`
        }
        theme={theme}
        toggleTheme={toggleTheme}
      />
      <Notices notices={state.notices} dismiss={lab.dismiss} dismissAll={lab.dismissAll} />
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
          {model?.describes && <Neighbours frame={frame} gallery={state.gallery} compareWith={lab.compareWith} />}
          <Decision model={model} frame={frame} arrivals={state.arrivals} view={view} change={change} />
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
          <Settings
            view={view}
            model={model}
            networks={state.networks}
            own={ownSettings(state)}
            describe={lab.describe}
            change={change}
          >
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
