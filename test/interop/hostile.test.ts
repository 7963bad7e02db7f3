/** Files made to harm, and files given by mistake: each is refused with a message, quickly, and nothing is executed. */
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../src/interop/errors.js';
import { recogniseCheckpoint } from '../../src/interop/loadParameters.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { readPickle } from '../../src/interop/pickle.js';
import type { PickleLimits } from '../../src/interop/pickleLimits.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { TorchWorld } from '../../src/interop/torchPickle.js';
import { processorSeconds } from '../support/processorTime.js';
import { bytes, joined, pthAround, refusalOf } from './support.js';

const START = bytes(0x80, 2);
const text = (value: string) => bytes('X', value.length, 0, 0, 0, value);
const tuple = (...items: Uint8Array[]) => bytes('(', ...items, 't');
const int = (value: number) => bytes('J', new Uint8Array(Int32Array.of(value).buffer));
const long = (value: bigint) => bytes(0x8a, 8, new Uint8Array(BigInt64Array.of(value).buffer));
const storage = (elements: number, key = '0', type = 'FloatStorage') =>
  bytes(tuple(text('storage'), bytes(`ctorch\n${type}\n`), text(key), text('cpu'), int(elements)), 'Q');
const tensor = (source: Uint8Array, offset: Uint8Array, shape: Uint8Array, stride: Uint8Array) =>
  bytes('ctorch._utils\n_rebuild_tensor_v2\n', tuple(source, offset, shape, stride, bytes(0x89), bytes('}')), 'R');
const stateDict = (value: Uint8Array) => pthAround(bytes(START, '}', text('weight'), value, 's.'));
const good = tensor(storage(6), int(0), tuple(int(2), int(3)), tuple(int(3), int(1)));

describe('a pickle that calls', () => {
  it('is accepted when it calls only what rebuilds tensors (so that the refusals below mean something)', async () => {
    await expect(refusalOf(stateDict(good))).rejects.toThrow('the file was accepted');
  });

  it('is accepted when a tensor of a TPU follows as one of the processor', async () => {
    const device = bytes('ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n', tuple(good, text('xla:0')), 'R');
    const checkpoint = await openCheckpoint(fileFromBytes(stateDict(device), 'tpu.pth'));
    expect(checkpoint.tensors.get('weight')?.shape).toEqual([2, 3]);
  });

  it.each([
    ['os.system by REDUCE', bytes('cposix\nsystem\n', tuple(text('true')), 'R'), 'calls os.system'],
    ['eval by its Python 2 name', bytes('c__builtin__\neval\n', tuple(text('1')), 'R'), 'calls builtins.eval'],
    ['getattr', bytes('cbuiltins\ngetattr\n', tuple(text('1')), 'R'), 'calls builtins.getattr'],
    [
      'getattr to reach a function',
      bytes('cbuiltins\ngetattr\n', tuple(bytes('cos\npath\n'), text('x')), 'R'),
      'os.path.x',
    ],
    ['torch.load, to read another pickle', bytes('ctorch\nload\n)R'), 'calls torch.load'],
    ['a console', bytes('ccode\nInteractiveConsole\n)R'), 'calls code.InteractiveConsole'],
    ['exec', bytes('cbuiltins\nexec\n', tuple(text('1')), 'R'), 'calls builtins.exec'],
    ['pickle.loads', bytes('c_pickle\nloads\n', tuple(text('1')), 'R'), 'calls _pickle.loads'],
    ['runpy by the names on the stack', bytes(text('runpy'), text('run_path'), 0x93, ')R'), 'calls runpy.run_path'],
    ['os.system by INST', bytes('(', text('true'), 'ios\nsystem\n'), 'calls os.system'],
    ['os.system by OBJ', bytes('(cnt\nsystem\n', text('true'), 'o'), 'calls os.system'],
    ['subprocess.Popen by NEWOBJ', bytes('csubprocess\nPopen\n)', 0x81), 'creates subprocess.Popen'],
    ['subprocess.Popen by NEWOBJ_EX', bytes('csubprocess\nPopen\n)}', 0x92), 'creates subprocess.Popen'],
    [
      'copyreg to make a Popen',
      bytes('ccopyreg\n_reconstructor\n', tuple(bytes('csubprocess\nPopen\n')), 'R'),
      'creates subprocess.Popen',
    ],
    [
      'os.system through a tensor of a type',
      bytes(
        'ctorch._tensor\n_rebuild_from_type_v2\n',
        tuple(bytes('cos\nsystem\n'), bytes('N'), tuple(text('true')), bytes('N')),
        'R',
      ),
      'calls os.system',
    ],
  ])('%s is refused by name, even beside good weights', async (_, call, expected) => {
    const pickle = bytes(START, '}', text('model'), '}', text('w'), good, 's', 's', text('args'), call, 's.');
    const message = await refusalOf(pthAround(pickle));
    expect(message).toMatch(/refused: its pickle .*, which a checkpoint of weights never needs/);
    expect(message).toContain(`${expected}, which`);
  });

  const unknown = bytes('cmylab\nConfig\n)', 0x81);
  it.each([
    ['an object of an unknown class', bytes(unknown, '}b')],
    ['a call of a function of an unknown module', bytes('cmylab\nmake\n', tuple(text('x')), 'R')],
    [
      'a method of an object, as schedulers keep theirs',
      bytes('cbuiltins\ngetattr\n', tuple(unknown, text('step')), 'R'),
    ],
    ['a call of what a call returned', bytes('cmylab\nmake\n)R)R')],
    ['a partial function', bytes('cfunctools\npartial\n', tuple(bytes('cmylab\nf\n')), 'R', tuple(text('x')), 'b')],
    ['an unknown dictionary that is filled', bytes(unknown, '(', text('a'), 'K\x01u')],
    ['a buffer that was kept outside the pickle', bytes(0x97, 0x98)],
    ['an integer of 5,000 bits', bytes(0x8b, 113, 2, 0, 0, new Uint8Array(625).fill(7))],
    ['an integer and truth values of protocol 1', bytes('(', 'I01\n', 'I-7\n', 'L1180591620717411303424L\n', 't')],
    ["an object of a person's own module named like one of Python's", bytes('ccode.utils\nConfig\n)R')],
    [
      'a kind of a parameter',
      bytes('cbuiltins\ngetattr\n', tuple(bytes('cinspect\n_ParameterKind\n'), text('VAR')), 'R'),
    ],
    ['a version', bytes('cdistutils.version\nLooseVersion\n)R')],
    ['a tensor of an unknown kind', bytes('ctorch._utils\n_rebuild_sparse_tensor\n)R')],
  ])('that is %s beside the weights is passed over', async (_, value) => {
    const pickle = bytes(START, '}', text('model'), '}', text('w'), good, 's', 's', text('args'), value, 's.');
    await expect(refusalOf(pthAround(pickle))).rejects.toThrow('the file was accepted');
  });
});

describe('a tensor that lies about itself', () => {
  const shape = tuple(int(2), int(3));
  const strides = tuple(int(3), int(1));

  it.each([
    ['reaches beyond its storage', tensor(storage(6), int(1), shape, strides), 'reaches beyond its storage'],
    [
      'has strides that overflow',
      tensor(storage(6), int(0), shape, tuple(long(2n ** 62n), int(1))),
      'arguments that torch.save never writes',
    ],
    [
      'has sizes whose product overflows',
      tensor(storage(6), int(0), tuple(long(2n ** 52n), long(2n ** 52n)), tuple(long(2n ** 52n), long(2n ** 52n))),
      'reaches beyond its storage',
    ],
    [
      'has a negative stride',
      tensor(storage(6), int(5), shape, tuple(int(-3), int(1))),
      'arguments that torch.save never writes',
    ],
    ['has a negative offset', tensor(storage(6), int(-1), shape, strides), 'arguments that torch.save never writes'],
    [
      'has fewer strides than sizes',
      tensor(storage(6), int(0), shape, tuple(int(1))),
      'arguments that torch.save never writes',
    ],
    [
      'repeats one element a billion times',
      tensor(storage(6), int(0), tuple(int(1e9)), tuple(int(0))),
      'repeats a storage of 6 elements',
    ],
    [
      'claims a larger storage than there is',
      tensor(storage(1000), int(0), shape, strides),
      'storage 0 has 24 bytes instead of 4000',
    ],
    [
      'names a storage that is not there',
      tensor(storage(6, '../version'), int(0), shape, strides),
      'storage ../version is missing',
    ],
    [
      'has an element type nobody knows',
      tensor(storage(6, '0', 'ComplexFloatStorage'), int(0), shape, strides),
      'stored as ComplexFloatStorage',
    ],
  ])('is refused when it %s', async (_, value, expected) => {
    expect(await refusalOf(stateDict(value))).toContain(expected);
  });

  it('is refused when thousands of tensors share one storage to exhaust memory', async () => {
    const elements = 100_000;
    const big = tensor(storage(elements), int(0), tuple(int(elements)), tuple(int(1)));
    const entries = Array.from({ length: 2000 }, (_, index) => bytes(text(`w${index}`), 'h', 0));
    const pickle = bytes(START, big, 'q', 0, '0}(', ...entries, 'u.');
    expect(await refusalOf(pthAround(pickle, { 'data/0': new Uint8Array(4 * elements) }))).toContain(
      'far more than the file',
    );
  });
});

describe('time for hostile files', () => {
  const seconds = (content: Uint8Array) => processorSeconds(() => refusalOf(content, 'file'));
  /** An integer of 11 bytes whose low 8 are the same for all: one slot of a hash table. */
  const colliding = (index: number) => bytes(0x8a, 11, 1, 2, 3, 4, 5, 6, 7, 8, index & 255, (index >> 8) & 255, 0, 'N');

  it('is linear in the number of integer keys that collide', async () => {
    const keys = Array.from({ length: 60 }, (_, block) =>
      joined(
        ['(', ...Array.from({ length: 1000 }, (_, index) => colliding(1000 * block + index)), 'u'].map((part) =>
          bytes(part),
        ),
      ),
    );
    expect(await seconds(pthAround(joined([START, bytes('}'), ...keys, bytes('.')])))).toBeLessThan(8);
  }, 60_000);

  it('is linear in the number of blocks', async () => {
    const header: Record<string, object> = {};
    const add = (name: string, shape: number[]) => {
      header[name] = { dtype: 'F32', shape, data_offsets: [0, 0] };
    };
    add('downsample1_1.encode_conv.weight', [0, 3, 7, 7]);
    for (const stage of ['1_2', '2', '3', '4']) add(`downsample${stage}.encode_conv.weight`, [0]);
    for (let index = 0; index < 30_000; index++) add(`block3.${index}.`, [0]);
    const json = new TextEncoder().encode(JSON.stringify(header));
    const content = joined([new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer), json]);
    const checkpoint = await openCheckpoint(fileFromBytes(content));
    const taken = await processorSeconds(() => expect(() => recogniseCheckpoint(checkpoint)).toThrow(CheckpointError));
    expect(taken).toBeLessThan(8);
  }, 60_000);

  it('does not grow with the copies of a list that a pickle asks for', async () => {
    const list = bytes('](', ...Array.from({ length: 1000 }, () => bytes('K\x01K\x02', 0x86)), 'eq', 0, '0');
    const copy = bytes('ccollections\nOrderedDict\nh', 0, 0x85, 'R0');
    const message = await refusalOf(
      pthAround(joined([START, list, ...new Array<Uint8Array>(2000).fill(copy), bytes('N.')])),
    );
    expect(message).toContain('copies more than 1000000 entries');
  });

  it('is not spent on a place in the memo that no writer uses', async () => {
    expect(await refusalOf(pthAround(bytes(START, 'Nr', 255, 255, 255, 255, '.')))).toContain('remembered values');
  });
});

describe('the pickle machine', () => {
  const run = (pickle: Uint8Array, limits?: PickleLimits) => readPickle(pickle, 'f', new TorchWorld('f'), 0, limits);

  it('does not expand a list of lists of lists (a billion laughs)', () => {
    const levels = Array.from({ length: 200 }, (_, level) =>
      bytes('](', ...Array(9).fill(bytes('h', level)), 'e', 'q', level + 1),
    );
    expect(run(bytes(START, ']q', 0, ...levels, '.'))).toBeDefined();
  });

  it('reads ten thousand nested tuples without recursion', () => {
    expect(run(bytes(START, ')', new Uint8Array(10_000).fill(0x85), '.'))).toBeDefined();
  });

  it.each([
    ['operations', 'N0N0N0N0N0N0N0N0.', /more than 10 operations/],
    ['values on its stack', 'NNNNNNN.', /more than 4 values on its stack/],
    ['remembered values', 'Nq\0q\x01q\x02.', /more than 2 remembered values/],
    ['marks', '(((((((.', /more than 4 marks/],
    ['containers', ']0]0]0]0]0.', /more than 3 containers/],
  ])('refuses more %s than its limit', (_, pickle, expected) => {
    expect(() => run(bytes(START, pickle), { operations: 10, stack: 4, memo: 2, containers: 3 })).toThrow(expected);
  });

  it.each([
    ['takes from an empty stack', '0.'],
    ['takes a tuple without a mark', 't.'],
    ['takes a value from below a mark', 'N(\x85.'],
    ['recalls what it never stored', 'h\x07.'],
    ['calls a number', 'K\x01)R.'],
    ['appends to a number', 'K\x01K\x01a.'],
    ['sets attributes of a text', 'X\0\0\0\0}b.'],
    ['uses an extension code', '\x82\x01.'],
    ['uses a text instruction of protocol 0', 'Va\n.'],
    ['has an integer of protocol 1 that is none', 'I1x\n.'],
    ['has a dictionary key without a value', '}(Nu.'],
    ['names a class by a number', 'K\x01K\x02\x93.'],
    ['is of protocol 9', '\x80\x09N.'],
    ['has an integer of two gigabytes', '\x8b\xff\xff\xff\x7f.'],
    ['has a text of impossible length', '\x8d\xff\xff\xff\xff\xff\xff\xff\xff.'],
  ])('calls a pickle that %s damaged', (_, pickle) => {
    expect(() => run(bytes(START, pickle))).toThrow(/^f: damaged: its pickle /);
  });

  it('waits for more bytes when a pickle ends early', () => {
    expect(run(bytes(START, 'X\xff\0\0\0abc'))).toBeUndefined();
    expect(run(bytes(START, 'N'))).toBeUndefined();
  });
});

describe('an archive', () => {
  const whole = stateDict(good);

  it('with byte order big is refused', async () => {
    const file = pthAround(bytes(START, '}.'), { byteorder: bytes('big') });
    expect(await refusalOf(file)).toContain('was saved with byte order "big"');
  });

  it('with a flipped bit in a tensor is refused by its checksum', async () => {
    const damaged = whole.slice();
    const data = dataOffset(damaged, 'x/data/0');
    damaged[data + 3]! ^= 1;
    expect(await refusalOf(damaged)).toContain('the checksum of its entry x/data/0 is wrong');
  });

  it('with a compressed record is refused', async () => {
    const file = whole.slice();
    for (let at = 0; at < file.length; at++) if (signatureAt(file, at) === 'PK\x01\x02') file[at + 10] = 8;
    expect(await refusalOf(file)).toContain('is compressed; PyTorch stores tensors uncompressed');
  });

  it('of something else is called a zip archive but not a checkpoint', async () => {
    const file = pthAround(bytes(START, '}.'));
    const renamed = Uint8Array.from(
      Buffer.from(Buffer.from(file).toString('latin1').replaceAll('data.pkl', 'data.txt'), 'latin1'),
    );
    expect(await refusalOf(renamed)).toContain('is a zip archive but not a PyTorch checkpoint');
  });

  it('cut anywhere is refused', async () => {
    for (let length = 0; length < whole.length; length += 7) await refusalOf(whole.slice(0, length));
  });
});

function signatureAt(file: Uint8Array, at: number): string {
  return String.fromCharCode(...file.subarray(at, at + 4));
}

/** Of the record with this name, by its local header. */
function dataOffset(file: Uint8Array, name: string): number {
  const header = Buffer.from(file).indexOf(name) - 30;
  const view = new DataView(file.buffer);
  return header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
}

describe('a file given by mistake', () => {
  const padded = (...parts: (number | string)[]) => bytes(...parts, ' '.repeat(300));

  it.each([
    ['nothing', bytes(), 'is empty (0 bytes)'],
    [
      'an HTML page',
      bytes('\n<!DOCTYPE html><title>Sign in</title>'),
      'looks like an HTML page: the download probably failed',
    ],
    ['a Git LFS pointer', bytes('version https://git-lfs.github.com/spec/v1\n'), 'is a Git LFS pointer'],
    ['a PNG image', padded(0x89, 'PNG\r\n\x1a\n'), 'is a PNG image, not a checkpoint'],
    ['a JPEG image', padded(0xff, 0xd8, 0xff, 0xe0), 'is a JPEG image, not a checkpoint'],
    ['a gzip archive', padded(0x1f, 0x8b, 8), 'is a gzip archive; unpack it'],
    ['a tar archive', bytes('a'.repeat(257), 'ustar'), 'is a tar archive; unpack it'],
    ['an HDF5 file', padded(0x89, 'HDF\r\n'), 'is an HDF5 file'],
    ['a JSON text', bytes('{"embed_dim": 3}'), 'is a JSON text'],
    ['zeros', new Uint8Array(4096), 'begins with zeros only'],
    ['a text', bytes('weights go here'), 'is not a checkpoint'],
    ['a pickle of something else', bytes(START, 'K\x01.'), 'is a Python pickle but was not written by torch.save'],
  ])('such as %s is refused for what it is', async (_, content, expected) => {
    expect(await refusalOf(content)).toContain(expected);
  });
});
