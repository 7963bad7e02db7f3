/** How a network's recordings are cut into windows, as people say it. */
import type { EventPreprocessing } from '../../../../src/index.browser.js';

export function windowsInWords(window: EventPreprocessing['window']): string {
  switch (window.by) {
    case 'time':
      return `windows of ${window.microseconds / 1000} ms`;
    case 'count':
      return `windows of ${window.events.toLocaleString('en')} events`;
    case 'bins':
      return `${window.bins} equal parts ${window.of === 'time' ? 'of its time' : 'of its events'}`;
  }
}
