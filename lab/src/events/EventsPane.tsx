/** The pane of recordings: events as they happen, and what the network makes of them window by window. */
import { useCallback, useEffect, useMemo } from 'react';
import { Card } from '../components/Card.js';
import { FiringChart } from '../components/FiringChart.js';
import { Header } from '../components/Header.js';
import { Notices } from '../components/Notices.js';
import { SpikeMaps } from '../components/SpikeMaps.js';
import { rounded } from '../components/text.js';
import { useDroppedFiles } from '../input/useDroppedFiles.js';
import type { PaneProps } from '../pane.js';
import { useTheme } from '../state/useTheme.js';
import type { View } from '../state/view.js';
import './events.css';
import type { EventNetwork, WindowView } from './messages.js';
import { Player } from './Player.js';
import { ProbabilityChart } from './ProbabilityChart.js';
import { type EventsLab, useEvents } from './useEvents.js';
import { WindowDecision } from './WindowDecision.js';
import { WindowTable } from './WindowTable.js';

export default function EventsPane({ handed, show }: PaneProps) {
  const onImages = useCallback((files: readonly File[]) => show('images', files), [show]);
  const lab = useEvents(onImages);
  const { state, playhead, window: chosen, take, choose, look } = lab;
  const { network, recording, windows, spikes, frame } = state;
  const [theme, toggleTheme] = useTheme();
  const dragging = useDroppedFiles(take);
  useEffect(() => {
    take(handed);
  }, [take, handed]);
  const [start, end] = recording ? [recording.t[0]!, recording.t[recording.length - 1]!] : [0, 0];
  // The windows of a recording are the time steps of these two.
  const steps = useMemo(
    () => network && { layers: network.layers, timeSteps: windows.length || 1 },
    [network, windows],
  );
  const activity = useMemo(() => network && { rates: ratesOf(network, windows) }, [network, windows]);
  const view = useMemo(() => ({ step: Math.max(0, chosen) + 1 }), [chosen]);
  const change = useCallback(
    ({ layer, step }: Partial<View>) => {
      if (layer) look(layer);
      if (step) choose(step - 1);
    },
    [look, choose],
  );
  return (
    <div
      className={`page${dragging ? ' dragging' : ''}${playhead.playing ? ' live' : ''}`}
      data-ready={state.progress === null && recording !== null && (state.isDecided || network === null)}
    >
      <Header
        pane="events"
        show={show}
        progress={state.progress}
        running={network && `${rounded(network.parameters)} parameters · T ${network.timeSteps}`}
        theme={theme}
        toggleTheme={toggleTheme}
      />
      <Notices notices={state.notices} dismiss={lab.dismiss} dismissAll={lab.dismissAll} />
      <main className="of-events">
        <div className="column">
          <Player
            chosen={state.chosen}
            recording={recording}
            frame={frame}
            playhead={playhead}
            theme={theme}
            takeRecording={lab.takeRecording}
            take={take}
          />
          <Network lab={lab} />
        </div>
        <div className="column">
          <ProbabilityChart
            network={network}
            windows={windows}
            chosen={chosen}
            time={playhead.time}
            from={start}
            to={end}
            seek={(time) => {
              playhead.play(false);
              playhead.seek(time);
            }}
          />
          <FiringChart
            model={steps}
            frame={activity}
            layer={spikes?.layer ?? state.layer}
            step={view.step}
            onLayer={look}
          />
          <SpikeMaps
            model={network}
            focus={spikes}
            view={view}
            theme={theme}
            playing={playhead.playing}
            play={playhead.play}
            change={change}
          />
        </div>
        <div className="column last">
          <WindowDecision network={network} windows={windows} chosen={chosen} start={start} />
          <WindowTable windows={windows} chosen={chosen} start={start} choose={choose} />
        </div>
      </main>
      <footer>
        <p>
          Meta-SpikeFormer (Yao et al., ICLR 2024), run by the engine of <b>meta-spikeformer</b> in this page. No server
          sees your recordings. <a href="licences.txt">Licences</a>
        </p>
      </footer>
    </div>
  );
}

/** `[layers, windows]`. */
function ratesOf({ layers }: EventNetwork, windows: readonly WindowView[]): Float32Array {
  const rates = new Float32Array(layers.length * windows.length);
  for (const [step, window] of windows.entries())
    for (let layer = 0; layer < layers.length; layer++) rates[layer * windows.length + step] = window.rates[layer]!;
  return rates;
}

function Network({ lab }: { readonly lab: EventsLab }) {
  const { network, networks, source } = lab.state;
  if (networks === null) return null;
  const own = source.kind === 'file' && network && !networks.includes(network.name) ? network.name : undefined;
  return (
    <Card title="Network" className="network">
      {own !== undefined || networks.length > 1 ? (
        <select
          aria-label="Network"
          value={own ?? network?.name ?? ''}
          onChange={({ target }) => lab.takeNetwork(target.value)}
        >
          {own !== undefined && <option value={own}>{own}, your checkpoint</option>}
          {networks.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : (
        <p className="fact">{network?.name ?? 'none'}</p>
      )}
      <p className="hint">
        {network
          ? `${network.description}. ${
              network.hasLabels && network.labels.length <= 20
                ? `It knows ${network.labels.length} classes: ${network.labels.join(', ')}.`
                : ''
            }`
          : 'No network for recordings comes with this page yet: drop a checkpoint of one (.safetensors) to see what it decides.'}
      </p>
    </Card>
  );
}
