import type { Page } from '@playwright/test';
import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';
import type { Caller, Server } from './server';
import { Shop } from './shop';

/** The board as the API says it. */
async function boardOf(caller: Caller, merchant: string): Promise<BoardNumbers> {
  const { status, body } = await caller.call('GET', `/v1/risk/board?merchant_id=${merchant}`);
  expect(status).toBe(200);
  return body as BoardNumbers;
}

interface BoardNumbers {
  totals: Record<string, number>;
  refusals: { code: string; last_hour: number }[];
  stocks: { stock_id: string; total: number; available: number; redeemed: number }[];
  merchants: { merchant_id: string; attempts_today: number }[];
}

async function openBoard(page: Page, server: Server, path: string): Promise<void> {
  await signIn(page, server, 'analyst', path);
  await expect(page.locator('[data-board]')).toBeVisible();
}

test('the board says what the API says after events of known number', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Board');
  const codes = await shop.claim(6, 'board-device');
  await shop.redeem(codes.slice(0, 4));
  await shop.redeemAgain(codes.slice(0, 2));
  expect(await shop.block()).toBe(403);

  const engineer = await server.api('engineer');
  await expect.poll(async () => (await boardOf(engineer, shop.merchant)).totals['refusals']).toBe(3);
  const board = await boardOf(engineer, shop.merchant);
  expect(board.totals).toMatchObject({ claims: 6, redemptions: 4, refusals: 3, blocks: 1 });

  await openBoard(page, server, `/live?merchant=${shop.merchant}`);
  for (const [name, total] of Object.entries({ redemptions: 4, claims: 6, refusals: 3, blocks: 1 })) {
    await expect(page.locator(`[data-total=${name}]`)).toHaveText(new RegExp(`^${total} since `));
  }
  const refused = page.locator('[data-code=already_redeemed]');
  await expect(refused.getByRole('cell').last()).toHaveText('2');
  const stock = board.stocks.find((row) => row.stock_id === shop.stock);
  const row = page.locator(`[data-stock=${shop.stock}]`);
  await expect(row.getByRole('cell').nth(2)).toHaveText(String(stock?.available));
  await expect(row.getByRole('cell').nth(3)).toHaveText('4');
  await expect(row.getByRole('img')).toHaveAccessibleName(/Redeemed 4/);
  await expect(row).toContainText('Balanced');
  const attempts = board.merchants.find((each) => each.merchant_id === shop.merchant)?.attempts_today;
  await expect(page.locator(`[data-merchant=${shop.merchant}]`).getByRole('cell').last()).toContainText(
    String(attempts),
  );
  await expect(page.getByRole('link', { name: 'board-device' }).first()).toBeVisible();

  // It moves by itself, and calls a store by its name.
  await shop.redeem(codes.slice(4, 5), 'till', await shop.addStore('West Lake 西湖店'));
  await expect(page.locator('[data-total=redemptions]')).toHaveText(/^5 since /);
  await expect(page.getByRole('link', { name: 'West Lake 西湖店' })).toBeVisible();
});

test('the merchant is chosen on the board, and stands in the address', async ({ page, server }) => {
  const shop = await Shop.open(server, '<img src=x onerror=alert(1)>');
  await shop.claim(1, 'chosen-device');
  await openBoard(page, server, '/live');
  await page.getByLabel('Merchant', { exact: true }).selectOption({ value: shop.merchant });
  await expect(page).toHaveURL(new RegExp(`merchant=${shop.merchant}`));
  await expect(page.locator('[data-total=claims]')).toHaveText(/^1 since /);
  await page.reload();
  await expect(page.getByLabel('Merchant', { exact: true })).toHaveValue(shop.merchant);
  await expect(page.locator('[data-total=claims]')).toHaveText(/^1 since /);
});

test('decisions stand still while paused, and are counted and shown afterwards', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Paused');
  await shop.claim(1, 'before-pause');
  await openBoard(page, server, `/live?merchant=${shop.merchant}`);
  const table = page.getByRole('grid', { name: 'Decisions' });
  await expect(table).toContainText('before-pause');
  await page.keyboard.press('p');
  await shop.claim(3, 'while-paused');
  await expect(page.getByText('3 new since paused')).toBeVisible();
  await expect(table).not.toContainText('while-paused');
  await page.keyboard.press('p');
  await expect(table.getByText('while-paused')).toHaveCount(3);
  await expect(page.getByText('new since paused')).toHaveCount(0);
});

test('decisions are filtered by action and subject, and opened', async ({ page, server }) => {
  const shop = await Shop.open(server, 'Filtered');
  await openBoard(page, server, `/live?merchant=${shop.merchant}&action=block`);
  await expect(page.getByText('No decision fits yet')).toBeVisible();
  await shop.claim(1, 'let-through');
  expect(await shop.block()).toBe(403);
  const table = page.getByRole('grid', { name: 'Decisions' });
  await expect(table.getByRole('row')).toHaveCount(2);
  await expect(table).toContainText('Block');
  await page.getByLabel('Action').selectOption('');
  await expect(table).toContainText('let-through');
  await page.getByLabel('Subject').selectOption('device');
  await page.getByLabel('Which one').fill('let-through');
  await page.keyboard.press('Enter');
  await expect(table.getByRole('row')).toHaveCount(2);
  await expect(page).toHaveURL(/subject=device%3Alet-through/);
  await shop.claim(1, 'let-through');
  await expect(table.getByRole('row')).toHaveCount(3);
  await page.getByLabel('Subject').selectOption('ip');
  await expect(page.getByText('This is no IP address.')).toBeVisible();
  await page.getByLabel('Subject').selectOption('device');
  await table.getByText('let-through').first().click();
  await expect(page).toHaveURL(/#\/decisions\/dec_/);
});

test('a restart in the middle is said, and the board goes on', async ({ page, server, guard }) => {
  guard.expect(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
  const shop = await Shop.open(server, 'Restarted');
  await shop.claim(2, 'before-restart');
  await openBoard(page, server, `/live?merchant=${shop.merchant}`);
  await expect(page.locator('[data-total=claims]')).toHaveText(/^2 since /);
  await server.halt();
  await expect(page.getByText('The connection is lost; connecting again.')).toBeVisible();
  await server.run();
  await expect(page.getByText('The server was restarted at')).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText('The connection is lost; connecting again.')).toBeHidden();
  await shop.claim(1, 'after-restart');
  // The server counts anew from its start, and the board says since when.
  await expect(page.locator('[data-total=claims]')).toHaveText(/^1 since /);
  await expect(page.getByRole('grid', { name: 'Decisions' })).toContainText('after-restart');
});

test('a merchant sees its own board, and nothing that it may not open', async ({ page, server }) => {
  await signIn(page, server, 'merchant', '/live');
  await expect(page.locator('[data-board]')).toBeVisible();
  await expect(page.getByLabel('Merchant', { exact: true })).toHaveCount(0);
  await page.goto('/#/investigate');
  await expect(page.getByText('Your role may not open this page')).toBeVisible();
});

for (const width of [1440, 390]) {
  test(`the board is sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    // Four looks, each loaded anew and gone over by axe.
    test.slow();
    const shop = await Shop.open(server, 'Looked at');
    await shop.redeem(await shop.claim(3, 'looked-at'));
    await openBoard(page, server, `/live?merchant=${shop.merchant}`);
    await page.setViewportSize({ width, height: 900 });
    for (const look of LOOKS) {
      await dress(page, look);
      await expect(page.locator('[data-board]')).toBeVisible();
      await expect(page.locator('canvas').first()).toBeVisible();
      await expectSound(page);
    }
  });
}
