/** XML as annotation tools write it, and as attackers do. What is right is the specification's: https://www.w3.org/TR/xml/. */
import { describe, expect, it } from 'vitest';
import { childOf, parseXml } from '../../../src/data/annotations/xml.js';
import { DataError } from '../../../src/data/errors.js';

const parse = (text: string) => parseXml(text, 'a.xml');

describe('XML', () => {
  it('is elements with text; attributes, comments and the declaration are passed over', () => {
    const root = parse(
      `\ufeff<?xml version="1.0" encoding="UTF-8"?>\r\n<!-- a - comment -- > <b> --><a b="1 0" c = 'x'>\n <d>  one\ntwo </d><e/>tail<f ></f ></a>\n`,
    );
    expect(root).toEqual({
      name: 'a',
      text: 'tail',
      children: [
        { name: 'd', text: 'one\ntwo', children: [] },
        { name: 'e', text: '', children: [] },
        { name: 'f', text: '', children: [] },
      ],
    });
    expect(childOf(root, 'd')?.text).toBe('one\ntwo');
    expect(childOf(root, 'g')).toBeUndefined();
    expect(childOf(undefined, 'g')).toBeUndefined();
  });

  it('has five entities', () => {
    expect(parse('<a>&lt;b&gt; &amp;amp; &quot;&apos;</a>').text).toBe(`<b> &amp; "'`);
  });

  it.each([
    ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'line 1: "<!DOCTYPE a [<!ENTIT" is no element'],
    ['<a>\n&b;</a>', '&b; is no entity'],
    ['<a>&#65;</a>', '&#65; is no entity'],
    ['<a>&amp</a>', '&amp is no entity'],
    [`<a>&${'b'.repeat(99)};</a>`, 'is no entity'],
    ['<a><![CDATA[b]]></a>', '"<![CDATA[b]]>" is no element'],
    ['<a><?php?></a>', '"<?php?>" is no element'],
    ['<a>\n\n<b></a>', 'line 3: </a> closes <b>'],
    ['<a></a></b>', '</b> closes nothing'],
    ['<a><b>', '<b> is not closed; the file is cut off'],
    ['<a', '"<a" is no element'],
    ['<a><!-- b</a>', 'is no element'],
    ['<a b=1></a>', '"<a b=1>" is no element'],
    ['< a></a>', '"< a>" is no element'],
    ['', '0 outermost elements'],
    ['text', '0 outermost elements'],
    ['<a/><b/>', '2 outermost elements'],
    ['<a/>text', 'no text beside it'],
    [`${'<a>'.repeat(40)}${'</a>'.repeat(40)}`, 'nested deeper than 32'],
    [`<a ${'b="c" '.repeat(1000)}/>`, 'a tag of more than 4096 characters'],
  ])('%j is refused', (text, message) => {
    expect(() => parse(text)).toThrow(DataError);
    expect(() => parse(text)).toThrow(message);
  });

  it('is refused by its size, and takes no time that grows with the square of it', () => {
    expect(() => parse(' '.repeat(2 ** 24 + 1))).toThrow('has 16777217 characters');
    const long = 2 ** 18;
    for (const text of [
      '<a>'.repeat(long / 3),
      `<a${' '.repeat(long)}`,
      `<a>${'&'.repeat(long)}`,
      `<!--${'-'.repeat(long)}`,
    ])
      expect(() => parse(text)).toThrow(DataError);
    expect(parse(`<a>${'<b/>'.repeat(long / 8)}<!--${'- '.repeat(long)}--></a>`).children).toHaveLength(long / 8);
  });
});
