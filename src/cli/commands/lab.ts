/** `lab`: hands the page out on this machine; the page computes, this does not. */
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { loopback, serveLab } from '../labServer.js';
import { parseOptions, wholeNumber } from '../options.js';
import type { Session } from '../session.js';

const schema = z.strictObject({ port: wholeNumber(0, 65_535).optional() });

const defaultPort = 4747;

/** The static build lies beside the compiled sources, in a clone as in the package. */
const builtPage = fileURLToPath(new URL('../../../lab/dist', import.meta.url));
const models = fileURLToPath(new URL('../../../models', import.meta.url));

export function registerLab(program: Command, session: Session): void {
  program
    .command('lab')
    .description('serve the lab, a page that shows the network at work, on this machine')
    .option('--port <N>', `port to listen on, 0 to 65535; 0: any free one (default: ${defaultPort})`)
    .action((typed: Record<string, unknown>) => lab(session, parseOptions(schema, typed)));
}

async function lab({ io }: Session, { port = defaultPort }: z.output<typeof schema>): Promise<void> {
  const server = await serveLab(builtPage, models, port);
  const { port: taken } = server.address() as AddressInfo;
  io.stdout.write(`the lab is at http://${loopback}:${taken}/\n`);
  io.stderr.write('everything is computed in the page; Ctrl-C ends the server\n');
  await new Promise<void>((resolve) => {
    io.onInterrupt(() => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  });
}
