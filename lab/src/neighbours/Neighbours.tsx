/** The pictures of a gallery that are nearest to the one at hand. Pictures are chosen from this machine and stay in the page. */
import { memo, useMemo, useRef } from 'react';
import { Card } from '../components/Card.js';
import type { FrameView } from '../engine/messages.js';
import type { GalleryPicture } from '../state/labState.js';
import { mostPictures, nearest } from './gallery.js';

const shown = 6;

export const Neighbours = memo(function Neighbours(props: {
  readonly frame: FrameView | null;
  readonly gallery: readonly GalleryPicture[];
  compareWith(files: readonly File[]): void;
}) {
  const { frame, gallery, compareWith } = props;
  const input = useRef<HTMLInputElement>(null);
  const found = useMemo(() => (frame ? nearest(gallery, frame, shown) : []), [gallery, frame]);
  const described = gallery.filter(({ configuration }) => configuration === frame?.configuration).length;
  return (
    <Card
      title="Nearest pictures"
      className="neighbours"
      aside={gallery.length > 0 && <span className="fact">{`${described} of ${gallery.length} described`}</span>}
    >
      <ol className="neighbours-found" aria-label="The nearest pictures of the gallery">
        {found.map(({ picture, score }) => (
          <li key={picture.id}>
            <img src={picture.address} alt="" />
            <span className="neighbour-name">{picture.file.name}</span>
            <span className="neighbour-score">{score.toFixed(3)}</span>
          </li>
        ))}
      </ol>
      {gallery.length === 0 && (
        <p className="hint">
          This network describes a picture so that pictures of one place are near each other. Choose pictures to compare
          with, up to {mostPictures}; they stay in this page.
        </p>
      )}
      <button type="button" className="button" onClick={() => input.current?.click()}>
        Choose pictures
      </button>
      <input
        ref={input}
        type="file"
        accept="image/*"
        multiple
        hidden
        data-testid="gallery-files"
        onChange={({ currentTarget }) => {
          const { files } = currentTarget;
          if (files && files.length > 0) compareWith([...files]);
          currentTarget.value = '';
        }}
      />
    </Card>
  );
});
