/** Where an energy report comes from: what a reader needs to make it again, and how to cite it. Dates and machines are the caller's to tell; without them the section says less. */
import { type EnergyDocument, samplesIn } from './document.js';
import { baseName, definitionList, escaped } from './reportText.js';

export interface ReportOrigin {
  /** When it was made. */
  readonly date: Date;
  /** The command as it was typed, without folders. */
  readonly command: string;
  /** Of configuration and weights; absent where there are none. */
  readonly fingerprint?: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    /** Of the runtime, such as `Node 20.11.0, linux x64`. */
    readonly runtime: string;
    /** Engine and threads; absent where nothing was run. */
    readonly engine?: string;
  };
}

export function originSection({ data, constants }: EnergyDocument, version: string, origin?: ReportOrigin): string {
  const source =
    'images' in data ? `${samplesIn(data)} of ${baseName(data.source)}` : `rates of ${baseName(data.rates)}`;
  const entries: [string, string][] = [
    ['Program', `meta-spikeformer ${version}`],
    ['Data', source],
    ['Constants', constants.name],
  ];
  if (origin) {
    const { date, command, fingerprint, machine } = origin;
    const { processor, cores, runtime, engine } = machine;
    entries.unshift(['Date', `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`], ['Command', command]);
    if (fingerprint !== undefined) entries.push(['Model', fingerprint]);
    entries.push(['Machine', `${processor}, ${cores} ${cores === 1 ? 'core' : 'cores'}; ${runtime}`]);
    if (engine !== undefined) entries.push(['Engine', engine]);
  }
  const escapedEntries = entries.map(([term, value]): [string, string] => [
    term,
    term === 'Command' ? `<code>${escaped(value)}</code>` : escaped(value),
  ]);
  return `<section><h2>How it was made</h2>${definitionList(escapedEntries)}</section>`;
}

export function citation(document: EnergyDocument, version: string, origin?: ReportOrigin): string {
  return `<section><h2>How to cite</h2>
<p>These figures, the network, the energy of an operation, the metrics:</p>
<div class="wide"><pre><code>${escaped(bibTeX(document, version, origin))}</code></pre></div></section>`;
}

function bibTeX({ model, data }: EnergyDocument, version: string, origin?: ReportOrigin): string {
  const name = bibTeXText(baseName(model.name));
  const seen = 'images' in data ? `, ${samplesIn(data)}` : '';
  const made = origin ? [`  year    = {${origin.date.getUTCFullYear()}},`] : [];
  const print = origin?.fingerprint === undefined ? '' : `, model ${origin.fingerprint.slice(0, 19)}`;
  return [
    '@misc{energyReport,',
    `  title   = {Energy of ${name} at {T} = ${model.timeSteps}${seen}},`,
    '  author  = {{meta-spikeformer contributors}},',
    ...made,
    `  note    = {Made with meta-spikeformer ${version}, \\texttt{spikeformer energy}${print}}`,
    '}',
    '',
    '@inproceedings{yao2024spikedriven,',
    '  title     = {Spike-driven Transformer {V2}: Meta Spiking Neural Network Architecture Inspiring the Design of Next-generation Neuromorphic Chips},',
    '  author    = {Yao, Man and Hu, Jiakui and Hu, Tianxiang and Xu, Yifan and Zhou, Zhaokun and Tian, Yonghong and Xu, Bo and Li, Guoqi},',
    '  booktitle = {International Conference on Learning Representations ({ICLR})},',
    '  year      = {2024}',
    '}',
    '',
    '@inproceedings{horowitz2014computing,',
    "  title     = {Computing's energy problem (and what we can do about it)},",
    '  author    = {Horowitz, Mark},',
    '  booktitle = {{IEEE} International Solid-State Circuits Conference ({ISSCC})},',
    '  year      = {2014}',
    '}',
    '',
    '@article{yik2025neurobench,',
    '  title   = {The {NeuroBench} framework for benchmarking neuromorphic computing algorithms and systems},',
    '  author  = {Yik, Jason and others},',
    '  journal = {Nature Communications},',
    '  year    = {2025}',
    '}',
  ].join('\n');
}

/** Characters that mean something to BibTeX or LaTeX. */
function bibTeXText(text: string): string {
  const meanings: Record<string, string> = {
    '\\': '\\textbackslash{}',
    '~': '\\textasciitilde{}',
    '^': '\\textasciicircum{}',
  };
  return text.replace(/[\\~^#$%&_{}]/g, (character) => meanings[character] ?? `\\${character}`);
}
