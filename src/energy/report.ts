/**
 * The energy report: one HTML file that needs nothing beside it, made from an `EnergyDocument` alone, so that the same document gives the same report. It is to be read
 * on paper and on a phone too. No script; charts are boxes whose widths are data.
 */

import { warningsOf } from '../interop/warnings.js';
import { countsOf, type EnergyDocument, samplesIn } from './document.js';
import { type FormProof, formNames } from './edges.js';
import { citation, originSection, type ReportOrigin } from './reportOrigin.js';
import { style } from './reportStyle.js';
import { baseName, definitionList, escaped, joules, numbersFed, operations, percent } from './reportText.js';

/**
 * @param version Of this program, for whoever reproduces the figures.
 * @param origin When, how and where they were made.
 */
export function energyReport(
  document: EnergyDocument,
  proof: readonly FormProof[],
  version: string,
  origin?: ReportOrigin,
): string {
  const { model } = document;
  const title = `Energy of ${baseName(model.name)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>${escaped(title)}</h1>
<p>${escaped(subtitle(document))}</p>${warnings(document)}
</header>
${summary(document)}
${cards(document)}
${stages(document)}
${document.exact ? firingRates(document) : ''}
${document.exact && model.timeSteps > 1 ? energyByStep(document) : ''}
${layerTable(document)}
${proofSection(proof)}
${document.neuroBench ? neuroBenchSection(document.neuroBench) : ''}
${document.memory ? memorySection(document) : ''}
${conventions(document)}
${configuration(document)}
${originSection(document, version, origin)}
${citation(document, version, origin)}
</main>
</body>
</html>
`;
}

function subtitle({ model, data, constants }: EnergyDocument): string {
  const seen =
    'images' in data ? `${samplesIn(data)} of ${baseName(data.source)}` : `firing rates of ${baseName(data.rates)}`;
  return `T = ${model.timeSteps}, ${model.imageSize.join(' × ')} pixels, ${seen}; ${constants.name}`;
}

function warnings({ model }: EnergyDocument): string {
  const { trainedTimeSteps, configuration } = model;
  return warningsOf({ provenance: trainedTimeSteps === null ? {} : { trainedTimeSteps }, configuration })
    .map((warning) => `\n<p class="warning">${escaped(warning)}</p>`)
    .join('');
}

/** What most readers came for: the network, the same with ReLU, and how many times as much that takes, in every convention. */
function summary({ paper, exact, memory }: EnergyDocument): string {
  const columns: [string, number, number][] = [['paper’s convention', paper.millijoules, paper.annMillijoules]];
  if (exact && memory)
    columns.push(
      ['as counted', exact.millijoules, memory.ann.operationMillijoules],
      ['with memory', memory.millijoules, memory.ann.millijoules],
    );
  const row = (name: string, cells: readonly string[], kind = '') =>
    `<tr${kind}><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  const rows = [
    row(
      'this network',
      columns.map(([, own]) => joules(own)),
      ' class="own"',
    ),
    row(
      'with ReLU (ANN)',
      columns.map(([, , ann]) => joules(ann)),
    ),
    row(
      'ANN takes',
      columns.map(([, own, ann]) => (own > 0 ? `${(ann / own).toFixed(1)} ×` : '–')),
    ),
  ];
  const head = columns.map(([title]) => `<th scope="col">${title}</th>`).join('');
  return `<section class="summary" aria-label="Summary"><div class="wide"><table><thead><tr><th scope="col">energy per image</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

function cards({ exact, data, accuracy, neuroBench }: EnergyDocument): string {
  const list: [string, string, string][] = [];
  if (exact && 'images' in data) {
    const total = (field: 'additions' | 'multiplications') =>
      exact.layers.reduce((sum, layer) => sum + layer[field].reduce((a, b) => a + b, 0), 0) / data.images;
    list.push([operations(total('additions')), 'additions', 'per image, one for every output that a spike reaches']);
    list.push([operations(total('multiplications')), 'multiplications', 'per image, in layers fed by numbers']);
  }
  if (neuroBench)
    list.push([percent(1 - neuroBench.activationSparsity), 'of neurons fire', 'mean over all neurons and time steps']);
  if (accuracy !== null) list.push([percent(accuracy), 'right', 'top-1 on these images']);
  if (list.length === 0) return '';
  const each = list.map(
    ([value, unit, what]) => `<div class="card"><b>${value}</b> <span>${unit}</span><small>${what}</small></div>`,
  );
  return `<section class="cards" aria-label="Totals">${each.join('')}</section>`;
}

interface StageRow {
  readonly name: string;
  additions: number;
  multiplications: number;
  paper: number;
}

function stages(document: EnergyDocument): string {
  const rows = new Map<string, StageRow>();
  const { accumulate, multiplyAccumulate } = document.constants;
  for (const [index, { stage }] of document.structure.entries()) {
    const row = rows.get(stage) ?? { name: stage, additions: 0, multiplications: 0, paper: 0 };
    rows.set(stage, row);
    row.paper += document.paper.layers[index]!.millijoules;
    const counts = countsOf(document, index);
    const sum = (values: readonly number[] = []) => values.reduce((a, b) => a + b, 0);
    row.additions += 1e-9 * accumulate * sum(counts?.additions);
    row.multiplications += 1e-9 * multiplyAccumulate * sum(counts?.multiplications);
  }
  const all = [...rows.values()];
  const total = (row: StageRow) => (document.exact ? row.additions + row.multiplications : row.paper);
  const largest = Math.max(...all.map(total));
  const lines = all.map((row) => {
    const parts = document.exact
      ? [segment('additions', row.additions, largest), segment('multiplications', row.multiplications, largest)]
      : [segment('additions', row.paper, largest)];
    return `<div class="line"><span class="name">${escaped(row.name)}</span><span class="track">${parts.join('')}</span><span class="value">${joules(total(row))}</span></div>`;
  });
  const legend = document.exact
    ? '<p class="legend"><i class="additions"></i> additions <i class="multiplications"></i> multiplications, as counted</p>'
    : '<p class="legend"><i class="additions"></i> the paper’s convention</p>';
  return `<section><h2>Where it goes: stage by stage</h2>${legend}<div class="bars">${lines.join('')}</div></section>`;
}

function segment(kind: string, value: number, largest: number): string {
  const width = largest === 0 ? 0 : (100 * value) / largest;
  return `<i class="${kind}" style="width:${width.toFixed(2)}%" title="${kind}: ${joules(value)}"></i>`;
}

/** A table whose cells are shaded by their value. */
function heatTable(
  caption: string,
  timeSteps: number,
  rows: readonly {
    readonly name: string;
    readonly values: readonly number[];
    readonly shown: (value: number) => string;
  }[],
): string {
  const largest = Math.max(...rows.flatMap(({ values }) => values), Number.MIN_VALUE);
  const head = Array.from({ length: timeSteps }, (_, t) => `<th scope="col">t = ${t + 1}</th>`).join('');
  const body = rows.map(({ name, values, shown }) => {
    const cells = values.map(
      (value) => `<td class="heat" style="--share:${((100 * value) / largest).toFixed(1)}%">${shown(value)}</td>`,
    );
    // Layers behind a mean over time run once.
    const none = '<td></td>'.repeat(Math.max(0, timeSteps - values.length));
    return `<tr><th scope="row">${escaped(name)}</th>${cells.join('')}${none}</tr>`;
  });
  const table = `<div class="wide"><table><thead><tr><th scope="col">layer</th>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
  // One column says little that the other tables do not.
  if (timeSteps === 1) return `<section><details><summary><h2>${caption}</h2></summary>${table}</details></section>`;
  return `<section><h2>${caption}, step by step</h2>${table}</section>`;
}

function firingRates({ exact, data, model }: EnergyDocument): string {
  const images = 'images' in data ? data.images : 1;
  const rows = exact!.neurons.map(({ name, neurons, spikes }) => ({
    name,
    values: spikes.map((count) => count / (neurons * images)),
    shown: percent,
  }));
  return heatTable('Firing rate of every neuron layer', model.timeSteps, rows);
}

function energyByStep(document: EnergyDocument): string {
  const rows = document.structure.map(({ name }, index) => ({
    name,
    values: countsOf(document, index)!.millijoulesByStep,
    shown: joules,
  }));
  return heatTable('Energy of every layer as counted', document.model.timeSteps, rows);
}

function layerTable(document: EnergyDocument): string {
  const measured = document.exact !== null;
  const head = ['layer', 'fed by', 'dense operations a step', 'firing rate', 'paper'];
  if (measured) head.push('additions', 'multiplications', 'counted', 'with memory');
  const rows = document.structure.map(({ name, fedBy }, index) => {
    const paper = document.paper.layers[index]!;
    const counts = countsOf(document, index);
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const cells = [
      fedBy,
      operations(paper.operations),
      paper.firingRate === null ? numbersFed(index, document.data) : percent(paper.firingRate),
      joules(paper.millijoules),
    ];
    if (counts)
      cells.push(
        operations(sum(counts.additions)),
        operations(sum(counts.multiplications)),
        joules(counts.millijoules),
        joules(document.memory!.layers[index]!.millijoules),
      );
    return `<tr class="${fedBy}"><th scope="row">${escaped(name)}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const titles = head.map((title) => `<th scope="col">${title}</th>`).join('');
  const note = measured ? '<p>Additions and multiplications per image, over all time steps.</p>' : '';
  return `<section><h2>Layer by layer</h2>${note}<div class="wide"><table><thead><tr>${titles}</tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`;
}

function proofSection(proof: readonly FormProof[]): string {
  const rows = proof.map(({ form, edges, layers }) => {
    const count = (kind: string) => edges.filter(({ carries }) => carries === kind).length;
    const fed = layers.filter(({ fedBy }) => fedBy === 'binary').length;
    const cells = [count('binary'), count('integer'), count('real'), `${fed} of ${layers.length}`];
    return `<tr><th scope="row">${formNames[form]}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const merged = proof.find(({ form }) => form === 'merged');
  const others = (merged?.layers ?? []).filter(({ fedBy }) => fedBy !== 'binary');
  const list = others.map(
    ({ name, why, remedy }) =>
      `<li><code>${escaped(name)}</code>: ${escaped(why ?? 'no reason is known: this layer should be fed by spikes')}${remedy ? `; it would add with ${escaped(remedy)}` : ''}.</li>`,
  );
  return `<section><h2>Is it spike-driven?</h2>
<p>What the edges of the graph carry, and how many layers with weights or products of attention receive spikes alone.</p>
<div class="wide"><table><thead><tr><th scope="col">form</th><th scope="col">binary</th><th scope="col">integer</th><th scope="col">real</th><th scope="col">fed by spikes</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
<p>Layers that multiply once RepConv is merged:</p><ul>${list.join('')}</ul>
<p>Attention multiplies nothing: coincidences of spikes are counted, and spikes select which counts are added up, or which spikes pass.</p></section>`;
}

function neuroBenchSection(figures: NonNullable<EnergyDocument['neuroBench']>): string {
  const { effectiveMacs, effectiveAcs, dense } = figures.synapticOperations;
  return `<section><h2>NeuroBench</h2>${definitionList([
    ['Footprint', `${(figures.footprintBytes / 1e6).toFixed(2)} MB`],
    ['Connection sparsity', figures.connectionSparsity.toFixed(4)],
    ['Activation sparsity', figures.activationSparsity.toFixed(4)],
    ['Effective MACs', operations(effectiveMacs)],
    ['Effective ACs', operations(effectiveAcs)],
    ['Dense', operations(dense)],
    ['Products of attention (not in the benchmark)', operations(figures.attentionAdditions)],
  ])}<p>Operations per image over all time steps, of the network as it is trained: RepConv unmerged, so that its inner convolutions multiply.</p></section>`;
}

function memorySection({ memory, constants }: EnergyDocument): string {
  const { accesses, accessMillijoules, ann } = memory!;
  const both = (field: keyof typeof accesses) =>
    `${operations(accesses[field])}; ANN ${operations(ann.accesses[field])}`;
  return `<section><h2>Memory</h2>${definitionList([
    ['Weights read', both('weightReads')],
    ['Membranes, sums and numbers read', both('membraneReads')],
    ['Membranes, sums and numbers written', both('membraneWrites')],
    ['Bits of neurons read', both('spikeReads')],
    ['Bits of neurons written', both('spikeWrites')],
    ['Energy of these accesses', `${joules(accessMillijoules)}; ANN ${joules(ann.accessMillijoules)}`],
  ])}<p>Per image. ${escaped(constants.memory.name)}.</p></section>`;
}

function conventions({ constants }: EnergyDocument): string {
  const { accumulate, multiplyAccumulate } = constants;
  return `<section><h2>Conventions</h2>${definitionList([
    [
      'Paper',
      `E<sub>AC</sub> · T · R · operations for every layer, R being the firing rate of its input; E<sub>MAC</sub> · T · operations for the first convolution. E<sub>AC</sub> = ${accumulate} pJ, E<sub>MAC</sub> = ${multiplyAccumulate} pJ (${escaped(constants.name)}). RepConv as one 3×3 convolution. Yao et al., ICLR 2024.`,
    ],
    [
      'Counted',
      'Every spike is followed to the outputs that it reaches, fewer at borders; layers fed by numbers multiply inside the map. Exact counts, not means.',
    ],
    [
      'With memory',
      'The counted operations, and the reads and writes that a chip working spike by spike would make if it kept nothing in registers.',
    ],
    [
      'ANN',
      'The same layers with ReLU: one pass, every operation a multiply-accumulate. As counted: only multiplications inside the map. With memory: a multiplication reads a weight and a number (in attention two numbers), and reads and writes its sum; every ReLU reads a sum and writes a number.',
    ],
  ])}</section>`;
}

function configuration({ model }: EnergyDocument): string {
  const entries = Object.entries(model.configuration).map(
    ([name, value]) => [escaped(name), escaped(JSON.stringify(value))] as const,
  );
  return `<section><h2>Configuration</h2>${definitionList(entries)}</section>`;
}
