import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';

test('a password opens the first page, and a wrong one says so', async ({ page, server }) => {
  const { name, password } = await server.user('engineer');
  await page.goto('/#/audit');
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(`${password}x`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('The name or the password is wrong.')).toBeVisible();
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Audit log' })).toBeVisible();
});

test('the printed link signs in, and leaves the address', async ({ page, server }) => {
  await page.goto(server.link);
  await expect(page.getByRole('navigation')).toBeVisible();
  expect(page.url()).not.toContain('token');
});

test('the audit log shows what was done, and is filtered through the address', async ({ page, server }) => {
  const engineer = await server.api('engineer');
  const { status, body } = await engineer.call('POST', '/v1/merchants', { name: '<b>Audited</b>', mode: 'test' });
  expect(status).toBe(201);
  await signIn(page, server, 'engineer', `/audit?object=${body.id}`);
  const table = page.getByRole('grid', { name: 'Audit log' });
  await expect(table.getByRole('row')).toHaveCount(2);
  await expect(table).toContainText(body.id);
  await page.getByLabel('On what').fill('nothing-has-this-id');
  await page.keyboard.press('Enter');
  await expect(page.getByText('No deed fits')).toBeVisible();
  expect(page.url()).toContain('object=nothing-has-this-id');
});

test('? lists the keys, and / goes to the search field', async ({ page, server }) => {
  await signIn(page, server, 'engineer', '/audit');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toContainText('Go to Audit log');
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await expect(page.getByLabel('Who')).toBeFocused();
});

for (const width of [1440, 390]) {
  test(`sign-in and audit log are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 900 });
    await page.goto('/#/sign-in');
    for (const look of LOOKS) {
      await dress(page, look);
      await expect(page.getByRole('heading')).toBeVisible();
      await expectSound(page);
    }
    await signIn(page, server, 'engineer', '/audit');
    for (const look of LOOKS) {
      await dress(page, look);
      await expect(page.getByRole('grid')).toBeVisible();
      await expectSound(page);
    }
  });
}
