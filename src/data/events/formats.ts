/** The formats of recordings. A new one is one file and one line here; formats with a mark of their own are asked in this order. */
import { aedat2 } from './aedat2.js';
import { aedat3 } from './aedat3.js';
import { aedat4 } from './aedat4.js';
import { csv } from './csv.js';
import { eventStream } from './eventStream.js';
import { evt2 } from './evt2.js';
import { evt3 } from './evt3.js';
import type { EventFormat } from './format.js';
import { hdf5 } from './hdf5.js';
import { nmnist } from './nmnist.js';
import { npy } from './npy.js';
import { npz } from './npz.js';
import { propheseeDat } from './propheseeDat.js';

export const eventFormats: readonly EventFormat[] = [
  aedat2,
  aedat3,
  aedat4,
  evt2,
  evt3,
  propheseeDat,
  eventStream,
  nmnist,
  npy,
  npz,
  hdf5,
  // Text without a mark: after all that begin with a line of text.
  csv,
];
