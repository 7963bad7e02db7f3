// @ts-check
/**
 * What limits each kind of kernel of one inference pass: its operations and its least bytes a second, beside what this machine (x86) does at most.
 *
 * Usage: npm run build, then node bench/roofline.mjs [MODEL or CHECKPOINT] [--engine wasm|native] [--precision f32|i16]
 *
 * Operations: additions that the input's spikes cause (a spike adds one weight to each output channel of each position that it reaches), or
 * multiply-accumulates inside the image. Least bytes: inputs, outputs and weights once each, spikes as bits, whatever a kernel reads again.
 * Rows: bytes of weights that spike-fed sums read, one row of the tables for up to four spikes; they come from the second-level cache.
 * Times: processor time of one thread, the fastest of some rounds of every instruction, so that other programs disturb little.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { AttentionWord, ConvolutionWord, ElementWord, NeuronWord, Size } from '../dist/engines/wasm/instructionSet.js';
import { Opcode } from '../dist/engines/wasm/opcodes.generated.js';
import { WasmEngine } from '../dist/engines/wasm/wasmEngine.js';
import { loadModel } from '../dist/index.js';
import { findCompiler } from '../scripts/build-native.mjs';

const options = /** @type {const} */ ({ engine: { type: 'string' }, precision: { type: 'string', default: 'f32' } });
const { values, positionals } = parseArgs({ allowPositionals: true, options });
const name = positionals[0] ?? '31M-random';
const source = /[./]/.test(name) ? { checkpoint: name } : { model: name };
const precision = values.precision === 'i16' ? 'i16' : 'f32';

/** Loops of the machine's peaks, with registers of WIDTH bytes. Billions a second. Copies count what is read and what is written. */
const loops = `
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#define EACH(count) _Pragma("GCC unroll 12") for (int i = 0; i < count; i++)
// The compiler must not know what a register holds, else it does equal sums once.
#define HIDE(vector) asm volatile("" : "+x"(vector))
typedef float Floats __attribute__((vector_size(WIDTH), may_alias));
typedef uint16_t Shorts __attribute__((vector_size(WIDTH), may_alias));
typedef int32_t Ints __attribute__((vector_size(WIDTH), may_alias));
template <class Body> void best(const char* name, double work, int repeats, Body body) {
  using Clock = std::chrono::steady_clock; double fastest = 1e9;
  for (const auto begin = Clock::now(); Clock::now() - begin < std::chrono::milliseconds(600);) {
    const auto start = Clock::now();
    for (int repeat = 0; repeat < repeats; repeat++) { body(); asm volatile("" ::: "memory"); }
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::printf("%s %f\\n", name, work * repeats / fastest / 1e9);
}
static void addFloats(const uint8_t* rows, size_t bytes) {
  Floats sums[6] = {};
  for (const uint8_t* at = rows; at < rows + bytes; at += 6 * WIDTH) EACH(6) sums[i] += *(const Floats*)(at + i * WIDTH);
  EACH(6) HIDE(sums[i]);
}
static void addBytes(const uint8_t* rows, size_t bytes) {
  Shorts lower[6] = {}, upper[6] = {};
  for (const uint8_t* at = rows; at < rows + bytes; at += 6 * WIDTH) EACH(6) {
    const Shorts row = *(const Shorts*)(at + i * WIDTH);
    lower[i] += row, upper[i] += row >> 8;
  }
  EACH(6) { HIDE(lower[i]); HIDE(upper[i]); }
}
template <class Vector, class Product> void multiply(Product product) {
  Vector sums[12] = {}, factor = {}; EACH(12) HIDE(sums[i]);
  for (int turn = 0; turn < 1000; turn++) EACH(12) { HIDE(factor); sums[i] += product(factor); }
  EACH(12) HIDE(sums[i]);
}
int main() {
  const size_t large = 64 << 20, half = 128 << 10, first = 6 * WIDTH * (16384 / (6 * WIDTH)), second = 16 * first;
  uint8_t* memory = (uint8_t*)std::memset(std::aligned_alloc(64, 2 * large), 0, 2 * large);
  const auto copy = [&](size_t bytes) { for (size_t at = 0; at < bytes; at += WIDTH) *(Floats*)(memory + bytes + at) = *(const Floats*)(memory + at); };
  best("addF32", first / 4, 500, [&] { addFloats(memory, first); });
  best("addI16", first, 500, [&] { addBytes(memory, first); });
  best("readL2", second, 50, [&] { addFloats(memory, second); });
  best("copyL2", 2 * half, 50, [&] { copy(half); });
  best("copyMemory", 2 * large, 1, [&] { copy(large); });
  best("productsF32", 12000.0 * WIDTH / 4, 100, [] { multiply<Floats>([](Floats factor) { return factor * factor; }); });
  best("productsI16", 12000.0 * WIDTH / 2, 100, [] { multiply<Ints>([](Ints factor) { return MADD(factor); }); });
}
`;

/** @typedef {Record<'addF32' | 'addI16' | 'readL2' | 'copyL2' | 'copyMemory' | 'productsF32' | 'productsI16', number>} Peaks */
/** @param {number} bytes of a register */
const registers = (bytes, bits = 8 * bytes) =>
  `#define WIDTH ${bytes}\n#define MADD(a) (Ints)_mm${bits > 128 ? bits : ''}_madd_epi16((__m${bits}i)a, (__m${bits}i)a)\n`;
const widest = `#if __AVX512BW__\n${registers(64)}#elif __AVX2__\n${registers(32)}#else\n${registers(16)}#endif\n`;

/** Registers are 128 bits for wasm, and the processor's widest for native. @param {boolean} wide @returns {Peaks} */
function measurePeaks(wide) {
  const compiler = findCompiler();
  if (!compiler) throw new Error('The peaks are measured by a program in C++, and no compiler was found; set CXX.');
  const program = join(tmpdir(), `roofline-${process.pid}`);
  const flags = ['-std=c++17', '-O3', '-march=native', '-fno-tree-loop-distribute-patterns', '-fno-tree-vectorize'];
  const input = (wide ? widest : registers(16)) + loops;
  execFileSync(compiler, [...flags, '-x', 'c++', '-', '-o', program], { input });
  const found = execFileSync(program, { encoding: 'utf8' }).matchAll(/(\w+) (.+)/g);
  rmSync(program);
  return /** @type {any} */ (Object.fromEntries([...found].map(([, name, rate]) => [name, Number(rate)])));
}

/** @param {string} kind @param {number} operations @param {number} bytes @param {keyof Peaks} [peak] of the operations @param {number} [rowBytes] */
const work = (kind, operations, bytes, peak, rowBytes = 0) => ({ kind, operations, bytes, peak, rowBytes });
/** @typedef {ReturnType<typeof work>} Work */
/** @param {number} word */
const ones = (word) => word.toString(2).replaceAll('0', '').length;
/** Groups of four bits, of which any is set: with tables each is one row. @param {number} word */
const groups = (word) => ones((word | (word >>> 1) | (word >>> 2) | (word >>> 3)) & 0x11111111);
/** @param {Iterable<number>} numbers */
const total = (numbers) => [...numbers].reduce((sum, one) => sum + one, 0);

/** How many positions of the output read each position of an input, the border apart. @param {number[]} sizes */
function readers([input, output, kernel, stride, padding]) {
  const counts = new Array(input).fill(0);
  for (let at = 0; at < output * kernel; at++) {
    const from = Math.floor(at / kernel) * stride + (at % kernel) - padding;
    if (from >= 0 && from < input) counts[from]++;
  }
  return counts;
}

/** @param {WasmEngine} engine @param {string} kernel @param {(word: number) => number} at */
function convolutionWork(engine, kernel, at, W = ConvolutionWord) {
  const down = readers([W.inputHeight, W.outputHeight, W.kernelHeight, W.strideHeight, W.paddingHeight].map(at));
  const across = readers([W.inputWidth, W.outputWidth, W.kernelWidth, W.strideWidth, W.paddingWidth].map(at));
  const [images, channels, outputs] = [W.images, W.inputChannels, W.outputChannels].map(at);
  const words = Math.ceil(channels / 32);
  const pixels = down.length * across.length;
  const inputs = images * pixels * 4 * (at(W.spikes) ? words : channels);
  if (kernel === 'spikeLists') return work('lists of spikes', 0, inputs);
  const positions = images * at(W.outputHeight) * at(W.outputWidth);
  const integers = kernel === 'integerConvolution';
  const numberBytes = integers ? 2 : at(W.bytes) ? 1 : 4;
  const weights = (at(W.kernelHeight) * at(W.kernelWidth) * channels * outputs * numberBytes) / at(W.groups);
  const residual = at(W.residual) ? at(W.residualPositions) * outputs * 4 : 0;
  const fired = at(W.neurons) ? positions * Math.ceil(outputs / 32) * 4 : 0;
  // Currents that only the neurons in the same instruction read stay in the cache.
  const bytes = inputs + weights + residual + fired + (at(W.neurons) && at(W.currents) ? 0 : positions * outputs * 4);
  const size = `${at(W.kernelHeight)}×${at(W.kernelWidth)}`;
  if (kernel !== 'spikeConvolution') {
    const products = (images * total(down) * total(across) * channels * outputs) / at(W.groups);
    const kind = at(W.groups) > 1 ? 'depthwise' : integers ? 'integers' : 'dense';
    return work(`${kind}, ${size}`, products, bytes, integers ? 'productsI16' : 'productsF32');
  }
  let [additions, rows] = [0, 0];
  for (let image = 0; image < images; image++) {
    const bits = engine.memory.uint32(at(W.input) + image * pixels * words * 4, pixels * words);
    const tables = at(W.tables) > 0 && 100 * total(bits.map(ones)) > at(W.tables) * pixels * channels;
    bits.forEach((word, index) => {
      const pixel = Math.floor(index / words);
      const reach = outputs * down[Math.floor(pixel / across.length)] * across[pixel % across.length];
      additions += reach * ones(word);
      rows += reach * (tables ? groups(word) : ones(word));
    });
  }
  return work(`spike-fed, ${size}`, additions, bytes, numberBytes === 1 ? 'addI16' : 'addF32', rows * numberBytes);
}

/** Keys and values of a token and head, each with each; then a row of what they gave for each spike of the query. @param {WasmEngine} engine @param {(word: number) => number} at */
function attentionWork(engine, at, W = AttentionWord) {
  const [images, tokens, channels, heads] = [W.images, W.tokens, W.channels, W.heads].map(at);
  const words = Math.ceil(channels / 32);
  const [query, key, value] = [W.query, W.key, W.value].map((word) => {
    const bits = engine.memory.uint32(at(word), images * tokens * words);
    const counts = new Array(images * tokens * heads).fill(0);
    for (let index = 0; index < images * tokens * channels; index++) {
      const word = bits[Math.floor(index / channels) * words + ((index % channels) >>> 5)];
      counts[Math.floor((index * heads) / channels)] += (word >>> ((index % channels) & 31)) & 1;
    }
    return counts;
  });
  const additions = query.map((count, index) => (count * channels) / heads + key[index] * value[index]);
  return work('attention', total(additions), images * tokens * (3 * 4 * words + 4 * channels));
}

/** What the instruction will do, seen before it runs. @param {WasmEngine} engine @param {number} address @returns {Work} */
function workOf(engine, address, N = NeuronWord, W = ElementWord) {
  const words = engine.memory.uint32(address, Size.instruction / 4).slice();
  const at = (/** @type {number} */ word) => words[word];
  const kind = Opcode[at(0)];
  if (/Convolution$|^spikeLists$/.test(kind)) return convolutionWork(engine, kind, at);
  if (kind === 'spikeAttention') return attentionWork(engine, at);
  if (kind === 'leakyIntegrateAndFire') {
    const [steps, positions, channels, inputSteps] = [N.timeSteps, N.positions, N.channels, N.inputTimeSteps].map(at);
    const bytes = 4 * positions * (inputSteps * channels + steps * Math.ceil(channels / 32));
    return work('neurons', steps * positions * channels, bytes);
  }
  const [rows, channels, elements] = [W.rows, W.channels, W.elements].map(at);
  const mean = kind === 'spatialMean' ? [rows * channels, at(W.positions)] : [elements, at(W.timeSteps)];
  if (/Mean$/.test(kind)) return work('means', mean[0] * mean[1], 4 * mean[0] * (mean[1] + 1));
  if (kind === 'add') return work('sums', elements, 4 * (elements + at(W.inputElements) + at(W.secondElements)));
  return work(`${kind} (not counted)`, 0, 0);
}

/** Of all runs, by the instruction's address. @type {Map<number, Work & { milliseconds: number }>} */
const instructions = new Map();
const { execute } = WasmEngine.prototype;
/** As the engine's own, one instruction at a time. @param {number} code @param {number} count @param {number} scratch @param {number} stride */
WasmEngine.prototype.execute = function (code, count, scratch, stride) {
  for (let at = code; at < code + count * Size.instruction; at += Size.instruction) {
    const known = instructions.get(at) ?? { ...workOf(this, at), milliseconds: Number.POSITIVE_INFINITY };
    instructions.set(at, known);
    const before = process.cpuUsage();
    execute.call(this, at, 1, scratch, stride);
    const { user, system } = process.cpuUsage(before);
    known.milliseconds = Math.min(known.milliseconds, (user + system) / 1000);
  }
};

const summed = /** @type {const} */ (['operations', 'bytes', 'rowBytes', 'milliseconds']);
const percent = (/** @type {number} */ share) => (share > 0 ? `${(100 * share).toFixed(0)} %` : '');
const rounded = (/** @type {number} */ rate) => (rate > 0 ? rate.toFixed(1) : '');
for (const engine of /** @type {const} */ (['wasm', 'native'])) {
  if (values.engine && values.engine !== engine) continue;
  const peaks = measurePeaks(engine === 'native');
  instructions.clear();
  const model = await loadModel(source, { engine, precision, threads: 1 });
  const shape = [1, model.configuration.inputChannels, ...model.preprocessing.crop];
  const input = { shape, data: inputOf(shape) };
  for (let round = 0; round < 9; round++) await model.run(input);
  const rates = Object.entries(peaks).map(([key, rate]) => `${key} ${rate.toFixed(0)}`);
  console.log(`\n${model.engine.name}, ${precision}, one thread. Peaks, G a second: ${rates.join(', ')}\n`);
  await model.dispose();
  console.log(
    '| kernel | ms | G operations | G/s | of peak | least MB | GB/s | of memory | rows GB/s | of L2 | limit |',
  );
  console.log(`${'|---'.repeat(11)}|`);
  /** @type {Map<string, Work & { milliseconds: number }>} */
  const kinds = new Map();
  for (const one of instructions.values()) {
    const sum = kinds.get(one.kind) ?? { ...one, operations: 0, bytes: 0, rowBytes: 0, milliseconds: 0 };
    kinds.set(one.kind, sum);
    for (const key of summed) sum[key] += one[key];
  }
  for (const one of [...kinds.values()].sort((a, b) => b.milliseconds - a.milliseconds)) {
    const perSecond = 1 / one.milliseconds / 1e6;
    const [rate, bandwidth, rows] = [one.operations * perSecond, one.bytes * perSecond, one.rowBytes * perSecond];
    const ofPeak = one.peak ? rate / peaks[one.peak] : 0;
    const [ofMemory, ofL2] = [bandwidth / peaks.copyMemory, rows / peaks.readL2];
    const most = Math.max(ofPeak, ofMemory, ofL2);
    const limit = most < 0.5 ? 'none' : most === ofPeak ? 'operations' : most === ofL2 ? 'L2' : 'memory';
    const operations = [(one.operations / 1e9).toFixed(3), rounded(rate), percent(ofPeak)];
    const moved = [rounded(one.bytes / 1e6), rounded(bandwidth), percent(ofMemory), rounded(rows), percent(ofL2)];
    console.log(`| ${[one.kind, one.milliseconds.toFixed(2), ...operations, ...moved, limit].join(' | ')} |`);
  }
  console.log(`| all | ${total(Array.from(kinds.values(), (one) => one.milliseconds)).toFixed(1)} ${'| '.repeat(10)}`);
}
