/** XML as strictly as tests of pictures need it: elements, attributes and text, and an error for what is not well-formed. No entities but those of characters. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Of this element and all in it. */
  readonly text: string;
}

interface OpenElement extends Element {
  readonly children: Element[];
  text: string;
}

const token = /<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const attribute = /\s+([\w:.-]+)="([^"]*)"/g;

/** @throws Error with what is wrong, and where. */
export function parseXml(source: string): Element {
  const root: OpenElement = { name: '', attributes: {}, children: [], text: '' };
  const open: OpenElement[] = [root];
  let end = 0;
  for (const [all, slash, name, written, empty, text] of source.matchAll(token)) {
    end += all.length;
    if (text !== undefined) {
      const read = decoded(text);
      for (const element of open) element.text += read;
    } else if (slash === '/') {
      const closed = open.pop()!;
      if (closed.name !== name) throw new Error(`</${name}> closes <${closed.name}>`);
    } else {
      const pairs = [...written!.matchAll(attribute)].map(([, key, value]): [string, string] => [
        key!,
        decoded(value!),
      ]);
      const attributes = Object.fromEntries(pairs);
      if (Object.keys(attributes).length < pairs.length) throw new Error(`<${name}> has an attribute twice`);
      const element: OpenElement = { name: name!, attributes, children: [], text: '' };
      open.at(-1)!.children.push(element);
      if (empty === '') open.push(element);
    }
  }
  if (end < source.length) throw new Error(`not well-formed at ${JSON.stringify(source.slice(end, end + 60))}`);
  if (open.length !== 1 || root.children.length !== 1) throw new Error('one element has to hold all others');
  return root.children[0]!;
}

function decoded(text: string): string {
  // The characters of https://www.w3.org/TR/xml/#charsets.
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text))
    throw new Error('a character that XML does not have');
  if (/&(?!#\d+;|amp;|lt;|gt;|quot;)/.test(text)) throw new Error(`an & that begins nothing: ${text.slice(0, 60)}`);
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(?:#(\d+)|(\w+));/g, (_, code, name) => named[name] ?? String.fromCodePoint(Number(code)));
}

/** All elements of a name, at any depth. */
export function elementsOf(element: Element, name: string): readonly Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...elementsOf(child, name)]);
}
