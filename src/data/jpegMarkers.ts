/**
 * A JPEG file from marker to marker: what its frame header declares, and whether every segment and scan is as ITU T.81 wants it.
 * Decoders fill what is damaged with grey and go on; this finds the damage that markers show. It decodes nothing.
 */

/** See {@link walkJpeg}. */
export interface JpegStructure {
  readonly width: number;
  readonly height: number;
  /** 0 when no frame header was found. */
  readonly components: number;
  /** Samples per pixel of all components, 1.5 with colours at half the resolution in both directions. */
  readonly samplesPerPixel: number;
  /** Several scans must be put together before the first row is known. */
  readonly severalScans: boolean;
  /** What is wrong, in a few words. */
  readonly damage?: string;
  /** Bytes between segments that belong to none, which decoders skip: places `[from, to)`. */
  readonly strays: readonly (readonly [from: number, to: number])[];
}

const marker = {
  temporary: 0x01,
  restart0: 0xd0,
  restart7: 0xd7,
  start: 0xd8,
  end: 0xd9,
  scan: 0xda,
  restartInterval: 0xdd,
} as const;

interface Walk {
  readonly bytes: Buffer;
  place: number;
  width: number;
  height: number;
  components: number;
  samplesPerPixel: number;
  severalScans: boolean;
  restarts: boolean;
  scans: number;
  strays: [number, number][];
}

/** Follows the markers from the beginning to the end of the image. */
export function walkJpeg(bytes: Buffer): JpegStructure {
  const walk: Walk = {
    bytes,
    place: 2,
    width: 0,
    height: 0,
    components: 0,
    samplesPerPixel: 0,
    severalScans: false,
    restarts: false,
    scans: 0,
    strays: [],
  };
  const damage = followMarkers(walk);
  const { width, height, components, samplesPerPixel, severalScans, strays } = walk;
  return { width, height, components, samplesPerPixel, severalScans, strays, ...(damage ? { damage } : {}) };
}

function followMarkers(walk: Walk): string | undefined {
  for (;;) {
    const code = nextMarker(walk);
    if (code === undefined) return 'its end is missing';
    if (code === marker.end) return walk.scans === 0 ? 'it has no scan' : undefined;
    if (code === marker.temporary || (code >= marker.restart0 && code <= marker.restart7)) continue;
    if (!hasSegment(code)) return `illegal marker ${named(code)}${walk.scans > 0 ? ' in or behind a scan' : ''}`;
    const length = walk.place + 2 <= walk.bytes.length ? walk.bytes.readUInt16BE(walk.place) : 0;
    const end = walk.place + length;
    if (length < 2 || end > walk.bytes.length) return `its segment ${named(code)} is cut off`;
    readSegment(walk, code, walk.bytes.subarray(walk.place + 2, end));
    walk.place = end;
    if (code !== marker.scan) continue;
    const damage = passScan(walk);
    if (damage !== undefined) return damage;
  }
}

/** Frames, tables, scans, application data and comments; everything else is reserved or without a segment. */
function hasSegment(code: number): boolean {
  const isTable = code >= 0xda && code <= 0xdd;
  return (code >= 0xc0 && code <= 0xcf) || isTable || (code >= 0xe0 && code <= 0xef) || code === 0xfe;
}

/** The next marker's code, its place passed; bytes before it that are not a marker's are noted. */
function nextMarker(walk: Walk): number | undefined {
  const { bytes } = walk;
  const from = walk.place;
  let place = from;
  for (;;) {
    place = bytes.indexOf(0xff, place);
    if (place < 0) return undefined;
    let code = place + 1;
    while (bytes[code] === 0xff) code++;
    if (code >= bytes.length) return undefined;
    if (bytes[code] !== 0) {
      if (place > from) walk.strays.push([from, place]);
      walk.place = code + 1;
      return bytes[code];
    }
    place = code + 1;
  }
}

function readSegment(walk: Walk, code: number, content: Buffer): void {
  if (code === marker.restartInterval && content.length >= 2) walk.restarts = content.readUInt16BE(0) > 0;
  else if (code === marker.scan) {
    walk.scans++;
    if ((content[0] ?? 0) < walk.components) walk.severalScans = true;
  } else if (isFrame(code)) readFrame(walk, code, content);
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which lie between them. */
function isFrame(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}

function readFrame(walk: Walk, code: number, content: Buffer): void {
  const components = content[5] ?? 0;
  if (content.length < 6 + 3 * components) return;
  walk.height = content.readUInt16BE(1);
  walk.width = content.readUInt16BE(3);
  walk.components = components;
  // The third of each four is progressive: SOF2, SOF6, SOF10, SOF14.
  walk.severalScans ||= (code & 3) === 2;
  const factors = Array.from({ length: components }, (_, i) => content[7 + 3 * i]!);
  const across = Math.max(...factors.map((factor) => factor >> 4), 1);
  const down = Math.max(...factors.map((factor) => factor & 15), 1);
  walk.samplesPerPixel = factors.reduce((sum, factor) => sum + (factor >> 4) * (factor & 15), 0) / (across * down);
}

/** Passes a scan's coded data: stuffed zeros and restart markers in turn, up to the first other marker. */
function passScan(walk: Walk): string | undefined {
  const { bytes, restarts } = walk;
  let expected = 0;
  for (let place = walk.place; ; ) {
    place = bytes.indexOf(0xff, place);
    if (place < 0 || place + 1 >= bytes.length) return 'its end is missing';
    const code = bytes[place + 1]!;
    if (code === 0) place += 2;
    else if (code === 0xff) place += 1;
    else if (code >= marker.restart0 && code <= marker.restart7) {
      if (!restarts || code !== marker.restart0 + expected) return `marker ${named(code)} is out of turn in a scan`;
      expected = (expected + 1) & 7;
      place += 2;
    } else {
      walk.place = place;
      return undefined;
    }
  }
}

function named(code: number): string {
  return `FF${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The file without the bytes between segments that belong to none. */
export function withoutStrays(bytes: Buffer, strays: JpegStructure['strays']): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const [start, end] of strays) {
    parts.push(bytes.subarray(from, start));
    from = end;
  }
  return Buffer.concat([...parts, bytes.subarray(from)]);
}

/** What libjpeg warns of although every sample is there: oddities of headers, and bytes between segments. */
const harmlessWarnings =
  /extraneous bytes|JFIF revision|Adobe color transform|Invalid SOS parameters|ICC|thumbnail|Obtained XMP/i;

/** Whether a decoder's complaint leaves the samples as they should be. */
export function isHarmless(complaint: string): boolean {
  return harmlessWarnings.test(complaint);
}
