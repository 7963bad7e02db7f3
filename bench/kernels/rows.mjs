// @ts-check
/**
 * How fast rows of weights are added up by themselves, by how much of the cache they take together: the loops of the two precisions without anything around them, on lists
 * such as an image makes that fires at random. Why rows are cut into segments (`src/engines/wasm/spikePlan.ts`).
 *
 * Usage: node bench/kernels/rows.mjs [firing rate, 0.15]
 */
import { compiled } from './peak.mjs';

const rate = Number(process.argv[2] ?? 0.15);
const positions = 512;
const rounds = 120;
const kibibytes = [16, 32, 64, 128, 192, 256];
const forms = /** @type {const} */ ({
  f32: { rowBytes: 96, channels: 24, registers: 6, lanes: 'f32x4' },
  i16: { rowBytes: 64, channels: 64, registers: 4, lanes: 'i16x8' },
});

/** @param {keyof typeof forms} name */
function loop(name) {
  const { registers, lanes } = forms[name];
  const each = (/** @type {(i: number) => string} */ line) =>
    Array.from({ length: registers }, (_, i) => line(i)).join('\n');
  const bytes = name === 'i16';
  return `export function ${name}(table: usize, starts: usize, output: usize): void {
    for (let position: u32 = 0; position < ${positions}; position++) {
      ${each((i) => `let sum${i} = v128.load(output, ${16 * i});`)}
      ${bytes ? each((i) => `let upper${i} = sum${i};`) : ''}
      const end: usize = load<u32>(starts, 4);
      for (let entry: usize = load<u32>(starts); entry < end; entry += 4) {
        const row = table + load<u32>(entry);
        ${each((i) => `const part${i} = v128.load(row, ${16 * i}); sum${i} = ${lanes}.add(sum${i}, part${i});`)}
        ${bytes ? each((i) => `upper${i} = i16x8.add(upper${i}, i16x8.shr_s(part${i}, 8));`) : ''}
      }
      ${each((i) => `v128.store(output, sum${i}, ${16 * i});`)}
      ${bytes ? each((i) => `v128.store(output, upper${i}, ${16 * (registers + i)});`) : ''}
      starts += 8;
      output += ${16 * registers * (bytes ? 2 : 1)};
    }
  }`;
}

const exports = await compiled(`${loop('f32')}\n${loop('i16')}`, 1024);
const memory = new Uint32Array(/** @type {WebAssembly.Memory} */ (exports.memory).buffer);
const [table, output] = [2 ** 20, 2 ** 21];
// Memory that nobody wrote to is one and the same page of zeros, which the cache would hold many times over.
memory.fill(1, table / 4, output / 4);
let free = 2 ** 22;
const cases = Object.keys(forms).flatMap((key) =>
  kibibytes.map((size) => {
    const name = /** @type {keyof typeof forms} */ (key);
    const { rowBytes, channels } = forms[name];
    const starts = free;
    let end = starts + 8 * positions;
    for (let position = 0; position < positions; position++) {
      memory[starts / 4 + 2 * position] = end;
      for (let row = 0; row < Math.floor((size * 1024) / rowBytes); row++) {
        if (Math.random() >= rate) continue;
        memory[end / 4] = row * rowBytes;
        end += 4;
      }
      memory[starts / 4 + 2 * position + 1] = end;
    }
    free = Math.ceil(end / 4096) * 4096;
    const additions = ((end - starts) / 4 - 2 * positions) * channels;
    /** @type {number[]} */
    const speeds = [];
    return { name, size, starts, additions, speeds };
  }),
);
for (let round = 0; round < rounds; round++)
  for (const { name, starts, additions, speeds } of cases) {
    const run = /** @type {(table: number, starts: number, output: number) => void} */ (exports[name]);
    run(table, starts, output);
    const start = performance.now();
    run(table, starts, output);
    speeds.push(additions / (performance.now() - start) / 1e6);
  }
console.log(`G additions a second, one thread, at ${100 * rate} %: the fastest tenth, the median`);
for (const { name, size, speeds } of cases) {
  speeds.sort((a, b) => b - a);
  const at = (/** @type {number} */ share) => (speeds[Math.floor(share * rounds)] ?? 0).toFixed(1).padStart(6);
  console.log(`${name}  ${String(size).padStart(4)} KiB ${at(0.1)} ${at(0.5)}`);
}
