/**
 * Cross entropy of rows of scores and its gradient (`src/engines/calls/crossEntropy.ts`). Exponentials and logarithms are made here of sums and products alone, so that they
 * are the same bits in every engine and need no table; two exponentials an element are most of the time.
 */
import { claimStart } from './threads';
import { loadLanes, storeLanes } from './vectors';

enum Word {
  scores = 1,
  labels,
  targets,
  numbers,
  gradient,
  losses,
  likeliest,
  rows,
  classes,
}

/** ln 2 in two parts; products of the first with whole numbers up to 2²⁰ are exact. */
const ln2High: f64 = 0.6931471803691238;
const ln2Low: f64 = 1.9082149292705877e-10;

/** sum · x + next, rounded twice. */
// @ts-ignore: decorator
@inline
function horner(sum: v128, x: v128, next: f64): v128 {
  return f64x2.add(f64x2.mul(sum, x), f64x2.splat(next));
}

/**
 * eˣ of two numbers of at most 0, below −708 that of −708: 2ⁿ · e^r with |r| ≤ ½ ln 2, by the first 14 terms of the series, behind which 4·10⁻¹⁸ is left. Added to 1.5 · 2⁵²
 * a number is rounded to a whole one, which stands in the last bits.
 */
// @ts-ignore: decorator
@inline
function exponential(given: v128): v128 {
  const x = f64x2.max(given, f64x2.splat(-708));
  const magic = f64x2.splat(6755399441055744);
  const shifted = f64x2.add(f64x2.mul(x, f64x2.splat(1.4426950408889634)), magic);
  const n = f64x2.sub(shifted, magic);
  const r = f64x2.sub(f64x2.sub(x, f64x2.mul(n, f64x2.splat(ln2High))), f64x2.mul(n, f64x2.splat(ln2Low)));
  let sum = f64x2.splat(1.0 / 6227020800);
  sum = horner(sum, r, 1.0 / 479001600);
  sum = horner(sum, r, 1.0 / 39916800);
  sum = horner(sum, r, 1.0 / 3628800);
  sum = horner(sum, r, 1.0 / 362880);
  sum = horner(sum, r, 1.0 / 40320);
  sum = horner(sum, r, 1.0 / 5040);
  sum = horner(sum, r, 1.0 / 720);
  sum = horner(sum, r, 1.0 / 120);
  sum = horner(sum, r, 1.0 / 24);
  sum = horner(sum, r, 1.0 / 6);
  sum = horner(sum, r, 0.5);
  sum = horner(sum, r, 1);
  sum = horner(sum, r, 1);
  const power = i64x2.add(i64x2.shl(shifted, 52), i64x2.splat(4607182418800017408));
  return f64x2.mul(sum, power);
}

/** ln x of a number of at least 1: n ln 2 + 2 artanh((m − 1)/(m + 1)) with m from √½ to √2, by 12 terms of the series. */
function logarithm(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  let n = <f64>(<i32>(bits >>> 52) - 1023);
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | (<u64>1023 << 52));
  if (m > 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const f = (m - 1) / (m + 1);
  const square = f * f;
  let sum: f64 = 1.0 / 23;
  for (let odd: f64 = 21; odd > 0; odd -= 2) sum = sum * square + 1.0 / odd;
  // What is no number stays none.
  return n * ln2High + (2 * f * sum + n * ln2Low) + (x - x);
}

/** As `loadLanes`, with −∞ in the place of what lies behind the row. */
// @ts-ignore: decorator
@inline
function loadScores(address: usize, lanes: u32): v128 {
  if (lanes >= 4) return v128.load(address);
  const inside = i32x4.gt_s(i32x4.splat(lanes), i32x4(0, 1, 2, 3));
  return v128.bitselect(loadLanes(address, lanes), f32x4.splat(-Infinity), inside);
}

// @ts-ignore: decorator
@inline
function lower(values: v128): v128 {
  return f64x2.promote_low_f32x4(values);
}

// @ts-ignore: decorator
@inline
function upper(values: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
}

/** (0 + 1) + (2 + 3) of four lanes. */
// @ts-ignore: decorator
@inline
function total(low: v128, high: v128): f64 {
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

function largestOf(scores: usize, classes: u32): f32 {
  let most = f32x4.splat(-Infinity);
  for (let k: u32 = 0; k < classes; k += 4) most = f32x4.max(most, loadScores(scores + k * 4, classes - k));
  const firsts = max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  return max<f32>(firsts, max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
}

/** 0 where there is none. */
function firstOf(scores: usize, classes: u32, wanted: f32): u32 {
  for (let k: u32 = 0; k < classes; k += 4) {
    const found = f32x4.eq(loadScores(scores + k * 4, classes - k), f32x4.splat(wanted));
    if (v128.any_true(found)) return min<u32>(k + ctz(i32x4.bitmask(found)), classes - 1);
  }
  return 0;
}

/** ln Σ eᶻ of a row. */
function logNormOf(scores: usize, classes: u32, largest: f64): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let k: u32 = 0; k < classes; k += 4) {
    const z = loadScores(scores + k * 4, classes - k);
    low = f64x2.add(low, exponential(f64x2.sub(lower(z), f64x2.splat(largest))));
    high = f64x2.add(high, exponential(f64x2.sub(upper(z), f64x2.splat(largest))));
  }
  return largest + logarithm(total(low, high));
}

function sumOf(values: usize, classes: u32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let k: u32 = 0; k < classes; k += 4) {
    const four = loadLanes(values + k * 4, classes - k);
    low = f64x2.add(low, lower(four));
    high = f64x2.add(high, upper(four));
  }
  return total(low, high);
}

/** scale · (mass · p − q) of two elements. */
// @ts-ignore: decorator
@inline
function slope(logProbability: v128, q: v128, mass: f64, scale: f64): v128 {
  return f64x2.mul(f64x2.splat(scale), f64x2.sub(f64x2.mul(f64x2.splat(mass), exponential(logProbability)), q));
}

/** q · ln p of two elements, 0 where q is. */
// @ts-ignore: decorator
@inline
function cost(logProbability: v128, q: v128): v128 {
  return v128.and(f64x2.mul(q, logProbability), f64x2.ne(q, f64x2.splat(0)));
}

/** Of a row with the targets in memory, or `off` for every class; returns its loss, which without targets is none. */
function writeGradient(scores: usize, targets: usize, gradient: usize, classes: u32, logNorm: f64, off: f64, scale: f64): f64 {
  const mass = targets != 0 ? sumOf(targets, classes) : 1;
  const norm = f64x2.splat(logNorm);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let k: u32 = 0; k < classes; k += 4) {
    const lanes = classes - k;
    const z = loadScores(scores + k * 4, lanes);
    const lowLog = f64x2.sub(lower(z), norm);
    const highLog = f64x2.sub(upper(z), norm);
    let lowTarget = f64x2.splat(off);
    let highTarget = lowTarget;
    if (targets != 0) {
      const q = loadLanes(targets + k * 4, lanes);
      lowTarget = lower(q);
      highTarget = upper(q);
      low = f64x2.add(low, cost(lowLog, lowTarget));
      high = f64x2.add(high, cost(highLog, highTarget));
    }
    const lowSlope = f32x4.demote_f64x2_zero(slope(lowLog, lowTarget, mass, scale));
    const highSlope = f32x4.demote_f64x2_zero(slope(highLog, highTarget, mass, scale));
    storeLanes(gradient + k * 4, i64x2.shuffle(lowSlope, highSlope, 0, 2), lanes);
  }
  return -total(low, high);
}

/** Tasks are rows. */
export function crossEntropy(instruction: usize, from: u32, until: u32): void {
  const classes = load<u32>(instruction + Word.classes * 4);
  const rows = load<u32>(instruction + Word.rows * 4);
  const rowBytes: usize = <usize>classes * 4;
  const labels: usize = load<u32>(instruction + Word.labels * 4);
  const targets: usize = load<u32>(instruction + Word.targets * 4);
  const numbers: usize = load<u32>(instruction + Word.numbers * 4);
  const losses: usize = load<u32>(instruction + Word.losses * 4);
  const likeliest: usize = load<u32>(instruction + Word.likeliest * 4);
  const scale = load<f64>(numbers);
  const smoothing = load<f64>(numbers, 8);
  const off = smoothing / <f64>classes;
  const last = claimStart(rows, until);
  for (let row = claimStart(rows, from); row < last; row++) {
    const scores: usize = load<u32>(instruction + Word.scores * 4) + row * rowBytes;
    const gradient: usize = load<u32>(instruction + Word.gradient * 4) + row * rowBytes;
    const largest = largestOf(scores, classes);
    store<f32>(likeliest + row * 4, <f32>firstOf(scores, classes, largest));
    if (targets != 0) {
      const logNorm = logNormOf(scores, classes, <f64>largest);
      store<f32>(losses + row * 4, <f32>writeGradient(scores, targets + row * rowBytes, gradient, classes, logNorm, 0, scale));
      continue;
    }
    const given = load<f32>(labels + row * 4);
    const label = given >= 0 && given < <f32>classes ? <u32>given : 0;
    if (<f32>label != given) {
      memory.fill(gradient, 0, rowBytes);
      store<f32>(losses + row * 4, 0);
      continue;
    }
    const logNorm = logNormOf(scores, classes, <f64>largest);
    writeGradient(scores, 0, gradient, classes, logNorm, off, scale);
    const logProbability = <f64>load<f32>(scores + label * 4) - logNorm;
    const peak = f64x2.splat(1 - smoothing + off);
    store<f32>(gradient + label * 4, <f32>f64x2.extract_lane(slope(f64x2.splat(logProbability), peak, 1, scale), 0));
    const spread = off == 0 ? 0 : off * (sumOf(scores, classes) - <f64>classes * logNorm);
    store<f32>(losses + row * 4, <f32>-((1 - smoothing) * logProbability + spread));
  }
}
