/** Contact sheets: what they show, and that names and addresses from outside stay text. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { contactSheet } from '../../src/search/contactSheet.js';

const pixel = 'data:image/png;base64,iVBORw0KGgo=';

describe('a contact sheet', () => {
  it('shows each query and its hits in order, and which are right', () => {
    const page = contactSheet('Places', [
      {
        name: 'drone/1.jpg',
        picture: 'drone/1 a.jpg',
        hits: [
          { name: 'satellite/2.jpg', score: 0.91234, picture: pixel, isRight: false },
          { name: 'satellite/1.jpg', score: 0.9, picture: pixel, isRight: true },
          { name: 'satellite/3.jpg', score: -0.1, picture: pixel },
        ],
      },
    ]);
    const figures = [...page.matchAll(/<figure class="(\w*)"><img src="([^"]*)".*?<b>(.*?)<\/b>/g)];
    expect(figures.map(([, kind, source, words]) => [kind, source, words])).toEqual([
      ['query', 'drone/1%20a.jpg', 'looked for'],
      ['wrong', pixel, '1. 0.912'],
      ['right', pixel, '2. 0.900'],
      ['', pixel, '3. -0.100'],
    ]);
  });

  it('lets names be nothing but text', () => {
    const name = '"><script>alert(1)</script>.jpg';
    const page = contactSheet(name, [{ name, picture: name, hits: [{ name, score: 1, picture: name }] }]);
    expect(page).not.toContain('<script');
    expect(page.match(/"/g)!.length % 2).toBe(0);
  });

  it.each([
    'javascript:alert(1)',
    'https://example.org/a.jpg',
    '//example.org/a.jpg',
    '\\\\host\\a.jpg',
    'data:text/html,x',
    'data:image/svg+xml;base64,AA',
  ])('refuses the picture %s', (picture) => {
    expect(() => contactSheet('t', [{ name: 'a', picture, hits: [] }])).toThrow(UsageError);
  });
});
