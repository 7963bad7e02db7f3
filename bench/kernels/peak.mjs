// @ts-check
/**
 * What this machine's SIMD unit does at most, in WebAssembly and on one thread: additions in registers, additions of rows read from the first-level
 * cache, fused products. Against these the kernels' shares are stated.
 *
 * Usage: node bench/kernels/peak.mjs, or `measurePeak` from other benchmarks
 */
import { fileURLToPath } from 'node:url';

/** Twelve independent sums hide the latency of an addition on any machine of these years. */
const sums = 12;
/** Rows of a cache of 32 KiB, with room for other things. */
const rowBytes = 16384;

/** @param {string} lanes @param {(sum: string) => string} operation */
const registers = (lanes, operation) => `
  ${Array.from({ length: sums }, (_, i) => `let s${i} = ${lanes}.splat(${i});`).join('\n')}
  const one = ${lanes}.splat(1);
  for (let i: u32 = 0; i < count; i++) {
    ${Array.from({ length: sums }, (_, i) => `s${i} = ${operation(`s${i}`)};`).join('\n')}
  }
  ${Array.from({ length: sums }, (_, i) => `v128.store(${i * 16}, s${i});`).join('\n')}`;

/** @param {string} lanes */
const rows = (lanes) => `
  ${Array.from({ length: 6 }, (_, i) => `let s${i} = ${lanes}.splat(0);`).join('\n')}
  for (let i: u32 = 0; i < count; i++) {
    for (let at: usize = 0; at < ${rowBytes - 96}; at += 96) {
      ${Array.from({ length: 6 }, (_, i) => `s${i} = ${lanes}.add(s${i}, v128.load(at, ${1024 + i * 16}));`).join('\n')}
    }
  }
  ${Array.from({ length: 6 }, (_, i) => `v128.store(${i * 16}, s${i});`).join('\n')}`;

const source = `
export function addF32(count: u32): void {${registers('f32x4', (sum) => `f32x4.add(${sum}, one)`)}}
export function addI16(count: u32): void {${registers('i16x8', (sum) => `i16x8.add(${sum}, one)`)}}
export function fusedF32(count: u32): void {${registers('f32x4', (sum) => `f32x4.relaxed_madd(one, one, ${sum})`)}}
export function rowsF32(count: u32): void {${rows('f32x4')}}
export function rowsI16(count: u32): void {${rows('i16x8')}}
`;

/** Numbers that one call with count 1 adds. */
const perCount = {
  addF32: sums * 4,
  addI16: sums * 8,
  fusedF32: sums * 4,
  rowsF32: Math.ceil((rowBytes - 96) / 96) * 6 * 4,
  rowsI16: Math.ceil((rowBytes - 96) / 96) * 6 * 8,
};

/** Functions and memory of a module in AssemblyScript. @param {string} source @param {number} pages of memory, 64 KiB each @returns {Promise<WebAssembly.Exports>} */
export async function compiled(source, pages) {
  const { default: asc } = await import('assemblyscript/asc');
  /** @type {Uint8Array | undefined} */
  let binary;
  const { error, stderr } = await asc.main(
    [
      'loops.ts',
      '-O3',
      '--noAssert',
      '--runtime',
      'stub',
      '--enable',
      'simd,relaxed-simd',
      '--initialMemory',
      String(pages),
      '--outFile',
      'loops.wasm',
    ],
    {
      readFile: (name) => (name === 'loops.ts' ? source : null),
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`AssemblyScript could not compile the measuring loops: ${error}\n${stderr}`);
  const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), {});
  return instance.exports;
}

/** Billions of numbers a second, the best of some tries. @returns {Promise<Record<keyof typeof perCount, number>>} */
export async function measurePeak() {
  const exports = await compiled(source, 1);
  /** @type {[string, number][]} */
  const found = [];
  for (const [name, numbers] of Object.entries(perCount)) {
    const run = /** @type {(count: number) => void} */ (exports[name]);
    const count = Math.ceil(4e8 / numbers);
    let best = 0;
    // Twice as often as needed for the compiler's last stage to be done.
    for (let attempt = 0; attempt < 8; attempt++) {
      const start = performance.now();
      run(count);
      best = Math.max(best, (numbers * count) / (performance.now() - start) / 1e6);
    }
    found.push([name, best]);
  }
  return /** @type {any} */ (Object.fromEntries(found));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Relaxed SIMD needs a flag in Node 20, set before the module is compiled.
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const peak = await measurePeak();
  for (const [name, rate] of Object.entries(peak)) console.log(`${name.padEnd(10)} ${rate.toFixed(0).padStart(6)} G/s`);
}
