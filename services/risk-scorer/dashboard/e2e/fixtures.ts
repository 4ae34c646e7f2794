import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';
import { randomBytes } from 'node:crypto';
import { Server, type Role } from './server';

export { expect };

export interface Look {
  language: 'zh' | 'en';
  theme: 'light' | 'dark';
}

/** Every look that a page has to stand. */
export const LOOKS: Look[] = (['zh', 'en'] as const).flatMap((language) =>
  (['light', 'dark'] as const).map((theme) => ({ language, theme })),
);

/** Two of the looks, which differ in both; the other two at the other width: for specs with many pages. */
export function looksAt(width: number): Look[] {
  return LOOKS.filter(({ language, theme }) => ((language === 'zh') === (theme === 'dark')) === width > 720);
}

/** What a page may not do unseen: errors in the console, what the policy blocked, requests to other hosts. */
export class Guard {
  readonly broken: string[] = [];
  // Before anybody is signed in, asking who is answers 401, which the browser writes to the console.
  #expected: RegExp[] = [/status of 401 .*\/v1\/sessions/];

  /** This test provokes it. */
  expect(message: RegExp): void {
    this.#expected.push(message);
  }

  async watch(page: Page, host: string): Promise<void> {
    page.on('console', (message) => {
      if (message.type() === 'error') this.#note(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.#note(`exception: ${error.stack ?? error.message}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol.startsWith('http') && url.host !== host) this.#note(`another host: ${url.href}`);
    });
    await page.exposeFunction('noteViolation', (text: string) => this.#note(text));
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        const note = (window as unknown as { noteViolation(text: string): void }).noteViolation;
        note(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
      });
    });
  }

  #note(text: string): void {
    if (!this.#expected.some((expected) => expected.test(text))) this.broken.push(text);
  }
}

/** `test` with a server (one per worker) and a page that is watched: a test fails by what its page did unseen. */
export const test = base.extend<{ guard: Guard }, { server: Server }>({
  server: [
    // Playwright reads what a fixture needs from its first parameter's pattern.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 90_000 },
  ],
  baseURL: async ({ server }, use) => use(server.base),
  guard: [
    async ({ page, server }, use) => {
      const guard = new Guard();
      await guard.watch(page, new URL(server.base).host);
      await use(guard);
      expect(guard.broken, 'errors, blocked content and foreign requests').toEqual([]);
    },
    { auto: true },
  ],
});

/** Signs in as a user of this role, and opens a page: `await signIn(page, server, 'analyst', '/cases')`. */
export async function signIn(
  page: Page,
  server: Server,
  role: Role,
  path = '/',
  which = 'one',
  merchantId?: string,
): Promise<void> {
  const answer = await page.request.post('/v1/sessions', {
    data: await server.user(role, which, merchantId),
    headers: { 'Idempotency-Key': randomBytes(16).toString('hex') },
  });
  expect(answer.status(), await answer.text()).toBe(200);
  // Another hash alone would leave the page, and whoever was signed in before, as they are.
  await page.goto('about:blank');
  await page.goto(`/#${path}`);
  // On a narrow screen it is behind its button.
  await expect(page.getByRole('navigation', { includeHidden: true })).toBeAttached();
  // Keys reach a page once it is there.
  await expect(page.locator('main h1, main .empty, main .error').first()).toBeVisible();
}

/** Chooses language and theme, as the switches do, and loads the page anew. */
export async function dress(page: Page, look: Look): Promise<void> {
  await page.evaluate(({ language, theme }) => {
    localStorage.setItem('counterfoil.language', language);
    localStorage.setItem('counterfoil.theme', theme);
  }, look);
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', look.theme);
}

/** No violation of WCAG 2.2 AA, nor anything wider than the window. */
export async function expectSound(page: Page): Promise<void> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  expect(found, 'axe').toEqual([]);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wider, 'pixels that the page is wider than the window').toBeLessThanOrEqual(0);
}
