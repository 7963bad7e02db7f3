/** Light or dark: as the system says until a person chooses; the choice stays with the browser, not with the address. */
import { useCallback, useEffect, useLayoutEffect, useState } from 'react';

export type Theme = 'light' | 'dark';

const key = 'spikeformer-lab-theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    // A page may be denied storage; then the choice lasts as long as the page.
    return undefined;
  }
}

export function useTheme(): readonly [Theme, () => void] {
  const [chosen, setChosen] = useState(stored);
  const [system, setSystem] = useState<Theme>(dark.matches ? 'dark' : 'light');
  const theme = chosen ?? system;
  // Before anything is painted, and before pictures read their colours.
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    const follow = () => setSystem(dark.matches ? 'dark' : 'light');
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, []);
  const toggle = useCallback(() => {
    const next = theme === 'dark' ? 'light' : 'dark';
    setChosen(next);
    try {
      localStorage.setItem(key, next);
    } catch {
      // See above.
    }
  }, [theme]);
  return [theme, toggle];
}
