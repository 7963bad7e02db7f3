/** What Prophesee's raw files share (`.raw`, https://docs.prophesee.ai/stable/data/file_formats/raw.html): a header of lines that begin with `% `, which names the encoding and the sensor. */
import { DataError } from '../errors.js';
import type { Decoder } from './decoding.js';
import { decoded } from './decoding.js';
import type { EventFormatName, Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import { beginsWith, sizeIn, takeHeader, textOf } from './textHeader.js';

/** A raw file of one encoding. */
export function propheseeRaw(
  name: EventFormatName,
  version: 2 | 3,
  decoder: (skipped: Skipped) => Decoder,
): EventFormat {
  return {
    names: [name],
    // What old headers leave out is asked for.
    extensions: version === 2 ? ['.raw'] : [],
    // Other encodings are for the first of the two to refuse.
    recognises: (head) => {
      const encoding = beginsWith(head, '%') ? encodingIn(textOf(head)) : undefined;
      return encoding !== undefined && (encoding === `${version}.0` || (version === 2 && encoding !== '3.0'));
    },
    open: async ({ source, inlet, variant, skipped }) => {
      const lines = await takeHeader(inlet, source.name, '% ', (line) => line === '% end');
      const header = lines.join('\n');
      const encoding = encodingIn(header);
      if (encoding !== undefined && encoding !== `${version}.0`)
        throw new DataError(
          `${source.name}: is encoded as EVT ${encoding}${variant ? `, read as ${variant}` : ''}; EVT 2.0 and 3.0 are read, convert it with Prophesee's tools or name the format that fits`,
        );
      if (encoding === undefined && variant === undefined && (await inlet.has(1)))
        throw new DataError(`${source.name}: its header names no encoding; name the format, evt2 or evt3`);
      if (/^% (format .*|)endianness[= ]big/im.test(header))
        throw new DataError(
          `${source.name}: its words have the most significant byte first; only the usual order is read`,
        );
      return { format: name, sensor: sensorIn(header), chunks: () => decoded(inlet, skipped, decoder(skipped)) };
    },
  };
}

/** `2.0` of `% evt 2.0` or `% format EVT2;…`. */
function encodingIn(header: string): string | undefined {
  const [, format] = /^% format EVT(\d+)/m.exec(header) ?? [];
  if (format !== undefined) return `${format.slice(0, 1)}.${format.slice(1) || '0'}`;
  const [, evt] = /^% evt (\d+(?:\.\d+)?)/m.exec(header) ?? [];
  return evt === undefined || evt.includes('.') ? evt : `${evt}.0`;
}

/** For headers that name the camera alone. */
const cameras: readonly (readonly [RegExp, Sensor])[] = [
  [/^% (plugin_name .*gen3|(sensor_)?generation 3)/m, { width: 640, height: 480 }],
  [/^% (plugin_name .*(gen4|imx636)|(sensor_)?generation 4)/m, { width: 1280, height: 720 }],
  [/^% plugin_name .*genx320/m, { width: 320, height: 320 }],
];

function sensorIn(header: string): Sensor | undefined {
  const [, across, down] = /^% geometry (\d+)x(\d+)/m.exec(header) ?? [];
  const format = /^% format (.*)$/m.exec(header)?.[1] ?? '';
  const width = sizeIn(across ?? /(?:^|;)width=(\d+)/.exec(format)?.[1]);
  const height = sizeIn(down ?? /(?:^|;)height=(\d+)/.exec(format)?.[1]);
  if (width !== undefined && height !== undefined) return { width, height };
  return cameras.find(([pattern]) => pattern.test(header))?.[1];
}
