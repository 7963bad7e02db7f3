/** The width of an element in CSS pixels, as it is laid out; pictures choose their columns by it. */
import { type RefObject, useEffect, useRef, useState } from 'react';

export function useWidth<Element extends HTMLElement>(): readonly [RefObject<Element | null>, number] {
  const element = useRef<Element | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

/**
 * Tells on a box that scrolls sideways where more is to be seen, as `data-more` (`left`, `right` or `both`): the style sheet fades that edge.
 */
export function useScrollEdges(box: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const tell = () => {
      const rest = element.scrollWidth - element.clientWidth - element.scrollLeft;
      const [left, right] = [element.scrollLeft > 1, rest > 1];
      if (left || right) element.dataset.more = left && right ? 'both' : left ? 'left' : 'right';
      else delete element.dataset.more;
    };
    tell();
    element.addEventListener('scroll', tell, { passive: true });
    const observer = new ResizeObserver(tell);
    observer.observe(element);
    const contents = new MutationObserver(tell);
    contents.observe(element, { childList: true });
    return () => {
      element.removeEventListener('scroll', tell);
      observer.disconnect();
      contents.disconnect();
    };
  }, [box]);
}
