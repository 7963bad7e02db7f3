import type { ZeroCall } from '../../calls/zero.js';
import { realView } from '../memory.js';

export function zero({ name, tensor }: ZeroCall): () => void {
  const values = realView(name, tensor);
  return () => {
    values.fill(0);
  };
}
