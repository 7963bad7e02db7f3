/** Which pane is shown. A pane that is left gives its engine and its camera up; its address is kept, so that it comes back as it was. */
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { App } from './App.js';
import { type Pane, paneOf } from './pane.js';

const EventsPane = lazy(() => import('./events/EventsPane.js'));
const noFiles: readonly File[] = [];

export function Root() {
  const [{ pane, handed }, go] = useState({ pane: paneOf(location.hash), handed: noFiles });
  const left = useRef<Record<Pane, string>>({ images: '', events: '#pane=events' });
  const show = useCallback((next: Pane, files: readonly File[] = noFiles) => {
    left.current[paneOf(location.hash)] = location.hash;
    history.replaceState(null, '', left.current[next] || location.pathname + location.search);
    go({ pane: next, handed: files });
  }, []);
  useEffect(() => {
    const follow = () => {
      const wanted = paneOf(location.hash);
      go((now) => (now.pane === wanted ? now : { pane: wanted, handed: noFiles }));
    };
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, []);
  if (pane === 'images') return <App handed={handed} show={show} />;
  return (
    <Suspense fallback={<p className="boot">Loading …</p>}>
      <EventsPane handed={handed} show={show} />
    </Suspense>
  );
}
