/** Whether forms of RepConvs and firing rates of neurons belong to a network: what `Model.chooseForms` asks first. Pure. */
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { type RepConvForm, repConvForms } from '../runtime/passes/mergeRepConv.js';
import { repConvNames } from '../runtime/prepare.js';
import { spikeValues } from '../runtime/spikeValues.js';

/** @throws UsageError for a name that no RepConv has, or a form that there is not. */
export function checkForms(graph: Graph, forms: ReadonlyMap<string, RepConvForm>): void {
  const repConvs = new Set(repConvNames(graph));
  const [first] = repConvs;
  const hint = first === undefined ? 'it has none at all' : `expected a name such as ${first}`;
  for (const [name, form] of forms) {
    if (!repConvs.has(name)) throw new UsageError(`forms: ${name}: this network has no RepConv of that name; ${hint}`);
    if (!repConvForms.includes(form))
      throw new UsageError(`forms: ${name}: found ${form}, expected ${repConvForms.join(' or ')}`);
  }
}

/** @throws UsageError for a name that no neuron layer has, or a rate that is no share. */
export function checkRates(graph: Graph, firingRates: ReadonlyMap<string, number>): void {
  const layers = new Set(spikeValues(graph));
  for (const [name, rate] of firingRates) {
    if (!layers.has(name)) throw new UsageError(`firing rates: ${name}: this network has no neuron layer of that name`);
    if (!(rate >= 0 && rate <= 1))
      throw new UsageError(`firing rates: ${name}: found ${rate}, expected a share from 0 to 1`);
  }
}
