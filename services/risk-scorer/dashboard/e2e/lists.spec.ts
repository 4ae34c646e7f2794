import { dress, expect, expectSound, looksAt, signIn, test } from './fixtures';

const ARTIFACT = {
  format: 1,
  inputs: ['amount', 'count(claim by device, 1h)'],
  link: 'logit',
  base: -4.6,
  trees: [[[1, 6, 1, true, 0.02], [-0.3], [1.9]]],
};

test('a list is made, filled by hand and by file, looked up, and an item is removed', async ({
  page,
  server,
  guard,
}) => {
  // A reason that is missing is said under its field.
  guard.expect(/status of 400/);
  await signIn(page, server, 'analyst', '/lists');
  await page.keyboard.press('n');
  const making = page.getByRole('dialog', { name: 'New list' });
  await making.getByLabel('List').fill('e2e <i>devices</i>');
  await making.getByRole('button', { name: 'New list' }).click();
  await expect(making).toBeHidden();
  await expect(page.getByRole('heading', { name: 'e2e <i>devices</i>' })).toBeVisible();

  await page.getByRole('button', { name: 'Add item' }).click();
  const adding = page.getByRole('dialog');
  await adding.getByLabel('Devices').fill('e2e-farm-*');
  await adding.getByRole('button', { name: 'Add item' }).click();
  await expect(adding.getByText('/reason')).toBeVisible();
  await adding.getByLabel('Reason').fill('Rooted <b>phones</b>');
  await adding.getByLabel('Expires').fill('2099-01-01T00:00');
  await adding.getByRole('button', { name: 'Add item' }).click();
  await expect(adding).toBeHidden();
  const items = page.getByRole('grid', { name: /^Items of/ });
  await expect(items).toContainText('e2e-farm-*');
  await expect(items).toContainText('Rooted <b>phones</b>');

  await page.getByRole('button', { name: 'Upload CSV' }).click();
  const uploading = page.getByRole('dialog');
  const csv = 'value,reason,expires_at\ne2e-one,first,\n*,too much,\ne2e-two,second,2099-01-01T00:00:00Z\n';
  await uploading
    .getByLabel('File')
    .setInputFiles({ name: 'devices.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await uploading.getByRole('button', { name: 'Upload CSV' }).click();
  await expect(uploading.getByText('2 of 3 added, 1 refused')).toBeVisible();
  const refused = uploading.getByRole('region', { name: 'Refused lines' });
  await expect(refused.getByRole('row').filter({ hasText: '*,too much,' })).toContainText('3');
  await uploading.getByRole('button', { name: 'Close' }).last().click();
  await expect(items).toContainText('e2e-two');

  const lookup = page.getByLabel('Is it on a list?');
  await page.keyboard.press('/');
  await expect(lookup).toBeFocused();
  await lookup.fill('e2e-farm-77');
  await page.keyboard.press('Enter');
  await expect(page.getByText('e2e-farm-77 is on 1 list:')).toBeVisible();
  await lookup.fill('nobody-knows-it');
  await page.keyboard.press('Enter');
  await expect(page.getByText('nobody-knows-it is on no list.')).toBeVisible();

  await items.getByRole('button', { name: 'Remove e2e-one' }).click();
  const removing = page.getByRole('dialog');
  await removing.getByLabel('Reason').fill('By mistake');
  await removing.getByRole('button', { name: 'Remove' }).click();
  await expect(removing).toBeHidden();
  await expect(items).not.toContainText('e2e-one');
});

test('a model that cannot be used says why, and one that can is kept with its metrics', async ({
  page,
  server,
  guard,
}) => {
  guard.expect(/status of 422/);
  await signIn(page, server, 'analyst', '/models');
  await page.keyboard.press('n');
  const dialog = page.getByRole('dialog', { name: 'Upload model' });
  const choose = async (content: unknown): Promise<void> => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await dialog
      .getByLabel('File')
      .setInputFiles({ name: 'm.json', mimeType: 'application/json', buffer: Buffer.from(text) });
    await dialog.getByRole('button', { name: 'Upload model' }).click();
  };
  await choose('{"format": 1,');
  await expect(dialog.getByText('This file is not JSON')).toBeVisible();
  await choose({ ...ARTIFACT, inputs: ['amount', 'count(claim by devise, 1h)'] });
  await expect(dialog.getByText('The artifact cannot be used')).toContainText('devise');
  await dialog.getByLabel('Comment').fill('Trained on <b>November</b>');
  await choose({ artifact: ARTIFACT, metrics: { auc: 0.8712 } });
  await expect(page.getByRole('heading', { name: /^score v\d+$/ })).toBeVisible();
  await expect(page.getByText('0.8712')).toBeVisible();
  await expect(page.getByText('Trained on <b>November</b>').first()).toBeVisible();
  await expect(page.getByRole('img', { name: /1 splits over 2 inputs/ })).toBeVisible();
  await page.getByRole('button', { name: 'Propose live' }).click();
  const proposing = page.getByRole('dialog');
  await proposing.getByLabel('Reason').fill('Better than none');
  await proposing.locator('button[type=submit]').click();
  await expect(page.getByText('nobody approves their own proposal')).toBeVisible();
});

for (const width of [1440, 390]) {
  test(`lists and models are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    const lead = await server.api('analyst_lead');
    const lists = await lead.call('GET', '/v1/risk/lists');
    const model = await lead.call('POST', '/v1/risk/models', { artifact: ARTIFACT, metrics: { auc: 0.9 } });
    await signIn(page, server, 'analyst_lead', '/lists');
    for (const look of looksAt(width)) {
      await dress(page, look);
      for (const path of [`/lists?list=${lists.body.data[0].id}`, '/models', `/models/${model.body.id}/1`]) {
        await page.goto(`/#${path}`);
        await expect(page.getByRole('grid').first()).toBeVisible();
        await expectSound(page);
      }
    }
  });
}
