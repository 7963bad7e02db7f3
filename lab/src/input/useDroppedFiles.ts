/** Files that are dropped or pasted anywhere on the page. */
import { useEffect, useState } from 'react';

/** @returns whether files hang over the page. */
export function useDroppedFiles(take: (files: readonly File[]) => void): boolean {
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
