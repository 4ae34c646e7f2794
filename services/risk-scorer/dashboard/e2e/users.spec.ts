import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';
import { loadReport, storeLoadTest } from './loadReport';
import { fresh, openShop } from './merchant';

test('an engineer makes a user, whose link works once; a disabled one is out', async ({
  page,
  server,
  browser,
  guard,
}) => {
  guard.expect(/status of 4\d\d .*\/v1\/users/);
  const name = fresh('new');
  await signIn(page, server, 'engineer', '/users');
  await page.keyboard.press('n');
  const dialog = page.getByRole('dialog', { name: 'Make a user' });
  await dialog.getByLabel('Name').fill('Not A Name');
  await dialog.getByRole('button', { name: 'Make a user' }).click();
  await expect(dialog.getByText('must be 2 to 64')).toBeVisible();
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Role').selectOption('analyst');
  await dialog.getByRole('button', { name: 'Make a user' }).click();
  const shown = page.getByRole('dialog', { name: `One-time link for ${name}` });
  const link = await shown.getByRole('textbox').inputValue();
  expect(link).toContain(`${server.base}/#/sign-in?token=`);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('textbox', { name: /One-time link/ })).toHaveCount(0);

  const other = await browser.newPage({ baseURL: server.base, locale: 'en-GB' });
  await other.goto(link);
  await expect(other.getByRole('navigation')).toBeVisible();
  // A password of one's own, without the old one: the session began with a link.
  const password = fresh('a-password');
  await other.getByRole('button', { name: 'Account' }).click();
  await other.getByRole('button', { name: 'Change password' }).click();
  await other.getByLabel(/^New password \(/).fill('short');
  await other.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByText('At least 12 characters are needed.')).toBeVisible();
  await other.getByLabel(/^New password \(/).fill(password);
  await other.getByLabel('New password, once more').fill(password);
  await other.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByText('Password changed.')).toBeVisible();

  const row = page.getByRole('row', { name: new RegExp(name) });
  await row.getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await expect(row).toContainText('Disabled');
  await other.reload();
  await expect(other.getByLabel('User name')).toBeVisible();
  await other.getByLabel('User name').fill(name);
  await other.getByLabel('Password').fill(password);
  await other.getByRole('button', { name: 'Sign in' }).click();
  await expect(other.getByText('The name or the password is wrong.')).toBeVisible();
  await other.close();
});

test('who may not is told so, and the API refuses', async ({ page, server }) => {
  const shop = await openShop(server);
  await signIn(page, server, 'merchant', '/users', 'stranger', shop.id);
  for (const address of ['/users', '/settings']) {
    await page.goto(`/#${address}`);
    await expect(page.getByText('Your role may not open this page')).toBeVisible();
  }
  // Pages of others are explained too, once they are there.
  const navigation = page.getByRole('navigation');
  for (const closed of ['Users', 'Settings', 'Rules', 'Queue']) {
    await expect(navigation.getByRole('link', { name: closed, exact: true })).toHaveCount(0);
  }
  for (const path of ['/v1/risk/rulesets', '/v1/risk/cases', '/v1/risk/penalty-ladder', '/v1/users']) {
    expect((await page.request.get(path)).status(), path).toBe(403);
  }
  const elsewhere = await openShop(server);
  for (const path of [`/v1/stocks/${elsewhere.stock}`, `/v1/merchants/${elsewhere.id}`]) {
    expect((await page.request.get(path)).status(), path).toBe(404);
  }
});

test('a session that ended says so, keeps the page, and goes on after signing in again', async ({
  page,
  server,
  guard,
}) => {
  guard.expect(/status of 401/);
  const shop = await openShop(server);
  await signIn(page, server, 'merchant', `/stocks/${shop.stock}?tab=codes`, 'expiring', shop.id);
  await expect(page.getByRole('heading', { name: 'Ten off 十元券' })).toBeVisible();
  await page.context().clearCookies();
  await page.getByRole('tab', { name: 'Coupons' }).click();
  await expect(page.getByText('Your session has ended.')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Ten off 十元券' })).toBeVisible();
  await page.getByRole('button', { name: 'Sign in again' }).click();
  const { password } = await server.user('merchant', 'expiring');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await expect(page.getByText('Your session has ended.')).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'Ten off 十元券' })).toBeVisible();
  await expect(page.getByText('No coupon fits')).toBeVisible();
});

test('two load tests side by side, and the report as a page', async ({ page, server }, info) => {
  const shop = await openShop(server);
  const slow = await storeLoadTest(server, shop.id, 'FAIL', { profile: 'slow', factor: 2 });
  await storeLoadTest(server, shop.id, 'PASS', { profile: 'quick' });
  const unsound = loadReport('PASS', { profile: 'unsound' });
  const stored = await shop.api.call('POST', '/v1/load-tests', { report: { ...unsound, audit: { sound: false } } });
  expect(stored.body.passed).toBe(false);

  await signIn(page, server, 'merchant', '/load-tests', 'testing', shop.id);
  await page.getByRole('checkbox', { name: 'Compare slow' }).check();
  await page.getByRole('checkbox', { name: 'Compare quick' }).check();
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  expect(page.url()).toContain(`/load-tests/${slow}`);
  const table = page.getByRole('region', { name: 'Side by side' });
  await expect(table.getByRole('row', { name: /^p99 / })).toContainText('−50.0%');
  await expect(page.getByText('FAIL', { exact: true }).first()).toBeVisible();
  await expect(page.getByText('PASS', { exact: true }).first()).toBeVisible();

  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as a page' }).first().click();
  const file = info.outputPath('report.html');
  await (await saved).saveAs(file);
  const view = await page.context().newPage();
  await view.goto(`file://${file}`);
  await expect(view.getByRole('heading', { name: 'Load test slow' })).toBeVisible();
  await view.close();
});

test('risk settings hold, and a number that cannot be is refused at its field', async ({ page, server, guard }) => {
  guard.expect(/status of 4\d\d .*\/v1\/risk\/settings/);
  const shop = await openShop(server);
  await signIn(page, server, 'analyst_lead', `/settings?merchant=${shop.id}`);
  await page.getByLabel('Abnormal share of a day, %').fill('200');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('must be 0 to 10,000')).toBeVisible();
  await page.getByLabel('Abnormal share of a day, %').fill('7.5');
  await page.getByLabel('What is to be reviewed waits for a person').check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('The settings hold now.')).toBeVisible();
  const { body } = await (await server.api('analyst')).call('GET', `/v1/risk/settings?merchant_id=${shop.id}`);
  expect(body).toMatchObject({ abnormal_share_bp: 750, review_holds: true, version: expect.any(Number) });
});

for (const width of [1440, 390]) {
  test(`settings, users and load tests are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    const merchant = await server.merchantId();
    const stored = await storeLoadTest(server, merchant, 'PASS');
    await signIn(page, server, 'engineer', '/users');
    for (const address of ['/users', '/settings', `/load-tests?merchant=${merchant}`, `/load-tests/${stored}`]) {
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
