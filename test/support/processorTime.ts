/** How long work takes on the processor: what other processes do at the same time is not in it. For bounds that are far from what is measured. */
export async function processorSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
