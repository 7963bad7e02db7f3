/** How large a gallery may be: what its file may claim, and what an engine's memory of 4 GiB holds. */

export const mostImages = 2 ** 24;
export const largestDimensions = 8192;
/** Of all names together. */
export const largestNameBytes = 2 ** 30;
/** Of one. */
export const longestName = 4096;
/** Numbers beyond this would overflow in float32 when they are added up; descriptors have length 1. */
export const largestNumber = 1e6;
