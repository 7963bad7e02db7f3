/** The formats of recordings. A new one is one file and one line here; formats with a mark of their own are asked in this order. */
import type { EventFormat } from './format.js';
import { nmnist } from './nmnist.js';

export const eventFormats: readonly EventFormat[] = [nmnist];
