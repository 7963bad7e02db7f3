/** The camera as a stream that a video element shows: asked for, given up, and what went wrong in words a person can use. */
import { useCallback, useEffect, useState } from 'react';

export interface Camera {
  readonly stream: MediaStream | null;
  readonly starting: boolean;
  start(): Promise<void>;
  stop(): void;
}

/** The network sees a small square; larger frames only cost. */
const constraints: MediaStreamConstraints = {
  video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: 'environment' },
  audio: false,
};

export const cameraSupported = typeof navigator !== 'undefined' && navigator.mediaDevices?.getUserMedia !== undefined;

/** @param onProblem Receives one line for the person who wanted the camera. */
export function useCamera(onProblem: (message: string) => void): Camera {
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [starting, setStarting] = useState(false);

  const start = useCallback(async () => {
    setStarting(true);
    try {
      const found = await navigator.mediaDevices.getUserMedia(constraints);
      // Unplugged, or taken back in the browser's bar.
      found.getVideoTracks()[0]?.addEventListener('ended', () => setStream(null));
      setStream(found);
    } catch (error) {
      onProblem(`camera: ${reasonOf(error)}`);
    } finally {
      setStarting(false);
    }
  }, [onProblem]);

  const stop = useCallback(() => setStream(null), []);

  useEffect(
    () => () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    },
    [stream],
  );

  return { stream, starting, start, stop };
}

function reasonOf(error: unknown): string {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
      return 'the page may not use it; allow it in the browser’s address bar and try again';
    case 'NotFoundError':
      return 'there is none; plug one in, or choose a photograph';
    case 'NotReadableError':
      return 'another program uses it; close that program and try again';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
