import type { Browser, Page } from '@playwright/test';
import { dress, expect, expectSound, looksAt, signIn, test } from './fixtures';
import type { Server } from './server';

const GOOD = `rule e2e_many {
  when count(claim by device, 1h) > 2
  then review score 100
  reason "{n} claims of one device"
}
`;

/** A page of the second person, in a browser of their own. */
async function second(browser: Browser, server: Server, path: string): Promise<Page> {
  const context = await browser.newContext({ baseURL: server.base, locale: 'en-GB' });
  const page = await context.newPage();
  await signIn(page, server, 'analyst_lead', path, 'two');
  return page;
}

/** Replaces all that stands in the editor. */
async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Text of the rules' }).click();
  await page.keyboard.press('Control+a');
  // Typing over coloured text, Chromium writes the colour into a style attribute, which the policy blocks and reports.
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

/** Says why, and does it. */
async function confirm(page: Page, reason: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill(reason);
  await dialog.locator('button[type=submit]').click();
  await expect(dialog).toBeHidden();
}

async function save(page: Page, comment: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Save as new version' });
  await dialog.getByLabel('Comment').fill(comment);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toBeHidden();
}

test('a rule from a typing error to a back-test, to the shadow, live by two people, and back', async ({
  page,
  server,
  browser,
}) => {
  // Two people and nine steps, each of which the log has to take.
  test.setTimeout(120_000);
  await signIn(page, server, 'analyst_lead', '/rules');
  await page.keyboard.press('n');
  await page.getByLabel('Name').fill('e2e <b>set</b>');

  // The error is marked where it stands, listed, and gone to.
  await write(page, GOOD.replace('device', 'devise'));
  const problems = page.getByRole('list', { name: 'Problems' });
  await expect(problems).toContainText('Line 2, column 23:');
  await expect(problems).toContainText('`devise` is no field');
  await expect(page.locator('.cm-lintRange-error')).toHaveText('devise');
  await expect(page.getByRole('button', { name: 'Save as draft' })).toBeDisabled();
  await problems.getByRole('button').click();
  await page.keyboard.press('Control+Delete');
  await page.keyboard.insertText('device');
  await expect(page.getByText('1 rule, nothing is wrong.')).toBeVisible();
  await expect(problems).toBeHidden();

  // What is tried is the text as it stands; looking at the result does not lose it.
  await page.getByRole('button', { name: 'Run back-test' }).click();
  await expect(page).toHaveURL(/#\/backtests\/bkt_/);
  await expect(page.getByText('Features are equal')).toBeVisible();
  for (const chart of ['Decisions by action', 'Orders’ amounts']) {
    await expect(page.getByRole('img', { name: chart })).toBeVisible();
  }
  await expect(page.getByRole('grid', { name: 'Rules' })).toContainText('e2e_many');
  await expect(page.getByText('¥').first()).toBeVisible();
  await page.goBack();
  await expect(page.getByLabel('Name')).toHaveValue('e2e <b>set</b>');
  await page.getByRole('button', { name: 'Save as draft' }).click();
  await save(page, 'Many claims of one device');
  await expect(page.getByRole('heading', { name: 'e2e <b>set</b> v1' })).toBeVisible();
  const life = page.locator('aside section').filter({ has: page.getByRole('heading', { name: 'Life' }) });
  await expect(life).toContainText('Draft');

  await life.getByRole('button', { name: 'To the shadow' }).click();
  await confirm(page, 'See what it hits');
  await expect(life).toContainText('Shadow');
  await life.getByRole('button', { name: 'Propose live' }).click();
  await confirm(page, 'Nothing honest was hit');
  await expect(life).toContainText('nobody approves their own proposal');
  await expect(life.getByRole('button', { name: 'Approve' })).toBeHidden();

  const other = await second(browser, server, '/rules');
  await expect(other.getByText('1 step waits for your approval')).toBeVisible();
  await other.getByRole('link', { name: 'e2e <b>set</b> v1' }).click();
  await other.getByRole('button', { name: 'Approve' }).click();
  await confirm(other, 'Looked at it');
  await expect(other.locator('aside').first()).toContainText('Live');

  // A further version takes its place, and gives it back.
  await page.reload();
  await write(page, GOOD.replace('> 2', '> 1'));
  await expect(page.getByText('1 rule, nothing is wrong.')).toBeVisible();
  await page.getByRole('button', { name: 'Save as new version' }).click();
  await save(page, 'Stricter');
  await expect(page.getByRole('heading', { name: 'e2e <b>set</b> v2' })).toBeVisible();
  await page.getByRole('tab', { name: 'Changes' }).click();
  await expect(page.getByRole('region', { name: 'Changes line by line' })).toContainText('> 1');
  await life.getByRole('button', { name: 'Propose live' }).click();
  await confirm(page, 'Stricter is better');
  await other.goto(page.url());
  await other.reload();
  await other.getByRole('button', { name: 'Approve' }).click();
  await confirm(other, 'Let us see');
  await other.getByRole('button', { name: 'Roll back' }).click();
  await confirm(other, 'Too strict');
  await expect(other.getByText('v1: Live')).toBeVisible();
  await page.reload();
  const versions = page.locator('.versions li');
  await expect(versions.filter({ hasText: 'v1' })).toContainText('Live');
  await expect(versions.filter({ hasText: 'v2' })).toContainText('Retired');
  await page.getByRole('tab', { name: 'History' }).click();
  await expect(page.getByRole('grid', { name: 'Who did what' })).toContainText('Rolled back');
  await expect(page.getByRole('grid', { name: 'Who did what' })).toContainText('analyst_lead two');
  await other.context().close();
});

test('completion offers what the server can count', async ({ page, server }) => {
  await signIn(page, server, 'analyst', '/rules/new');
  await write(page, 'rule a { when count(claim by ');
  await page.keyboard.type('dev');
  // The list takes no key in its first moments, so that an Enter that was meant for the text chooses nothing.
  await page.getByRole('option', { name: 'device', exact: true }).click();
  await expect(page.getByRole('textbox', { name: 'Text of the rules' })).toContainText('claim by device');
});

test('numbers of rules lead to a rule’s page, and a snooze begins and ends', async ({ page, server }) => {
  await signIn(page, server, 'analyst', '/rules');
  const numbers = page.getByRole('grid', { name: 'Live rules' });
  await expect(numbers.getByRole('link', { name: 'device_many_users' })).toBeVisible();
  await numbers.getByRole('link', { name: 'device_many_users' }).click();
  await expect(page.getByRole('heading', { name: 'device_many_users' })).toBeVisible();
  await expect(page.getByText('distinct(user by device, 24h) > 3')).toBeVisible();
  await page.keyboard.press('z');
  const dialog = page.getByRole('dialog', { name: 'Snooze a rule' });
  await dialog.getByLabel('Which one').fill('<img src=x onerror=alert(1)>');
  await dialog.getByLabel('Reason').fill('<script>alert(1)</script> our tester');
  await dialog.getByRole('button', { name: 'Snooze a rule' }).click();
  await expect(dialog).toBeHidden();
  await page.goto('/#/rules?tab=snoozes');
  const snoozes = page.getByRole('grid', { name: 'Snoozes' });
  const row = snoozes.getByRole('row').filter({ hasText: 'our tester' });
  await expect(row).toContainText('<script>alert(1)</script> our tester');
  await row.getByRole('button', { name: 'End' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End' }).click();
  await expect(row).toContainText('Ended');
});

test('a back-test is cancelled, and one that is gone says so', async ({ page, server, guard }) => {
  guard.expect(/status of (404|409)/);
  const analyst = await server.api('analyst');
  const { body } = await analyst.call('POST', '/v1/risk/backtests', {
    text: GOOD,
    from: new Date(Date.now() - 86_400_000).toISOString(),
    until: new Date().toISOString(),
  });
  await signIn(page, server, 'analyst', `/backtests/${body.id}`);
  // A short past is gone through before anybody could stop it; either way the page says what became of it.
  const cancel = page.getByRole('button', { name: 'Cancel back-test' });
  await expect(cancel.or(page.getByText('Features are equal'))).toBeVisible();
  await page.goto('/#/backtests/bkt_0000000000000000');
  await expect(page.getByText('This back-test is gone')).toBeVisible();
  await page.goto('/#/rules?tab=backtests');
  const tried = page.getByRole('grid', { name: 'Back-tests' }).locator(`a[href$="/backtests/${body.id}"]`);
  await expect(tried).toHaveText('Draft');
});

test('what an analyst may not approve is not offered, and merchants do not see rules', async ({ page, server }) => {
  const lead = await server.api('analyst_lead');
  const name = `waits-${Date.now()}`;
  const pushed = await lead.call('POST', '/v1/risk/rulesets', { name, text: GOOD });
  const path = `/v1/risk/rulesets/${pushed.body.id}/versions/1/submit`;
  expect((await lead.call('POST', path, { to: 'live', comment: 'Please' })).status).toBe(200);
  await signIn(page, server, 'analyst', `/rules/${pushed.body.id}/1`);
  await expect(page.getByText('A lead analyst decides.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Approve' })).toBeHidden();
  await signIn(page, server, 'merchant', '/rules');
  await page.reload();
  await expect(page.getByText('Your role may not open this page')).toBeVisible();
});

for (const width of [1440, 390]) {
  test(`rules are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    test.setTimeout(120_000);
    await page.setViewportSize({ width, height: 900 });
    const lead = await server.api('analyst_lead');
    const { body } = await lead.call('GET', '/v1/risk/rulesets');
    const starter = body.data.find((set: { name: string }) => set.name === 'starter').id as string;
    // A short text: axe looks at every word of the editor.
    const short = body.data.find((set: { name: string }) => set.name === 'weekend').id as string;
    const tried = await lead.call('POST', '/v1/risk/backtests', {
      ruleset: { id: starter, version: 2 },
      from: new Date(Date.now() - 86_400_000).toISOString(),
      until: new Date().toISOString(),
    });
    await signIn(page, server, 'analyst_lead', '/rules');
    const paths: [string, string][] = [
      ['/rules', 'Live rules'],
      ['/rules?tab=shadow', 'Difference'],
      ['/rules?tab=together&as=table', 'Co-occurrence'],
      [`/rules/${short}/1`, 'nothing is wrong'],
      [`/rules/${starter}/2?tab=diff`, 'removed'],
      [`/rule/${starter}%2Fdevice_many_users`, 'In the shadow'],
      [`/backtests/${tried.body.id}?ruleset=${starter}&version=2&name=starter`, 'Features are'],
    ];
    for (const look of looksAt(width)) {
      await dress(page, look);
      for (const [path, text] of paths) {
        await page.goto(`/#${path}`);
        await expect(page.locator('main h1')).toBeVisible();
        if (look.language === 'en') await expect(page.locator('main').getByText(text).first()).toBeAttached();
        await expectSound(page);
      }
    }
  });
}
