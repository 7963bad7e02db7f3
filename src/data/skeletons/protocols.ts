/** The published ways of dividing data sets of skeletons into training and test, by name. Reads nothing. */

export const protocols = ['crossView', 'crossViewUnleaked', 'crossViewClean'] as const;

/**
 * - `crossView` (NW-UCLA): views 1 and 2 train, view 3 tests. Some of the test sequences are copies of training sequences, in the copy of the data set that everybody uses.
 * - `crossViewUnleaked`: the same without the copies among the test sequences.
 * - `crossViewClean`: the same without those among the training sequences of which a test sequence is a copy.
 */
export type Protocol = (typeof protocols)[number];
