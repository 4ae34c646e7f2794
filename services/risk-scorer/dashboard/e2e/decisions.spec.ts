import { openCases, queueName } from './cases';
import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';

test('a decision is found by its subject, explained, derived again and labelled', async ({ page, server }) => {
  const [made] = await openCases(server, await server.api('analyst_lead'), queueName(), 1);
  if (!made) throw new Error('a case was opened');
  await signIn(page, server, 'analyst', '/decisions');
  await page.keyboard.press('/');
  await page.keyboard.type(`device:${made.device}`);
  await page.keyboard.press('Enter');
  const table = page.getByRole('grid', { name: 'Decisions' });
  await expect(table.getByRole('row')).toHaveCount(2);
  expect(page.url()).toContain('subject=device');
  await table.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByText(made.decision).first()).toBeVisible();
  await expect(page.getByRole('link', { name: made.user })).toBeVisible();
  await page.keyboard.press('d');
  await expect(page.getByText('Derived again: equal, byte for byte.')).toBeVisible();
  await page.keyboard.press('a');
  await page.keyboard.type('Known customer');
  await page.getByRole('dialog').getByRole('button', { name: 'Label as honest' }).click();
  await expect(page.getByText('Known customer')).toBeVisible();
  const { body } = await (await server.api('analyst_lead')).call('GET', `/v1/risk/decisions/${made.decision}`);
  expect(body.label).toBe('honest');
});

test('a subject shows what is known of it, and is put on a list until a time', async ({ page, server }) => {
  const lead = await server.api('analyst_lead');
  const queue = queueName();
  const [made] = await openCases(server, lead, queue, 3);
  if (!made) throw new Error('cases were opened');
  const name = `watched ${queue}`;
  const list = await lead.call('POST', '/v1/risk/lists', { name, mode: 'watch', item_type: 'device' });
  expect(list.status).toBe(201);
  await signIn(page, server, 'analyst', `/subjects/device/${made.device}?merchant_id=${made.merchant}`);
  await expect(page.getByRole('grid', { name: 'Timeline' }).getByRole('row')).toHaveCount(4);
  await expect(page.getByText('On no list')).toBeVisible();
  await page.keyboard.press('b');
  const dialog = page.getByRole('dialog', { name: 'Add to a list' });
  await dialog.getByLabel('List').selectOption({ label: `${name} · Watch` });
  await dialog.getByLabel('Reason').fill('Many accounts');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('link', { name })).toBeVisible();
  const items = await lead.call('GET', `/v1/risk/lists/${list.body.id}/items`);
  expect(items.body.data).toHaveLength(1);
  expect(Date.parse(items.body.data[0].expires_at)).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  await page.keyboard.press('u');
  await expect(page.getByText('On no list')).toBeVisible();
});

test('a subject without a merchant asks for one', async ({ page, server }) => {
  const [made] = await openCases(server, await server.api('analyst_lead'), queueName(), 1);
  await signIn(page, server, 'analyst', `/subjects/user/${made?.user}`);
  await page.locator(`main a[href$="merchant_id=${made?.merchant}"]`).click();
  await expect(page.getByRole('grid', { name: 'Timeline' }).getByRole('row')).toHaveCount(2);
});

test('a merchant may open none of it', async ({ page, server }) => {
  await signIn(page, server, 'merchant', '/cases');
  await expect(page.getByText('Your role may not open this page')).toBeVisible();
});

for (const width of [1440, 390]) {
  test(`decisions and subjects are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    const [made] = await openCases(server, await server.api('analyst_lead'), queueName(), 2);
    const subject = `/subjects/device/${made?.device}?merchant_id=${made?.merchant}`;
    await signIn(page, server, 'analyst');
    await page.setViewportSize({ width, height: 900 });
    for (const path of [`/decisions`, `/decisions/${made?.decision}`, subject]) {
      await page.goto(`/#${path}`);
      for (const look of LOOKS) {
        await dress(page, look);
        await expect(page.locator('main section').first()).toBeVisible();
        await expect(page.getByRole('status').filter({ hasText: /^(加载中|Loading)$/ })).toHaveCount(0);
        await expectSound(page);
      }
    }
  });
}
