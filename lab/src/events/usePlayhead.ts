/** The moment of a recording that is shown: played at a speed, or set by a person. */
import { useCallback, useEffect, useRef, useState } from 'react';

export interface Playhead {
  /** In microseconds of the recording. */
  readonly time: number;
  readonly playing: boolean;
  readonly speed: number;
  seek(time: number): void;
  /** At the end it begins anew. */
  play(playing: boolean): void;
  setSpeed(speed: number): void;
}

/** @param from The first event's time. @param to The last one's. Of another span, a moment outside it is brought to its nearer end. */
export function usePlayhead(from: number, to: number): Playhead {
  const [time, setTime] = useState(from);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(0.1);
  const now = useRef(time);
  const seek = useCallback(
    (wanted: number) => {
      now.current = Math.min(Math.max(wanted, from), to);
      setTime(now.current);
    },
    [from, to],
  );
  const play = useCallback(
    (wanted: boolean) => {
      if (wanted && now.current >= to) seek(from);
      setPlaying(wanted);
    },
    [from, to, seek],
  );
  useEffect(() => seek(now.current), [seek]);
  useEffect(() => {
    if (!playing) return;
    let last = performance.now();
    let request = requestAnimationFrame(function next(at) {
      seek(now.current + Math.max(0, at - last) * 1000 * speed);
      last = at;
      if (now.current >= to) return setPlaying(false);
      request = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(request);
  }, [playing, speed, to, seek]);
  return { time, playing, speed, seek, play, setSpeed };
}
