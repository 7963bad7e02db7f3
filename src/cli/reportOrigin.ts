/** What the energy report says of when, how and where it was made. Paths lose their folders: a report is handed on. */
import { availableParallelism, cpus } from 'node:os';
import { modelFingerprint } from '../api/fingerprint.js';
import type { Model } from '../api/model.js';
import type { ReportOrigin } from '../energy/reportOrigin.js';
import { baseName } from '../energy/reportText.js';

/**
 * @param options Of the command, as they were given or are by default.
 * @param model What was run; absent where nothing was.
 */
export function reportOrigin(options: Readonly<Record<string, unknown>>, model?: Model): ReportOrigin {
  return {
    date: new Date(),
    command: commandOf(options),
    ...(model ? { fingerprint: modelFingerprint(model) } : {}),
    machine: {
      processor: cpus()[0]?.model.trim() || 'unknown processor',
      cores: availableParallelism(),
      runtime: `Node ${process.versions.node}, ${process.platform} ${process.arch}`,
      ...(model ? { engine: engineOf(model) } : {}),
    },
  };
}

function engineOf({ engine }: Model): string {
  return `${engine.name}, ${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}`;
}

/** For a shell: values with anything special in them in quotes. */
function commandOf(options: Readonly<Record<string, unknown>>): string {
  const words = Object.entries(options).flatMap(([name, value]) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === undefined || value === false) return [];
    if (value === true) return [option];
    const text = Array.isArray(value) ? value.join(',') : baseName(String(value));
    return [option, /^[\w.,:=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`];
  });
  return ['spikeformer energy', ...words].join(' ');
}
