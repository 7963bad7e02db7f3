/** The published ways of dividing data sets of skeletons into training and test, by name. Reads nothing. */

import { type NtuProtocol, ntuProtocols } from './ntuNames.js';

export const nwUclaProtocols = ['crossView', 'crossViewUnleaked', 'crossViewClean'] as const;

export const protocols = [...nwUclaProtocols, ...ntuProtocols] as const;

/**
 * - `crossView` (NW-UCLA): views 1 and 2 train, view 3 tests. Some of the test sequences are copies of training sequences, in the copy of the data set that everybody uses.
 * - `crossViewUnleaked`: the same without the copies among the test sequences.
 * - `crossViewClean`: the same without those among the training sequences of which a test sequence is a copy.
 * - `xsub`, `xview` (NTU RGB+D 60), `xsub120`, `xset` (NTU RGB+D 120): {@link NtuProtocol}.
 */
export type Protocol = (typeof protocols)[number];
export type NwUclaProtocol = (typeof nwUclaProtocols)[number];

export function isNtuProtocol(protocol: Protocol): protocol is NtuProtocol {
  return (ntuProtocols as readonly string[]).includes(protocol);
}
