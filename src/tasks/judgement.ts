/** What a network's answers are worth while it learns. */

/** Numbers that add up over samples, by name. */
export type Sums = Readonly<Record<string, number>>;

/** What the answers for one batch are worth. */
export interface Judgement {
  /** Mean over the batch, times the share. */
  readonly loss: number;
  /** The loss's gradient for each output that learns, laid out as the output. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What `Metric.progress` names. With mixed samples only an indication. */
  readonly sums: Sums;
}
