/**
 * A few seconds of measurements of single kernels of the wasm engine: dense-equivalent multiply-accumulates a second at
 * several firing rates. For whoever changes a kernel; comparisons with other engines are elsewhere in this folder.
 *
 * Usage: npm run build, then node bench/engine-smoke.mjs [threads] [case] [precision]
 */
const { createWasmEngine } = await import(
  process.env.ENGINE ?? new URL('../dist/engines/wasm/index.js', import.meta.url).href
);

const threads = Number(process.argv[2] ?? 1);
const only = process.argv[3];
const precision = process.argv[4] ?? 'f32';

const spikeCases = [
  { title: '3×3 192→768 28²', size: 28, channels: [192, 768], kernel: 3 },
  { title: '3×3 768→192 28²', size: 28, channels: [768, 192], kernel: 3 },
  { title: '1×1 1536→384 14²', size: 14, channels: [1536, 384], kernel: 1 },
  { title: '1×1 384→1536 14²', size: 14, channels: [384, 1536], kernel: 1 },
  { title: '3×3 384→384 14²', size: 14, channels: [384, 384], kernel: 3 },
  { title: '3×3 48→192 112²', size: 112, channels: [48, 192], kernel: 3 },
  { title: '3×3 192→48 112²', size: 112, channels: [192, 48], kernel: 3 },
  { title: '3×3 192→24 112²', size: 112, channels: [192, 24], kernel: 3 },
  { title: '3×3 192→4 112²', size: 112, channels: [192, 4], kernel: 3 },
  { title: '7×7 depthwise 96 112²', size: 112, channels: [96, 96], kernel: 7, groups: 96 },
  { title: '7×7 depthwise 384 28²', size: 28, channels: [384, 384], kernel: 7, groups: 384 },
];
const denseCases = [
  { title: 'dense 1×1 192→96 56²', size: 56, channels: [192, 96], kernel: 1 },
  { title: 'dense 1×1 384→384 14²', size: 14, channels: [384, 384], kernel: 1 },
  { title: 'dense 1×1 480→480 14²', size: 14, channels: [480, 480], kernel: 1 },
  { title: 'dense 1×1 512→512 28²', size: 28, channels: [512, 512], kernel: 1 },
  { title: 'dense 7×7 s2 3→48 224²', size: 224, channels: [3, 48], kernel: 7, stride: 2 },
  { title: '3×3 depthwise real 384 16²', size: 16, channels: [384, 384], kernel: 3, groups: 384, padding: 0 },
];

/**
 * The fastest tenth over about half a second: what the kernel does when nobody else disturbs the machine. Every pass has other numbers, or the
 * processor would learn a small layer's branches by heart and the kernel look up to twice as fast as it is.
 */
async function fastest(program, source, values) {
  const rotated = new Float32Array(values.length);
  const times = [];
  const end = performance.now() + 500;
  while (performance.now() < end || times.length < 8) {
    const cut = Math.floor(Math.random() * values.length);
    rotated.set(values.subarray(cut));
    rotated.set(values.subarray(0, cut), values.length - cut);
    await program.write(source, rotated);
    // The first instruction makes the spikes; after it come lists, where they are made apart, and the convolution.
    const [spikes, ...rest] = await program.profile();
    const measured = rest.length > 0 ? rest : [spikes];
    times.push(measured.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 10)];
}

function geometryOf({ size, channels, kernel, stride = 1, groups = 1, padding = (kernel - 1) >> 1 }) {
  const output = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    images: 1,
    inputHeight: size,
    inputWidth: size,
    inputChannels: channels[0],
    outputHeight: output,
    outputWidth: output,
    outputChannels: channels[1],
    kernelHeight: kernel,
    kernelWidth: kernel,
    strideHeight: stride,
    strideWidth: stride,
    paddingHeight: padding,
    paddingWidth: padding,
    groups,
  };
}

async function measure(engine, item, rate) {
  const geometry = geometryOf(item);
  const g = geometry;
  const positions = g.inputHeight * g.inputWidth;
  const outputs = g.outputHeight * g.outputWidth * g.outputChannels;
  const weight = Float32Array.from(
    { length: (g.outputChannels * g.inputChannels * g.kernelHeight * g.kernelWidth) / g.groups },
    () => Math.random() - 0.5,
  );
  const real = (kernels, shape) => ({
    shape,
    storage: 'real',
    byteOffset: 0,
    block: kernels.allocate(4 * shape.reduce((a, b) => a * b)),
  });
  const kernels = engine.record();
  const shape = [1, g.inputHeight, g.inputWidth, g.inputChannels];
  const source = real(kernels, shape);
  let input = source;
  const values = Float32Array.from({ length: positions * g.inputChannels }, () =>
    rate === undefined ? Math.random() - 0.5 : Number(Math.random() < rate),
  );
  if (rate !== undefined) {
    const block = kernels.allocate(positions * Math.ceil(g.inputChannels / 32) * 4);
    input = { shape, storage: 'spikes', byteOffset: 0, block };
    kernels.leakyIntegrateAndFire({
      name: 'spikes',
      timeSteps: 1,
      positions,
      channels: g.inputChannels,
      input: source,
      inputTimeSteps: 1,
      output: input,
      tau: 2,
      threshold: 0.5,
    });
  }
  const output = real(kernels, [1, g.outputHeight, g.outputWidth, g.outputChannels]);
  const told = rate === undefined ? {} : { firingRate: rate };
  kernels.convolution({ name: item.title, geometry, input, output, weight, ...told });
  const program = kernels.finish();
  const milliseconds = await fastest(program, source, values);
  const operations = (outputs * g.inputChannels * g.kernelHeight * g.kernelWidth) / g.groups;
  const label = `${item.title}${rate === undefined ? '' : ` at ${rate * 100} %`}`;
  const speed = operations / milliseconds / 1e6;
  console.log(
    `${label.padEnd(36)} ${milliseconds.toFixed(2).padStart(8)} ms ${speed.toFixed(1).padStart(7)} G/s  ${program.instructions.at(-1).method}`,
  );
  program.dispose();
}

for (const tableBudgetBytes of [undefined, 0]) {
  const engine = await createWasmEngine({
    threads,
    precision,
    ...(tableBudgetBytes === 0 ? { tableBudgetBytes } : {}),
  });
  for (const item of spikeCases) {
    if (only && !item.title.includes(only)) continue;
    if (item.groups && tableBudgetBytes === 0) continue;
    for (const rate of item.groups ? [0.15] : [0.05, 0.15, 0.4]) await measure(engine, item, rate);
  }
  if (tableBudgetBytes === undefined)
    for (const item of denseCases) if (!only || item.title.includes(only)) await measure(engine, item, undefined);
  await engine.dispose();
}
