/** The text format of NTU RGB+D: what is read, and what is said about files that are damaged or made to harm. */
import { describe, expect, it } from 'vitest';
import { mostNtuBytes, parseNtuText } from '../../../src/data/skeletons/ntuText.js';
import { ntuText, placesOf } from '../../support/ntuRecordings.js';

const parse = (text: string) => parseNtuText(new TextEncoder().encode(text), 'S001C001P001R001A001.skeleton');
const one = { at: [0.1, -0.2, 3] } as const;
const other = { id: '72057594037931102', at: [1, 0, 2.5] } as const;

describe('recordings of NTU RGB+D as text', () => {
  it.each(['\n', '\r\n'])('has ids and places as they are written, lines ended by %j', (newline) => {
    const { name, joints, frames } = parse(ntuText([[], [one], [other, one]], newline));
    expect({ name, joints }).toEqual({ name: 'S001C001P001R001A001.skeleton', joints: 25 });
    expect(frames.map((bodies) => bodies.map(({ id }) => id))).toEqual([
      [],
      ['72057594037931101'],
      ['72057594037931102', '72057594037931101'],
    ]);
    expect([...frames[2]![0]!.joints]).toEqual(placesOf(other).flat());
  });

  it('does not need a newline at the end, and passes over blank lines there', () => {
    const text = ntuText([[one]]);
    expect(parse(text.trimEnd()).frames).toHaveLength(1);
    expect(parse(`${text}\n \r\n`).frames).toHaveLength(1);
  });

  it('reads exponents and many digits as JavaScript does', () => {
    const text = ntuText([[one]]).replace(/0\.1 -0\.2 3 /, '-1.25e-3 0.12345678901234567890 3e0 ');
    expect([...parse(text).frames[0]![0]!.joints.subarray(0, 3)]).toEqual([-0.00125, 0.12345678901234568, 3]);
  });
});

describe('files that are no recordings', () => {
  const whole = ntuText([[one], [one, other]]);
  const lineOf = (number: number, text: string) =>
    whole
      .split('\n')
      .map((line, i) => (i === number - 1 ? text : line))
      .join('\n');

  it.each([
    ['an empty file', '', /A001\.skeleton: is empty; download it again/],
    ['blanks', ' \n\r\n', /is empty/],
    ['no frames', '0\n', /line 1: says that it has 0 frames; leave it out/],
    ['words', 'hello\n1\n', /line 1: expected the number of frames, found "hello"/],
    ['a negative count', '-3\n', /line 1: expected the number of frames, found "-3"/],
    ['a fraction of frames', '1.5\n1\n', /line 1: expected the number of frames, found "1.5"/],
    [
      'more frames than any recording',
      '999999999999\n0\n',
      /line 1: says 999999999999 frames, of which a recording has at most 36000/,
    ],
    ['more digits than a number holds', `${'9'.repeat(400)}\n`, /line 1: expected the number of frames, found "9999/],
    [
      'more frames than there is room for',
      '30000\n0\n0\n',
      /line 1: says 30000 frames, for which the file is too short/,
    ],
    [
      'more bodies than any frame',
      lineOf(2, '1000000'),
      /line 2: says 1000000 bodies, of which a recording has at most 16/,
    ],
    [
      'more bodies than there is room for',
      '1\n16\n1 0 1 0 1 1 0 0 0 2\n25\n',
      /line 2: says 16 bodies, for which the file is too short/,
    ],
    ['an id that is none', lineOf(3, 'x 0 1 0 1 1 0 0.1 0.1 2'), /line 3: expected the id of a body, found "x"/],
    ['a body of too few numbers', lineOf(3, '1 0 1 0'), /line 3: expected a body’s id and 9 numbers, found 4 of 10/],
    ['another sensor', lineOf(4, '20'), /line 4: says 20 joints; this sensor has 25/],
    [
      'a joint of too few numbers',
      lineOf(5, '0.1 0.2 0.3'),
      /line 5: expected the 12 numbers of a joint, found 3 of 12; download/,
    ],
    [
      'a joint of too many numbers',
      lineOf(6, '1 2 3 4 5 6 7 8 9 10 11 12 13'),
      /line 6: expected the 12 numbers of a joint, found 13 of 12/,
    ],
    [
      'a word for a number',
      lineOf(5, '0.1 abc 0.3 4 5 6 7 8 9 10 11 12'),
      /line 5: expected x, y and z of a joint, found "abc"/,
    ],
    [
      'not a number',
      lineOf(5, '0.1 nan 0.3 4 5 6 7 8 9 10 11 12'),
      /line 5: expected x, y and z of a joint, found "nan"/,
    ],
    [
      'infinity',
      lineOf(5, '0.1 0.2 1e999 4 5 6 7 8 9 10 11 12'),
      /line 5: expected x, y and z of a joint, found "1e999"/,
    ],
    [
      'a line without an end',
      lineOf(5, '1 '.repeat(100_000)),
      /line 5: expected the 12 numbers of a joint, found 100000 of 12/,
    ],
    [
      'an end in a joint',
      whole.slice(0, 1900),
      /line \d+: expected the 12 numbers of a joint, found \d+ of 12 where the file ends/,
    ],
    ['more after the last frame', `${whole}0\n`, /goes on after the last of its 2 frames/],
    ['bytes that are no text', '\u0000\u0001\ufffd', /line 1: expected the number of frames, found/],
  ])('says in one line what is wrong with %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
    try {
      parse(text);
    } catch (error) {
      expect(error).toMatchObject({ name: 'DataError' });
      expect((error as Error).message).toMatch(/^S001C001P001R001A001\.skeleton: [^\n]{1,250}$/);
    }
  });

  it('refuses every file that was cut off, wherever', () => {
    for (let length = 0; length < whole.length - 30; length += 7) expect(() => parse(whole.slice(0, length))).toThrow();
  });

  it('refuses files that are larger than any recording without reading them', () => {
    expect(() => parseNtuText({ length: mostNtuBytes + 1 } as Uint8Array, 'large.skeleton')).toThrow(
      /large\.skeleton: has 67108865 bytes; no recording of NTU RGB\+D is longer/,
    );
  });
});
