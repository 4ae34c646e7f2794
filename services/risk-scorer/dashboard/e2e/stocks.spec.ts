import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';
import { claim, fresh, openShop, redeem } from './merchant';

const PLACES = ['total', 'available', 'claimed', 'locked', 'redeemed', 'voided', 'expired'] as const;

test('a stock shows what /conservation says, and a merchant works on it', async ({ page, server, guard }) => {
  guard.expect(/status of 409 .*\/total/);
  const shop = await openShop(server);
  const coupons = [await claim(shop), await claim(shop), await claim(shop)];
  await redeem(shop, coupons[0]?.coupon_id);
  await shop.api.call('POST', `/v1/coupons/${String(coupons[1]?.coupon_id)}/void`, { reason: 'Printed twice' });
  const { body } = await shop.api.call('GET', `/v1/stocks/${shop.stock}/conservation`);
  expect(body).toMatchObject({ total: 1000, available: 997, claimed: 1, redeemed: 1, voided: 1, holds: true });

  await signIn(page, server, 'merchant', '/stocks', 'stocks', shop.id);
  await page.getByRole('grid', { name: 'Stocks' }).getByText('Ten off 十元券').click();
  for (const place of PLACES) {
    await expect(page.locator(`[data-count=${place}]`)).toHaveText(Number(body[place]).toLocaleString('en-GB'));
  }
  await expect(page.getByText('It holds')).toBeVisible();

  await page.getByRole('button', { name: 'Change the total' }).click();
  const total = page.getByRole('dialog', { name: 'Change the total' });
  await total.getByLabel('New total').fill('1');
  await total.getByRole('button', { name: 'Change the total' }).click();
  await expect(total.getByRole('alert').or(total.locator('.error')).first()).toBeVisible();
  await total.getByLabel('New total').fill('1500');
  await total.getByRole('button', { name: 'Change the total' }).click();
  await expect(page.locator('[data-count=total]')).toHaveText('1,500');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('The stock is paused.')).toBeVisible();
  expect((await shop.api.call('GET', `/v1/stocks/${shop.stock}`)).body).toMatchObject({ state: 'paused', total: 1500 });
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByText('The stock is open again.')).toBeVisible();
});

test('a coupon is found by its code, tells its story, and is shown as it was', async ({ page, server, guard }) => {
  guard.expect(/status of 404 .*\/lookup/);
  const shop = await openShop(server);
  const coupon = await claim(shop);
  const order = fresh('order');
  await redeem(shop, coupon.coupon_id, order);
  await signIn(page, server, 'merchant', `/stocks/${shop.stock}`, 'coupons', shop.id);
  const sent: string[] = [];
  page.on('request', (request) => sent.push(request.url()));
  await page.getByLabel('Code', { exact: true }).fill(String(coupon.code));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Coupon' });
  await expect(dialog.locator('[data-coupon]')).toContainText('Redeemed');
  await expect(dialog).toContainText(order);
  expect(sent.filter((url) => url.includes(String(coupon.code)))).toEqual([]);
  expect(page.url()).not.toContain(String(coupon.code));
  await dialog.getByRole('listitem').filter({ hasText: 'Claimed' }).getByRole('button', { name: 'As of here' }).click();
  await expect(dialog.locator('[data-coupon]')).toContainText('Claimed');
  await expect(dialog.getByText('As it was at')).toBeVisible();
  await dialog.getByRole('button', { name: 'Back to now' }).click();
  await expect(dialog.locator('[data-coupon]')).toContainText('Redeemed');
  await page.keyboard.press('Escape');
  await page.getByLabel('Code', { exact: true }).fill('0000-0000-0000-0000');
  await page.keyboard.press('Enter');
  await expect(page.getByText('No coupon has this code.')).toBeVisible();
});

test('codes are made ahead, and the operation shows its progress and its result', async ({ page, server }) => {
  const shop = await openShop(server, fresh('Shop'), { code_mode: 'pool' });
  await signIn(page, server, 'merchant', `/stocks/${shop.stock}?tab=codes`, 'codes', shop.id);
  await page.getByRole('button', { name: 'Make codes' }).click();
  const dialog = page.getByRole('dialog', { name: 'Make codes' });
  await dialog.getByLabel('How many').fill('500');
  await dialog.getByLabel('Label').fill('autumn 秋季');
  await dialog.getByRole('button', { name: 'Make codes' }).click();
  await expect(page.getByText('Codes are being made.')).toBeVisible();
  await expect(page.getByText('500 of 500 rows')).toBeVisible();
  await page.getByRole('tab', { name: 'Codes' }).click();
  await expect(page.getByRole('grid', { name: 'Batches of codes' })).toContainText('autumn 秋季');
  await page.goto('/#/operations');
  await expect(page.getByRole('grid', { name: 'Operations' })).toContainText('Make codes');
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: /Save the result of/ }).click();
  expect((await saved).suggestedFilename()).toMatch(/^op_.*\.csv$/);
});

for (const width of [1440, 390]) {
  test(`stocks and operations are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    const shop = await openShop(server);
    await claim(shop);
    await signIn(page, server, 'merchant', '/stocks', `looks-${width}`, shop.id);
    for (const address of ['/stocks', `/stocks/${shop.stock}`, '/operations']) {
      await page.goto(`/#${address}`);
      for (const look of LOOKS) {
        await dress(page, look);
        await expect(page.locator('main h1')).toBeVisible();
        await expect(page.locator('main .skeleton')).toHaveCount(0);
        await expectSound(page);
      }
    }
  });
}
