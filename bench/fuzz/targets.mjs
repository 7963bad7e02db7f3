// @ts-check
/**
 * What is fuzzed: every parser of bytes or text from outside, with seeds from the test fixtures. A target may refuse an input with an error
 * of ours and must do nothing else: no other error, no crash, no hang, no memory beyond what the input is worth.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { encodeZip } from '../../dist/interop/zipWriter.js';
import { fileKinds, madeEvents } from '../eventFiles.mjs';
import { mutateBytes, mutateJson } from './mutators.mjs';
import { repairPng, repairTar, repairZip } from './repairs.mjs';

/** @typedef {import('./random.mjs').Random} Random */

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {() => readonly Buffer[] | Promise<readonly Buffer[]>} seeds
 * @property {(random: Random, bytes: Buffer, other: Buffer) => Buffer} mutate
 * @property {() => Promise<(bytes: Buffer) => unknown>} open loads the parser and gives what runs one input
 */

const repository = fileURLToPath(new URL('../..', import.meta.url));
const fixtures = join(repository, 'test', 'fixtures');

/** @param {readonly string[]} parts */
const fixture = (...parts) => readFileSync(join(fixtures, ...parts));

/** Small fixtures of a folder, of any depth. @param {string} folder @param {RegExp} pattern @param {number} most bytes */
function fixturesIn(folder, pattern, most = 300_000) {
  return readdirSync(join(fixtures, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
    .filter(({ length }) => length <= most);
}

/** @param {(bytes: Buffer) => Buffer} repair @returns {Target['mutate']} */
const repaired = (repair) => (random, bytes, other) => {
  const damaged = mutateBytes(random, bytes, other);
  return random.chance(0.8) ? repair(damaged) : damaged;
};

async function checkpointReader() {
  const { openCheckpoint } = await import('../../dist/interop/openCheckpoint.js');
  const { fileFromBytes } = await import('../../dist/interop/randomAccessFile.js');
  return async (/** @type {Buffer} */ bytes) => {
    const checkpoint = await openCheckpoint(fileFromBytes(bytes, 'input'));
    for (const tensor of checkpoint.tensors.values()) await tensor.readBytes();
  };
}

async function galleries() {
  const { binaryGallery, galleryParts } = await import('../../dist/search/gallery.js');
  /** @type {import('../../dist/search/gallery.js').FloatGallery} */
  const gallery = {
    kind: 'float',
    dimensions: 8,
    descriptors: Float32Array.from({ length: 24 }, (_, i) => (i % 7) - 3),
    names: ['drone/1.jpg', 'Münster.png', 'c'],
    model: `sha256:${'a'.repeat(64)}`,
  };
  return [gallery, binaryGallery(gallery)].map((one) => Buffer.concat(galleryParts(one)));
}

async function recordingReader() {
  const { sourceFromBytes } = await import('../../dist/data/events/byteSource.js');
  const { openEvents } = await import('../../dist/data/events/openEvents.js');
  return async (/** @type {Buffer} */ bytes) => {
    for await (const _ of (await openEvents(sourceFromBytes(bytes, 'input.csv'))).chunks());
  };
}

/** @param {string} name */
const recipe = (name) => readFileSync(join(repository, 'recipes', name));

/** @type {readonly Target[]} */
export const targets = [
  {
    name: 'pth',
    seeds: () => fixturesIn('formats/tiny', /\.pth$/),
    mutate: repaired(repairZip),
    open: checkpointReader,
  },
  {
    name: 'pickle',
    // The pickle alone, in an archive that is whole.
    seeds: () => ['trainer.pth', 'protocol4.pth', 'zip.pth'].map((name) => pickleOf(fixture('formats', 'tiny', name))),
    mutate: mutateBytes,
    open: async () => {
      const read = await checkpointReader();
      const storages = [24, 24, 14].map((bytes) => new Uint8Array(bytes));
      return (bytes) => {
        const records = [{ name: 'x/data.pkl', content: new Uint8Array(bytes) }];
        for (const [i, content] of storages.entries()) records.push({ name: `x/data/${i}`, content });
        return read(Buffer.concat(encodeZip(records)));
      };
    },
  },
  {
    name: 'safetensors',
    seeds: () =>
      fixturesIn('.', /^(lif|sdsa|convolutions|expected)\.safetensors$/, 2_000_000).map((file) =>
        file.subarray(0, 60_000),
      ),
    mutate: (random, bytes, other) => mutateHeader(random, bytes, other),
    open: checkpointReader,
  },
  {
    name: 'gallery',
    seeds: galleries,
    // The header says sizes, what follows names and where they end.
    mutate: (random, bytes, other) =>
      random.chance(0.5) ? mutateHeader(random, bytes, other) : mutateBytes(random, bytes, other),
    open: async () => {
      const { openGallery } = await import('../../dist/search/gallery.js');
      const { fileFromBytes } = await import('../../dist/interop/randomAccessFile.js');
      return (bytes) => openGallery(fileFromBytes(bytes, 'input'));
    },
  },
  {
    name: 'recipe',
    seeds: () => ['cifar10.json', 'fashion-mnist.json', 'imagenet-t4-distillation.json'].map(recipe),
    mutate: mutateJson,
    open: async () => {
      const { parseRecipe, withSettings } = await import('../../dist/training/recipe.js');
      return (bytes) => parseRecipe(withSettings(parsedJson(bytes), []), 'input');
    },
  },
  {
    name: 'settings',
    seeds: () =>
      ['epochs=3', 'model.embedDim=[8,16,16,16]', 'data.preprocessing.crop=[32,32]', 'loss.labelSmoothing=0.1'].map(
        (text) => Buffer.from(text),
      ),
    mutate: mutateBytes,
    open: async () => {
      const { parseRecipe, withSettings } = await import('../../dist/training/recipe.js');
      const base = JSON.parse(recipe('cifar10.json').toString('utf8'));
      return (bytes) => parseRecipe(withSettings(base, bytes.toString('utf8').split('\n')), 'input');
    },
  },
  {
    name: 'energy constants',
    seeds: () => [
      Buffer.from('{"name":"x","add":1e-13,"multiplyAccumulate":4.6e-12,"memory":{"read":1e-12,"write":1e-12}}'),
    ],
    mutate: mutateJson,
    open: async () => {
      const { parseEnergyConstants } = await import('../../dist/energy/constants.js');
      return (bytes) => parseEnergyConstants(parsedJson(bytes), 'input');
    },
  },
  {
    name: 'tar',
    seeds: () => [
      tarOf(['train/a/1.jpg', 'train/b/2.jpg', 'test/a/3.png']),
      tarOf([`${'x/'.repeat(40)}train/a/1.jpg`]),
    ],
    mutate: repaired(repairTar),
    open: async () => {
      const { readerOf } = await import('../../dist/data/datasets/byteReader.js');
      const { readTar } = await import('../../dist/data/datasets/tar.js');
      return async (bytes) => {
        const chunks = (async function* () {
          yield bytes;
        })();
        for await (const _ of readTar(readerOf(chunks, 'input'), () => true));
      };
    },
  },
  {
    name: 'events',
    seeds: () => [...recordings(), ...fixturesIn('events', /\.(lz4|zst)$/)],
    mutate: mutateBytes,
    open: async () => {
      const { sourceFromBytes } = await import('../../dist/data/events/byteSource.js');
      const { openEvents } = await import('../../dist/data/events/openEvents.js');
      const { packedPacket } = await import('../eventFiles.mjs');
      return async (bytes) => {
        // Frames without a recording go into one.
        const isFrame = [0x184d2204, 0xfd2fb528].includes(bytes.length > 3 ? bytes.readUInt32LE(0) : 0);
        const source = sourceFromBytes(isFrame ? packedPacket(bytes) : bytes, 'input.bin');
        for await (const _ of (await openEvents(source)).chunks());
      };
    },
  },
  {
    name: 'event tables',
    seeds: () => [
      ...fixturesIn('events', /\.np[yz]$/),
      ...['t,x,y,p\n5,1,2,1\n9,3,4,0\n', '# x y\n240 180\n0.25 1 2 1\n1e0 3 4 -1\n'].map((text) => Buffer.from(text)),
    ],
    mutate: repaired((bytes) => (bytes.toString('latin1', 0, 2) === 'PK' ? repairZip(bytes) : bytes)),
    open: recordingReader,
  },
  {
    name: 'hdf5',
    seeds: () => fixturesIn('events', /\.h5$/),
    mutate: mutateBytes,
    open: recordingReader,
  },
  {
    name: 'skeletons',
    seeds: skeletonFiles,
    mutate: mutateBytes,
    open: async () => {
      const { parseSkeletons } = await import('../../dist/data/skeletons/readSkeleton.js');
      const { preparationNames, sequenceOf } = await import('../../dist/data/skeletons/preparations.js');
      return (bytes) => {
        const sample = parseSkeletons(bytes, 'input');
        for (const name of preparationNames) sequenceOf(sample, name);
      };
    },
  },
  {
    name: 'skeleton arrays',
    seeds: () => fixturesIn('skeletons', /\.npz$/),
    mutate: repaired(repairZip),
    open: async () => {
      const { sourceFromBytes } = await import('../../dist/data/events/byteSource.js');
      const { ntuArraysOf } = await import('../../dist/data/skeletons/ntuArrays.js');
      return (bytes) => ntuArraysOf(sourceFromBytes(bytes, 'input.npz'), 'train');
    },
  },
  {
    name: 'coco',
    seeds: () => [Buffer.from(JSON.stringify(cocoFile()))],
    mutate: mutateJson,
    open: async () => {
      const { parseCoco } = await import('../../dist/data/annotations/cocoJson.js');
      const { maskOfObject } = await import('../../dist/data/annotations/annotations.js');
      return (bytes) => {
        const { images } = parseCoco(parsedJson(bytes), 'input', [], () => true);
        // Damaged files declare pictures of any size; filling large ones finds nothing.
        for (const image of images.filter(({ width, height }) => width * height <= 2 ** 20))
          for (const object of image.objects) maskOfObject(object, image);
      };
    },
  },
  {
    name: 'runs of a mask',
    seeds: () => ['616', '0;2', '09', '52203'].map((text) => Buffer.from(text)),
    mutate: mutateBytes,
    open: async () => {
      const { maskBox, maskFromText, pixelsOfMask, textOfMask } = await import('../../dist/data/masks/runLength.js');
      return (bytes) => {
        const mask = maskFromText(bytes.toString('latin1'), { width: 1 + (bytes.length % 5), height: 13 });
        const again = maskFromText(textOfMask(mask), mask);
        if (maskBox(again).join() !== maskBox(mask).join() || pixelsOfMask(mask).length !== mask.width * 13)
          throw new Error('a mask is not what it was written as');
      };
    },
  },
  {
    name: 'annotation xml',
    seeds: () => [Buffer.from(vocFile)],
    mutate: mutateBytes,
    open: async () => {
      const { openVoc, parseVoc, vocSize } = await import('../../dist/data/annotations/vocXml.js');
      return (bytes) => {
        const root = openVoc(bytes.toString('utf8'), 'input');
        parseVoc(root, 'input', vocSize(root) ?? { width: 9, height: 9 }, []);
      };
    },
  },
  {
    name: 'yolo',
    seeds: () =>
      ['0 0.5 0.5 0.4 0.25\n1 .1 .1 .5 .1 .5 .6\n', "names: [a, 'b, c']\n", 'names:\n  0: a\n  1: b\nnc: 2\n'].map(
        (text) => Buffer.from(text),
      ),
    mutate: mutateBytes,
    open: async () => {
      const { parseYolo } = await import('../../dist/data/annotations/yoloText.js');
      const { parseYoloNames } = await import('../../dist/data/annotations/yoloNames.js');
      return (bytes) => {
        const text = bytes.toString('utf8');
        parseYolo(text, 'input', { width: 40, height: 30 }, 2, []);
        parseYoloNames(text, text.includes('names') ? 'data.yaml' : 'classes.txt');
      };
    },
  },
  {
    name: 'image',
    seeds: async () => [...fixturesIn('preprocess', /\.(jpe?g|png)$/i, 40_000), ...(await otherFormats())],
    mutate: (random, bytes, other) => {
      const damaged = mutateBytes(random, bytes, other);
      return damaged.toString('latin1', 1, 4) === 'PNG' && random.chance(0.8) ? repairPng(damaged) : damaged;
    },
    open: async () => {
      const { decodeImage } = await import('../../dist/data/decode.js');
      const { setMemoryBudget } = await import('../../dist/data/memoryBudget.js');
      // Damaged headers declare pictures of any size; seconds spent on large ones find nothing.
      setMemoryBudget(32 * 2 ** 20);
      return (bytes) => decodeImage(bytes, 'input');
    },
  },
  {
    name: 'mask',
    seeds: maskFiles,
    mutate: repaired(repairPng),
    open: async () => {
      const { setMemoryBudget } = await import('../../dist/data/memoryBudget.js');
      const { readPixelNumbers } = await import('../../dist/data/pngIndices.js');
      setMemoryBudget(32 * 2 ** 20);
      return (bytes) => readPixelNumbers(bytes, 'input');
    },
  },
];

/** Grey values and palette indices of all depths, in rows and interlaced. */
async function maskFiles() {
  const raw = { width: 23, height: 17, channels: /** @type {const} */ (1) };
  const shades = (/** @type {number} */ count) =>
    Buffer.from(Array.from({ length: 23 * 17 }, (_, i) => ((i >> 3) % count) * Math.floor(255 / (count - 1))));
  const files = [];
  for (const progressive of [false, true]) {
    files.push(await sharp(shades(200), { raw }).toColourspace('b-w').png({ progressive }).toBuffer());
    for (const colours of [2, 4, 16, 200])
      files.push(await sharp(shades(colours), { raw }).png({ palette: true, colours, progressive }).toBuffer());
  }
  return files;
}

/** A small recording of every binary format; AEDAT 4 with Zstandard needs a program that may not be there. */
function recordings() {
  const kinds = Object.entries(fileKinds).filter(([name]) => name !== 'aedat4-zstd');
  return kinds.map(([, { sensor, header, body }]) => Buffer.concat([header(), body(madeEvents(150, sensor), 1000)]));
}

/** Short sequences of NW-UCLA and NTU RGB+D, of one body and of two. */
function skeletonFiles() {
  const places = (/** @type {number} */ joints) => Array.from({ length: joints }, (_, j) => [j / 10, 1 - j / 20, 2]);
  const rest = '1 1 1 1 1 0 0 0 1';
  const body = (/** @type {number} */ id) => [
    `${id} ${rest}`,
    25,
    ...places(25).map((xyz) => `${xyz.join(' ')} ${rest}`),
  ];
  const text = (/** @type {number} */ frames, /** @type {readonly number[]} */ ids) =>
    [frames, ...Array.from({ length: frames }, () => [ids.length, ...ids.flatMap(body)]).flat()].join('\n');
  return [JSON.stringify({ skeletons: [places(20), places(20)] }), text(2, [1]), text(12, [1, 2]), text(1, [])].map(
    (content) => Buffer.from(content),
  );
}

/** One picture with a mask of each kind. */
function cocoFile() {
  const common = { image_id: 1, category_id: 3, bbox: [1, 1, 4, 4], area: 16, iscrowd: 0 };
  const runs = (/** @type {unknown} */ counts) => ({ size: [8, 10], counts });
  const shapes = [[[1, 1, 5, 1, 5, 5, 1, 5]], [], runs([0, 8, 72]), runs('08X2')];
  return {
    images: [{ id: 1, file_name: 'a.png', width: 10, height: 8 }],
    categories: [{ id: 3, name: 'cat' }],
    annotations: shapes.map((segmentation, id) => ({ id, ...common, segmentation })),
  };
}

const vocFile = `<?xml version="1.0"?><annotation a="b"><!-- c --><filename>a.png</filename>
<size><width>10</width><height>8</height></size><object><name>a &amp; b</name><difficult>0</difficult>
<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>5</xmax><ymax>8</ymax></bndbox></object></annotation>`;

/** What a program that reads JSON files does with text that is none. @param {Buffer} bytes */
function parsedJson(bytes) {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The header of a safetensors file as a tree, the length in front of it right again. @type {Target['mutate']} */
function mutateHeader(random, bytes, other) {
  if (random.chance(0.3) || bytes.length < 9) return mutateBytes(random, bytes, other);
  const length = Math.min(Number(bytes.readBigUInt64LE(0)), bytes.length - 8);
  const header = mutateJson(random, bytes.subarray(8, 8 + length), other);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, bytes.subarray(8 + length)]);
}

/** The first record of an archive that torch wrote: it begins at byte 64 and ends where another one begins. @param {Buffer} file */
function pickleOf(file) {
  const ends = ['PK\x07\x08', 'PK\x03\x04'].map((mark) => file.indexOf(mark, 64, 'latin1')).filter((at) => at > 0);
  return file.subarray(64, Math.min(...ends));
}

/** @param {readonly string[]} names */
function tarOf(names) {
  const blocks = names.flatMap((name) => {
    const header = Buffer.alloc(512);
    header.write(name.slice(0, 100), 0);
    header.write('0000644\0', 100);
    header.write('00000000012\0', 124);
    header.write('0ustar\0', 156, 'latin1');
    return [repairTar(header), Buffer.alloc(512, 7)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Formats that no fixture has. */
async function otherFormats() {
  const picture = sharp({ create: { width: 16, height: 12, channels: 3, background: { r: 200, g: 90, b: 30 } } });
  const tiffs = /** @type {const} */ (['none', 'lzw', 'jpeg', 'deflate', 'packbits']).map((compression) =>
    picture.clone().tiff({ compression }).toBuffer(),
  );
  return Promise.all([...tiffs, picture.clone().webp().toBuffer(), picture.clone().gif().toBuffer()]);
}
