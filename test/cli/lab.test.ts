/** `lab` as a server: what it hands out, what it refuses, and to whom. The page itself is tested in a browser: test/browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loopback, serveLab } from '../../src/cli/labServer.js';
import { repository, spikeformer } from './support.js';

const built = join(repository, 'dist', 'cli', 'labServer.js');

let folder: string;
let server: Server;
let port: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-server-'));
  await mkdir(join(folder, 'page', 'assets'), { recursive: true });
  await mkdir(join(folder, 'models'));
  const files = {
    'page/index.html': '<!doctype html>page',
    'page/assets/app.js': 'app',
    'page/assets/a b.txt': 'a name with a space',
    'page/.stamp': 'hidden',
    'models/net.safetensors': 'weights',
    'secret.txt': 'SECRET',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await symlink(join(folder, 'secret.txt'), join(folder, 'page', 'link.txt'));
  await symlink(folder, join(folder, 'page', 'up'));
  server = await serveLab(join(folder, 'page'), join(folder, 'models'), 0);
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** The answer to a request line as it is: clients of a higher level tidy addresses up before they send them. */
function ask(line: string, ...headers: readonly string[]): Promise<Answer> {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: localhost'];
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, loopback, () =>
      socket.write(`${[`${line} HTTP/1.1`, ...host, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`),
    );
    socket.setEncoding('latin1');
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const end = text.indexOf('\r\n\r\n');
      const headers = text.slice(0, end);
      resolve({ status: Number(headers.split(' ')[1]), headers, body: text.slice(end + 4) });
    });
  });
}

describe('the server of the lab', () => {
  it.each([
    ['/', 'text/html; charset=utf-8', '<!doctype html>page'],
    ['/index.html#part?x', 'text/html; charset=utf-8', '<!doctype html>page'],
    ['/assets/app.js?v=1', 'text/javascript; charset=utf-8', 'app'],
    ['/assets/a%20b.txt', 'text/plain; charset=utf-8', 'a name with a space'],
    ['/models/net.safetensors', 'application/octet-stream', 'weights'],
  ])('hands out %s', async (address, type, content) => {
    const { status, headers, body } = await ask(`GET ${address}`);
    expect([status, body]).toEqual([200, content]);
    expect(headers).toContain(`Content-Type: ${type}`);
    expect(headers).toContain(`Content-Length: ${content.length}`);
  });

  it('isolates the page, whatever it answers, so that threads are allowed', async () => {
    for (const address of ['/', '/absent']) {
      const { headers } = await ask(`GET ${address}`);
      expect(headers).toContain('Cross-Origin-Opener-Policy: same-origin');
      expect(headers).toContain('Cross-Origin-Embedder-Policy: require-corp');
      expect(headers).toMatch(/Content-Security-Policy: default-src 'none'/);
      expect(headers).toContain('X-Content-Type-Options: nosniff');
    }
  });

  it('answers HEAD without a body', async () => {
    const { status, headers, body } = await ask('HEAD /assets/app.js');
    expect([status, body]).toEqual([200, '']);
    expect(headers).toContain('Content-Length: 3');
  });

  it.each([
    ['a folder above', '/../secret.txt'],
    ['a folder above, from inside', '/assets/../../secret.txt'],
    ['a folder above, encoded', '/..%2fsecret.txt'],
    ['a folder above, all encoded', '/%2e%2e%2fsecret.txt'],
    ['a folder above, encoded twice', '/%252e%252e%252fsecret.txt'],
    ['a folder above, in the manner of Windows', '/..%5csecret.txt'],
    ['a folder above, from the models', '/models/../../secret.txt'],
    ['an absolute path', '//etc/passwd'],
    ['an absolute path, encoded', '/%2fetc%2fpasswd'],
    ['a path cut by NUL', '/assets/app.js%00.html'],
    ['a link to a file outside', '/link.txt'],
    ['a link to a folder outside', '/up/secret.txt'],
    ['a hidden file', '/.stamp'],
    ['a folder', '/assets'],
    ['a folder with a slash', '/assets/'],
    ['an escape that is none', '/%zz'],
    ['an address of another scheme', 'file:///etc/passwd'],
    ['an address of another host', 'http://example.org/index.html'],
    ['a name of every object', '/__proto__'],
  ])('refuses %s', async (_what, address) => {
    const { status, body } = await ask(`GET ${address}`);
    expect([400, 404]).toContain(status);
    expect(body).not.toMatch(/SECRET|root:|hidden/);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('refuses %s', async (method) => {
    const { status, headers } = await ask(`${method} /`);
    expect(status).toBe(405);
    expect(headers).toContain('Allow: GET, HEAD');
  });

  it('does not follow a file that became a link after it started', async () => {
    const page = join(folder, 'changing');
    await mkdir(page);
    for (const name of ['index.html', 'late.txt']) await writeFile(join(page, name), 'own');
    const changing = await serveLab(page, join(folder, 'models'), 0);
    const address = `http://${loopback}:${(changing.address() as AddressInfo).port}/late.txt`;
    expect(await (await fetch(address)).text()).toBe('own');
    await rm(join(page, 'late.txt'));
    await symlink(join(folder, 'secret.txt'), join(page, 'late.txt'));
    expect((await fetch(address)).status).toBe(404);
    changing.close();
  });

  it.each(['localhost', 'LOCALHOST:4747', '127.0.0.1', '127.0.0.1:80', '[::1]:4747'])(
    'answers to the name %s',
    async (host) => {
      expect((await ask('GET /', `Host: ${host}`)).status).toBe(200);
    },
  );

  it.each([
    ['of another machine', ['Host: example.org']],
    ['that begins like its own', ['Host: localhost.example.org']],
    ['that ends like its own', ['Host: example.org.localhost.evil:80']],
    ['with a person before it', ['Host: localhost@example.org']],
    ['that is empty', ['Host: ']],
    ['of another address', ['Host: 192.168.0.1:4747']],
    ['beside another', ['Host: localhost', 'Host: example.org']],
  ])('does not answer to a name %s', async (_what, headers) => {
    const { status, body } = await ask('GET /', ...headers);
    expect([400, 403]).toContain(status);
    expect(body).not.toContain('page');
  });

  // The table of RFC 9110, section 14.1.2, for the 7 bytes of "weights".
  it.each([
    ['bytes=0-2', 206, 'wei', 'bytes 0-2/7'],
    ['bytes=5-', 206, 'ts', 'bytes 5-6/7'],
    ['bytes=5-99999999999999999999', 206, 'ts', 'bytes 5-6/7'],
    ['bytes=-3', 206, 'hts', 'bytes 4-6/7'],
    ['bytes=-70', 206, 'weights', 'bytes 0-6/7'],
    ['bytes=7-', 416, 'the file has 7 bytes\n', 'bytes */7'],
    ['bytes=-0', 416, 'the file has 7 bytes\n', 'bytes */7'],
    ['bytes=3-2', 200, 'weights', undefined],
    ['bytes=0-0,2-2', 200, 'weights', undefined],
    ['lines=0-1', 200, 'weights', undefined],
    ['bytes=-', 200, 'weights', undefined],
  ])('answers Range: %s with %i', async (range, expected, content, place) => {
    const { status, headers, body } = await ask('GET /models/net.safetensors', `Range: ${range}`);
    expect([status, body]).toEqual([expected, content]);
    expect(/Content-Range: (.*)/.exec(headers)?.[1]).toBe(place);
    expect(headers).toContain(`Content-Length: ${content.length}`);
  });

  it('sends what a reader has only when it changed', async () => {
    const net = '/models/net.safetensors';
    const { headers } = await ask(`HEAD ${net}`);
    const tag = /ETag: (.*)/.exec(headers)![1]!;
    const modified = /Last-Modified: (.*)/.exec(headers)![1]!;
    const statusFor = async (...conditions: string[]) => (await ask(`GET ${net}`, ...conditions)).status;
    expect(await statusFor(`If-None-Match: "other", W/${tag}`)).toBe(304);
    expect(await statusFor('If-None-Match: "other"', `If-Modified-Since: ${modified}`)).toBe(200);
    expect(await statusFor(`If-Modified-Since: ${modified}`)).toBe(304);
    expect(await statusFor('If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT')).toBe(200);
    expect(await statusFor('Range: bytes=0-1', `If-Range: ${tag}`)).toBe(206);
    expect(await statusFor('Range: bytes=0-1', `If-Range: ${modified}`)).toBe(206);
    expect(await statusFor('Range: bytes=0-1', 'If-Range: "other"')).toBe(200);
  });

  it('reads from the disk only what is taken, however many readers wait', async () => {
    const page = join(folder, 'large');
    await mkdir(page);
    await writeFile(join(page, 'index.html'), '');
    await writeFile(join(page, 'large.bin'), new Uint8Array(32 * 2 ** 20));
    const large = await serveLab(page, page, 0);
    const { port: place } = large.address() as AddressInfo;
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 40 }, () =>
      connect(place, loopback).pause().end('GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    // 40 × 32 MB if every reader had a copy of its own.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
    expect((await fetch(`http://${loopback}:${place}/large.bin`)).status).toBe(200);
    for (const reader of readers) reader.destroy();
    large.closeAllConnections();
    large.close();
  });

  it('does not wait for ever for the end of a request', async () => {
    const page = join(folder, 'page');
    const hasty = await serveLab(page, page, 0, { request: 200, silence: 400 });
    const { port: place } = hasty.address() as AddressInfo;
    for (const beginning of ['', 'GET / HTTP/1.1\r\nHost: loc']) {
      const socket = connect(place, loopback);
      socket.on('error', () => undefined).resume();
      socket.write(beginning);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    hasty.close();
  });

  it.skipIf(process.platform === 'win32' || !existsSync(built))(
    'says 503, not 404, when it can open no more files',
    async () => {
      const page = JSON.stringify(join(folder, 'page'));
      const program = `import(${JSON.stringify(built)}).then(async ({ serveLab }) =>
        console.log((await serveLab(${page}, ${page}, 0)).address().port))`;
      const command = ['-c', 'ulimit -n 48; exec "$0" -e "$1"', process.execPath, program];
      const child = spawn('bash', command, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [first] = await once(child.stdout, 'data');
      const place = Number(String(first));
      const agent = connect(place, loopback);
      const others: Socket[] = [];
      let answer = '';
      // The first connection was made while there was room; the others take the rest.
      while (!/ 50\d /.test(answer) && others.length < 100) {
        const other = connect(place, loopback).on('error', () => undefined);
        others.push(other);
        await once(other, 'connect');
        agent.write('HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        [answer] = (await once(agent, 'data')).map(String) as [string];
        expect(answer).not.toContain(' 404 ');
      }
      expect(answer).toMatch(/^HTTP\/1.1 503 .*Retry-After: 1/s);
      for (const socket of [agent, ...others]) socket.destroy();
      child.kill();
      await once(child, 'close');
    },
  );

  it('listens on this machine only', () => {
    expect((server.address() as AddressInfo).address).toBe('127.0.0.1');
  });

  it('says what to do where the page was never built', async () => {
    await expect(serveLab(join(folder, 'models'), join(folder, 'models'), 0)).rejects.toThrow(/npm run build:lab/);
  });
});

describe('the command', () => {
  it('says where the page is, and ends with Ctrl-C', async () => {
    let printed = '';
    const { code, stdout } = await spikeformer(['lab', '--port', '0'], {
      writeOut: (text) => {
        printed += text;
      },
      onListening: async (pressControlC) => {
        const [address] = /http:\/\/127\.0\.0\.1:\d+\//.exec(printed)!;
        const page = await fetch(address);
        expect(await page.text()).toContain('<title>Spikeformer lab</title>');
        pressControlC();
      },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^the lab is at http:\/\/127\.0\.0\.1:\d+\/\n$/);
  });

  it('names a port that is taken, and ends with 2', async () => {
    const other = createServer().listen(0, loopback);
    await new Promise((resolve) => other.once('listening', resolve));
    const taken = String((other.address() as AddressInfo).port);
    const { code, stdout, stderr } = await spikeformer(['lab', '--port', taken]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      `spikeformer: --port: ${taken} on 127.0.0.1 cannot be used: another program listens there; give another, or 0 for any\n`,
    );
    other.close();
  });
});
