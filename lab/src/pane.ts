/** The panes of the page, one for each kind of thing a network looks at, and where the address says which is meant. */

export type Pane = 'images' | 'events';

export const panes: readonly { readonly value: Pane; readonly label: string }[] = [
  { value: 'images', label: 'Images' },
  { value: 'events', label: 'Events' },
];

export interface PaneProps {
  /** Files that were given to another pane and belong here. */
  readonly handed: readonly File[];
  /** Goes to another pane, and takes files along that belong there. */
  show(pane: Pane, files?: readonly File[]): void;
}

/** @param fragment What follows `#` in the address. Images unless it says otherwise. */
export function paneOf(fragment: string): Pane {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('pane') === 'events' ? 'events' : 'images';
}
