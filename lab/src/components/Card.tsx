/** A titled part of the page. */
import { type ReactNode, useId } from 'react';

export function Card(props: {
  readonly title: string;
  readonly className?: string;
  /** Beside the title: controls of this part, or a short fact. */
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section className={`card ${props.className ?? ''}`} aria-labelledby={id}>
      <header className="card-head">
        <h2 id={id}>{props.title}</h2>
        {props.aside && <div className="card-aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}
