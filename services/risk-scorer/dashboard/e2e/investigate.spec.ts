import type { Page } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';
import { Shop } from './shop';

function path(query: string, more: Record<string, string> = {}): string {
  return `/investigate?${new URLSearchParams({ query, ...more }).toString()}`;
}

/** How many events the chart's picture counts, as it is read out. */
async function counted(page: Page): Promise<number> {
  const label = (await page.locator('[role=img][aria-label*=" from "]').getAttribute('aria-label')) ?? '';
  return Number(/^([\d,]+) /.exec(label)?.[1]?.replaceAll(',', '') ?? NaN);
}

test('chart, most frequent values and table are what was done', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Investigated');
  const codes = await shop.claim(5, 'farm phone');
  await shop.claim(2, 'honest-phone', '198.51.100.7');
  await shop.redeem(codes.slice(0, 3), 'till-1');
  expect(await shop.block()).toBe(403);

  await signIn(page, server, 'analyst', path(`merchant:${shop.merchant}`, { by: 'kind' }));
  const events = page.getByRole('grid', { name: 'Events' });
  const top = page.getByRole('grid', { name: 'Most frequent' });
  await expect(events.getByRole('row')).toHaveCount(12);
  await expect.poll(() => counted(page)).toBe(11);
  const first = top.getByRole('row').nth(1);
  await expect(first).toContainText('farm phone');
  await expect(first.getByRole('gridcell').nth(1)).toHaveText('5');
  await expect(first).toContainText('new');

  // A click narrows the query, with a click while Alt is held it excludes.
  await top.getByRole('button', { name: 'farm phone', exact: true }).click();
  await expect(page).toHaveURL(/device%3A%22farm\+phone%22/);
  await expect(events.getByRole('row')).toHaveCount(6);
  await expect.poll(() => counted(page)).toBe(5);
  await page.goBack();
  await expect(events.getByRole('row')).toHaveCount(12);
  await top.getByRole('button', { name: 'farm phone', exact: true }).click({ modifiers: ['Alt'] });
  await expect(events.getByRole('row')).toHaveCount(7);
  await expect.poll(() => counted(page)).toBe(6);

  await page.getByLabel('Field').selectOption('ip');
  await expect(top).toContainText('198.51.100.7');
  await expect(page).toHaveURL(/top=ip/);

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'The rows that are loaded, as CSV' }).last().click();
  const csv = await readFile(await (await download).path(), 'utf8');
  expect(csv.trim().split('\r\n')).toHaveLength(7);
  expect(csv).toContain('honest-phone');

  await events.getByText('honest-phone').first().click();
  await expect(page).toHaveURL(/#\/decisions\/dec_/);
});

test('a wrong query is marked at its column', async ({ page, server, guard }) => {
  guard.expect(/status of 422 .*\/v1\/risk\/events/);
  await signIn(page, server, 'analyst', path('kind:claim devise:x'));
  const problem = page.getByRole('alert');
  await expect(problem).toContainText('Column 12');
  await expect(problem).toContainText('did you mean device?');
  await expect(page.locator('.cm-lintRange-error')).toHaveText('devise');
  await expect(page.getByText('Correct the query to see results')).toBeVisible();
  await page.getByRole('button', { name: 'Column 12' }).click();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('kind:claim');
  await expect(problem).toHaveCount(0);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/query=kind%3Aclaim(&|$)/);
  await expect(page.getByRole('grid', { name: 'Events' })).toBeVisible();
});

test('fields and their values are completed', async ({ page, server }) => {
  await signIn(page, server, 'analyst', '/investigate');
  await expect(page.getByRole('textbox', { name: 'Query' })).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('act');
  await page.getByRole('option', { name: /^action/ }).click();
  await page.keyboard.type('bl');
  await page.getByRole('option', { name: 'block' }).click();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/query=action%3Ablock/);
});

test('the whole question stands in the address', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Shared');
  await shop.claim(2, 'shared-phone');
  await signIn(page, server, 'analyst', path(`merchant:${shop.merchant}`));
  const events = page.getByRole('grid', { name: 'Events' });
  await expect(events.getByRole('row')).toHaveCount(3);
  await page.getByLabel('Time', { exact: true }).selectOption('-24h');
  await page.getByLabel('Step', { exact: true }).selectOption('3600');
  await page.getByLabel('Stacked by').selectOption('kind');
  await page.getByLabel('Field').selectOption('user');
  const url = page.url();
  for (const part of ['from=-24h', 'step=3600', 'by=kind', 'top=user']) expect(url).toContain(part);

  await page.goto('/#/audit');
  await page.goto(url);
  await expect(page.getByLabel('Time', { exact: true })).toHaveValue('-24h');
  await expect(page.getByLabel('Step', { exact: true })).toHaveValue('3600');
  await expect(page.getByLabel('Stacked by')).toHaveValue('kind');
  await expect(page.getByLabel('Field')).toHaveValue('user');
  await expect(events.getByRole('row')).toHaveCount(3);
  await expect.poll(() => counted(page)).toBe(2);

  // A time of its own choosing, before anything happened.
  await page.getByLabel('Time', { exact: true }).selectOption('custom');
  await page.getByLabel('From (Asia/Shanghai)').fill('2026-01-01T00:00');
  await page.getByLabel('Until (Asia/Shanghai)').fill('2026-01-02T00:00');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(/from=2025-12-31T16%3A00%3A00.000Z.*until=2026-01-01T16/);
  await expect(page.getByText('Widen the time')).toBeVisible();
});

test('dragging across the chart looks closer, and the way back looks wider', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Zoomed');
  await shop.claim(2, 'zoomed-phone');
  await signIn(page, server, 'analyst', path(`merchant:${shop.merchant}`));
  const chart = page.locator('canvas').first();
  await expect.poll(() => counted(page)).toBe(2);
  const box = await chart.boundingBox();
  if (!box) throw new Error('the chart has no place');
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=20.*until=20/);
  await expect(page.getByText('No event fits').first()).toBeVisible();
  await page.goBack();
  await expect.poll(() => counted(page)).toBe(2);
});

test('following shows what happens without a key being pressed', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Followed');
  await shop.claim(1, 'first-phone');
  await signIn(page, server, 'analyst', path(`merchant:${shop.merchant}`));
  const events = page.getByRole('grid', { name: 'Events' });
  await expect(events.getByRole('row')).toHaveCount(2);
  await page.getByRole('button', { name: 'Follow' }).click();
  await expect(page).toHaveURL(/tail=1/);
  await shop.claim(1, 'second-phone');
  await expect(events).toContainText('second-phone');
  await page.getByRole('button', { name: 'Following' }).click();
  await expect(page).not.toHaveURL(/tail=1/);
});

test('queries are saved in the browser', async ({ page, server }) => {
  await signIn(page, server, 'analyst', path('kind:claim', { from: '-7d' }));
  await page.getByRole('button', { name: 'Saved' }).click();
  await page.getByLabel('Name of this query').fill('Claims of a week');
  await page.getByRole('button', { name: 'Save the query as it is' }).click();
  await page.goto('/#/investigate');
  await page.reload();
  await page.getByRole('button', { name: 'Saved' }).click();
  await page.getByRole('link', { name: 'Claims of a week' }).click();
  await expect(page).toHaveURL(/query=kind%3Aclaim&from=-7d/);
});

for (const width of [1440, 390]) {
  test(`the page is sound in every look, ${width} pixels wide`, async ({ page, server, guard }) => {
    // Four looks, each loaded anew and gone over by axe.
    test.slow();
    guard.expect(/status of 422 .*\/v1\/risk\/events/);
    const shop = await Shop.open(server, 'Sound');
    await shop.claim(2, '<b>device</b>');
    await signIn(page, server, 'analyst', path(`merchant:${shop.merchant}`));
    await page.setViewportSize({ width, height: 900 });
    for (const look of LOOKS) {
      await dress(page, look);
      await expect(page.locator('canvas').first()).toBeVisible();
      await expect(page.getByRole('grid').last()).toContainText('<b>device</b>');
      await expectSound(page);
    }
    await page.goto(`/#${path('devise:x')}`);
    await expect(page.getByRole('alert')).toBeVisible();
    await expectSound(page);
  });
}
