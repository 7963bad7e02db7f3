/** A real browser for tests of the lab: Chromium of the system, headless, with a camera that shows a test picture. */
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { loopback, serveLab } from '../../src/cli/labServer.js';
import { repository } from '../cli/support.js';

/** Debian's place; another is told by the environment. */
export const chromiumPath = process.env.META_SPIKEFORMER_CHROMIUM ?? '/usr/bin/chromium';
export const hasChromium = existsSync(chromiumPath);
export const skipNote = hasChromium ? '' : ` (skipped: there is no ${chromiumPath})`;

export const builtPage = join(repository, 'lab', 'dist');
export const models = join(repository, 'models');

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      // Containers have a small /dev/shm, and root (as in CI) no sandbox.
      '--disable-dev-shm-usage',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

export interface LabPage {
  readonly page: Page;
  /** What the console and the page complained of; a test that expects nothing compares with []. */
  readonly complaints: string[];
}

/** Waits for the page to show a result and to have nothing left to do. */
export async function settled(page: Page): Promise<void> {
  await page.locator('[data-ready="true"]').waitFor({ timeout: 60_000 });
}

export async function openLab(
  browser: Browser,
  address: string,
  fragment = '',
  options: BrowserContextOptions = {},
): Promise<LabPage> {
  const viewport = { width: 1400, height: 900 };
  // A page that plays by itself is another one at every look; who tests that asks for it.
  const still = { viewport, reducedMotion: 'reduce' } as const;
  const context = await browser.newContext({ ...still, permissions: ['camera'], ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${address}${fragment && `#${fragment}`}`);
  await settled(page);
  return { page, complaints };
}

export async function serveBuiltLab(): Promise<{ readonly address: string; readonly server: Server }> {
  const server = await serveLab(builtPage, models, 0);
  return { address: `http://${loopback}:${(server.address() as AddressInfo).port}/`, server };
}

/** Label and logit of each class that is shown, the first first. */
export function shownClasses(page: Page): Promise<readonly { readonly label: string; readonly logit: number }[]> {
  return page.locator('.classes li').evaluateAll((items) =>
    items.map((item) => ({
      label: item.querySelector('.class-label')!.textContent!,
      logit: Number((item as HTMLElement).dataset.logit),
    })),
  );
}
