/** A real browser for tests of the lab: Chromium of the system, headless, with a camera that shows a test picture. */
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
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

/** The page as it is for another system and another window, without loading it again; fails when something sticks out of the window. */
export async function showIn(page: Page, colorScheme: 'light' | 'dark', width: number): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 800 });
  const shown = () =>
    page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.scrollWidth]);
  await expect.poll(shown).toEqual([colorScheme, width]);
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

export interface File {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

/** Drops or pastes a file onto the page, as the browser tells pages of it. */
export async function give(page: Page, how: 'drop' | 'paste', { name, mimeType, buffer }: File): Promise<void> {
  await page.evaluate(
    ({ type, fileName, fileType, content }) => {
      const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], fileName, { type: fileType }));
      const options = { bubbles: true, cancelable: true };
      window.dispatchEvent(
        type === 'drop'
          ? new DragEvent('drop', { ...options, dataTransfer: data })
          : new ClipboardEvent('paste', { ...options, clipboardData: data }),
      );
    },
    { type: how, fileName: name, fileType: mimeType, content: buffer.toString('base64') },
  );
}

const axe = readFileSync(join(repository, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');

/** What axe finds serious in the page as it is, and how many of its rules hold. */
export async function findingsOfAxe(page: Page): Promise<{ readonly passes: number; readonly serious: unknown[] }> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: run } = window as unknown as {
      axe: { run(): Promise<{ violations: Finding[]; passes: unknown[] }> };
    };
    interface Finding {
      readonly id: string;
      readonly impact: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
    }
    const { violations, passes } = await run.run();
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    return {
      passes: passes.length,
      serious: serious.map(({ id, nodes }) => [id, ...nodes.map((node) => node.failureSummary + node.html)]),
    };
  });
}
