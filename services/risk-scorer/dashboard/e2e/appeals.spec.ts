import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';
import { claim, fresh, openShop, redeem } from './merchant';

test('an appeal, from the merchant to the lead: what was barred goes through, and the numbers move', async ({
  page,
  server,
}) => {
  const shop = await openShop(server);
  const coupon = await claim(shop);
  const redemption = await redeem(shop, coupon.coupon_id);
  const decision = (redemption.decision as { id: string }).id;
  const analyst = await server.api('analyst');
  const imposed = await analyst.call('POST', '/v1/risk/penalties', {
    merchant_id: shop.id,
    violation: 'cash_out',
    evidence: [decision],
  });
  expect(imposed.status).toBe(201);
  const wanted = { stock_id: shop.stock, user_id: fresh('user'), context: { device_id: fresh('device') } };
  expect((await shop.api.call('POST', '/v1/claims', wanted)).body.code).toBe('merchant_suspended');
  const lead = await server.api('analyst_lead');
  const before = (await lead.call('GET', `/v1/risk/appeals/stats?merchant_id=${shop.id}`)).body.data;
  expect(before).toEqual([]);

  await signIn(page, server, 'merchant', '/penalties', 'appealing', shop.id);
  const penalties = page.getByRole('grid', { name: 'Penalties' });
  await expect(penalties).toContainText('Cash-out');
  await penalties.getByText('Cash-out').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Appeal' }).click();
  await page.getByLabel('Statement').fill('The till was new. 收银机是新的。');
  await page.getByLabel('Evidence').fill('receipt 17\nreceipt 18');
  await page.getByRole('button', { name: 'Make an appeal' }).last().click();
  const own = page.getByRole('grid', { name: 'Appeals' });
  await expect(own).toContainText('Open');

  await signIn(page, server, 'analyst_lead', `/appeals?merchant=${shop.id}`);
  // Keys alone: the first row, opened.
  await expect(page.getByRole('grid', { name: 'Appeals' })).toContainText('The till was new.');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Appeal', exact: true });
  await expect(dialog).toContainText('receipt 18');
  await expect(dialog).toContainText(decision);
  await dialog.getByRole('button', { name: 'Grant' }).click();
  const confirm = page.getByRole('dialog', { name: 'Grant this appeal' });
  await confirm.getByRole('button', { name: 'Grant' }).click();
  await expect(confirm.getByText('A reason is needed.')).toBeVisible();
  await confirm.getByLabel('Reason').fill('The receipts fit.');
  await confirm.getByRole('button', { name: 'Grant' }).click();
  await expect(page.getByText('1 decision labelled honest')).toBeVisible();
  await expect(dialog).toContainText('Granted');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('row', { name: /Cash-out.*100%/ })).toBeVisible();

  expect((await shop.api.call('POST', '/v1/claims', wanted)).status).toBe(201);
  const after = (await lead.call('GET', `/v1/risk/appeals/stats?merchant_id=${shop.id}`)).body.data;
  expect(after).toEqual([{ violation: 'cash_out', open: 0, granted: 1, denied: 0, success_rate: 1 }]);
  const labels = (await lead.call('GET', `/v1/risk/decisions/${decision}`)).body;
  expect(JSON.stringify(labels)).toContain('honest');
});

test('a penalty for good is previewed, proposed by one lead and approved by another, and lifted', async ({
  page,
  server,
}) => {
  const shop = await openShop(server);
  const analyst = await server.api('analyst');
  const first = await analyst.call('POST', '/v1/risk/penalties', { merchant_id: shop.id, violation: 'hijacking' });
  expect(first.status).toBe(201);

  await signIn(page, server, 'analyst_lead', `/penalties?merchant=${shop.id}`);
  await page.keyboard.press('n');
  const propose = page.getByRole('dialog', { name: 'Impose a penalty' });
  await propose.getByLabel('Merchant').selectOption({ label: shop.name });
  await propose.getByLabel('Violation').selectOption('hijacking');
  await expect(propose).toContainText('It would be proposed');
  await expect(propose).toContainText('Offence 2');
  await propose.getByRole('button', { name: 'Impose' }).click();
  const table = page.getByRole('grid', { name: 'Penalties' });
  await table.getByText('Proposed').click();
  const dialog = page.getByRole('dialog', { name: 'Penalty', exact: true });
  await expect(dialog).toContainText('another lead has to approve it');
  await expect(dialog.getByRole('button', { name: 'Approve' })).toHaveCount(0);
  const address = page.url().split('#')[1] ?? '';

  await signIn(page, server, 'analyst_lead', address, 'two');
  await dialog.getByRole('button', { name: 'Approve' }).click();
  const approve = page.getByRole('dialog', { name: 'Approve this penalty' });
  await approve.getByLabel('Reason').fill('The second time.');
  await approve.getByRole('button', { name: 'Approve' }).click();
  await expect(dialog).toContainText('Active');
  await dialog.getByRole('button', { name: 'Lift' }).click();
  const lift = page.getByRole('dialog', { name: 'Lift this penalty' });
  await lift.getByLabel('Reason').fill('A mistake.');
  await lift.getByRole('button', { name: 'Lift' }).click();
  await expect(dialog).toContainText('A mistake.');
});

test('a lead changes the ladder, and an analyst cannot', async ({ page, server }) => {
  const violation = fresh('violation');
  await signIn(page, server, 'analyst_lead', '/penalties');
  await page.getByRole('button', { name: 'Edit the ladder' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit the ladder' });
  await dialog.getByLabel('Name of the violation').fill(violation);
  await dialog.getByRole('button', { name: 'Add a violation' }).click();
  await dialog.getByLabel(`${violation}, offence 1: sanction`).selectOption('ban');
  await dialog.getByLabel(`${violation}, offence 1: days`).fill('7');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('row', { name: new RegExp(`${violation} Ban 7 d`) })).toBeVisible();
  const { body } = await (await server.api('analyst')).call('GET', '/v1/risk/penalty-ladder');
  expect(body.rungs).toContainEqual({ violation, offence: 1, sanction: 'ban', duration_seconds: 604_800 });
  await signIn(page, server, 'analyst', '/penalties');
  await expect(page.getByRole('row', { name: new RegExp(violation) })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Edit the ladder' })).toHaveCount(0);
});

for (const width of [1440, 390]) {
  test(`penalties and appeals are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    await signIn(page, server, 'analyst_lead', '/penalties');
    for (const address of ['/penalties', '/appeals?state=all']) {
      await page.goto(`/#${address}`);
      for (const look of LOOKS) {
        await dress(page, look);
        await expect(page.locator('main section').nth(1)).toBeVisible();
        await expectSound(page);
      }
    }
  });
}
