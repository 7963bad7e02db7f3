/** A mask or boxes over the image, where the network looked. */
import { memo, useEffect, useRef } from 'react';
import { drawSoon, resized } from '../components/canvas.js';
import { percent } from '../components/text.js';
import type { View } from '../state/view.js';
import type { BoxesView, DenseView, MaskView, Place } from './denseView.js';
import { classColour, classColourText, hiddenClasses, legendOf, sureBoxes } from './legend.js';

type Shown = Pick<View, 'opacity' | 'score' | 'hidden'>;

export function DenseOverlay({ dense, view }: { readonly dense: DenseView; readonly view: Shown }) {
  const { opacity, score, hidden } = view;
  return dense.kind === 'mask' ? (
    <Mask dense={dense} opacity={opacity} hidden={hidden} />
  ) : (
    <Boxes dense={dense} score={score} hidden={hidden} />
  );
}

/** A rectangle of the image as a place on the stage. */
export function placeStyle({ left, top, width, height }: Place) {
  const text = (share: number) => `${100 * share}%`;
  return { left: text(left), top: text(top), width: text(width), height: text(height) };
}

const Mask = memo(function Mask(props: {
  readonly dense: MaskView;
  readonly opacity: number;
  readonly hidden: string;
}) {
  const { dense, opacity, hidden } = props;
  const canvas = useRef<HTMLCanvasElement | null>(null);
  useEffect(() => {
    drawSoon(canvas.current, (context) => {
      resized(context, dense.width, dense.height);
      context.putImageData(maskPixels(dense, hiddenClasses(hidden)), 0, 0);
    });
  }, [dense, hidden]);
  const style = { ...placeStyle(dense.place), opacity: opacity / 100 };
  return <canvas ref={canvas} className="dense" role="img" aria-label={labelOf(dense, 0, hidden)} style={style} />;
});

function labelOf(dense: DenseView, score: number, hidden: string): string {
  const shown = legendOf(dense, score, hiddenClasses(hidden)).filter((entry) => !entry.hidden);
  const what = dense.kind === 'mask' ? 'Mask' : 'Boxes';
  return `${what} over the image: ${shown.map(({ label, said }) => `${label} ${said}`).join(', ') || 'nothing'}`;
}

function maskPixels({ mask, width, height }: MaskView, hidden: ReadonlySet<number>): ImageData {
  const pixels = new ImageData(width, height);
  const colours = new Map<number, number>();
  const words = new Uint32Array(pixels.data.buffer);
  for (const [i, index] of mask.entries()) {
    let word = colours.get(index);
    if (word === undefined) {
      const [red, green, blue] = classColour(index);
      // Bytes in the order red, green, blue, opacity of a little-endian word, as all of a page's machines have it.
      word = hidden.has(index) || index === unseenClass ? 0 : ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
      colours.set(index, word);
    }
    words[i] = word;
  }
  return pixels;
}

/** Of pixels that the network did not see, as the library marks them. */
const unseenClass = 255;

const Boxes = memo(function Boxes(props: {
  readonly dense: BoxesView;
  readonly score: number;
  readonly hidden: string;
}) {
  const { dense, score, hidden } = props;
  const without = hiddenClasses(hidden);
  const shown = sureBoxes(dense.boxes, score / 100).filter(({ index }) => !without.has(index));
  return (
    <div className="boxes" role="img" aria-label={labelOf(dense, score / 100, hidden)}>
      {shown.map(({ index, label, score: sure, place }) => (
        <div
          key={`${index} ${place.left} ${place.top} ${place.width} ${place.height}`}
          className="box"
          data-label={label}
          style={{ ...placeStyle(place), borderColor: classColourText(index) }}
        >
          <span className={place.top < 0.06 ? 'box-label inside' : 'box-label'}>
            {label} {percent(sure, 0)}
          </span>
        </div>
      ))}
    </div>
  );
});
