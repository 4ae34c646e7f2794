import { openCases, queueName } from './cases';
import { dress, expect, expectSound, LOOKS, signIn, test } from './fixtures';

test('a case is worked by keyboard alone, from the queue to the label to the next case, and back', async ({
  page,
  server,
}) => {
  const queue = queueName();
  const [first, second] = await openCases(server, await server.api('analyst_lead'), queue, 2);
  if (!first || !second) throw new Error('two cases were opened');
  await signIn(page, server, 'analyst', `/cases?queue=${queue}`);
  const table = page.getByRole('grid', { name: 'Cases' });
  await expect(table.getByRole('row')).toHaveCount(3);
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: first.user })).toBeVisible();
  await expect(page.getByText('You, until')).toBeVisible();

  await page.keyboard.press('n');
  await expect(page.getByRole('dialog', { name: 'Note' })).toBeVisible();
  await page.keyboard.type('Seen at the till');
  await page.keyboard.press('Enter');
  await expect(page.locator('article').getByText('Seen at the till')).toBeVisible();

  await page.keyboard.press('l');
  await page.keyboard.type('Resold on a market');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Labelled.')).toBeVisible();

  // A reason that was given before is taken by its digit.
  await page.keyboard.press('b');
  await expect(page.getByRole('dialog', { name: 'Close as fraud' })).toBeVisible();
  await page.keyboard.press('1');
  await expect(page.getByRole('textbox', { name: 'Reason' })).toHaveValue('Many accounts on one device');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: second.user })).toBeVisible();
  await expect(page.getByText('Closed as fraud.')).toBeVisible();
  const api = await server.api('analyst_lead');
  const closed = await api.call('GET', `/v1/risk/cases/${first.id}`);
  expect([closed.body.state, closed.body.outcome]).toEqual(['closed', 'fraud']);
  expect((await api.call('GET', `/v1/risk/decisions/${first.decision}`)).body.label).toBe('fraud');

  await page.keyboard.press('u');
  await expect(page.getByRole('heading', { name: first.user })).toBeVisible();
  await expect(page.getByText('Undone')).toBeVisible();
  await expect
    .poll(async () => (await api.call('GET', `/v1/risk/cases/${first.id}`)).body.state as string)
    .toBe('claimed');
  // The case that had opened meanwhile is free again.
  await expect
    .poll(async () => (await api.call('GET', `/v1/risk/cases/${second.id}`)).body.state as string)
    .toBe('open');
});

test('the reason is asked for, and the last case leads back to the queue', async ({ page, server }) => {
  const queue = queueName();
  await openCases(server, await server.api('analyst_lead'), queue, 1);
  await signIn(page, server, 'analyst', `/cases?queue=${queue}`);
  await expect(page.getByRole('grid', { name: 'Cases' })).toBeVisible();
  await page.keyboard.press('n');
  await expect(page.getByRole('heading', { name: `${queue}-user-0` })).toBeVisible();
  await page.keyboard.press('a');
  await page.keyboard.press('Enter');
  await expect(page.getByText('A reason is needed.')).toBeVisible();
  await page.keyboard.type('Known customer');
  await page.keyboard.press('Enter');
  await expect(page.getByText('No case is open here.')).toBeVisible();
  await expect(page.getByText('No case here')).toBeVisible();
});

test('of two analysts one has the case, and the other is told who', async ({ page, server, guard }) => {
  guard.expect(/status of 409 .*\/v1\/risk\/cases\//);
  const queue = queueName();
  const [made] = await openCases(server, await server.api('analyst_lead'), queue, 1);
  if (!made) throw new Error('a case was opened');
  const other = await server.api('analyst', 'two');
  const who = (await other.call('GET', '/v1/sessions/current')).body.user.id as string;
  await signIn(page, server, 'analyst', `/cases/${made.id}`);
  await expect(page.getByRole('heading', { name: made.user })).toBeVisible();
  await page.keyboard.press('c');
  await page.keyboard.type('Too little to tell');
  expect((await other.call('POST', `/v1/risk/cases/${made.id}/claim`)).status).toBe(200);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText(`${who} has this case until`);
  await page.keyboard.press('Escape');
  await expect(page.getByText(`${who} works on this case until`)).toBeVisible();
  // What would be refused is not offered; what anybody may, is.
  await page.keyboard.press('b');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('n');
  await expect(page.getByRole('dialog', { name: 'Note' })).toBeVisible();
});

test('a case that is snoozed, escalated or let go leaves the queue', async ({ page, server }) => {
  const queue = queueName();
  const made = await openCases(server, await server.api('analyst_lead'), queue, 3);
  await signIn(page, server, 'analyst', `/cases?queue=${queue}`);
  await expect(page.getByRole('grid', { name: 'Cases' })).toBeVisible();
  await page.keyboard.press('n');
  for (const [index, key] of ['s', 'e'].entries()) {
    await expect(page.getByRole('heading', { name: made[index]?.user ?? '' })).toBeVisible();
    await page.keyboard.press(key);
    await page.keyboard.press('1');
    await page.keyboard.press('Enter');
  }
  await expect(page.getByRole('heading', { name: made[2]?.user ?? '' })).toBeVisible();
  await page.keyboard.press('r');
  await expect(page.getByText('The case is free again.')).toBeVisible();
  const api = await server.api('analyst_lead');
  const states = await Promise.all(made.map(async ({ id }) => (await api.call('GET', `/v1/risk/cases/${id}`)).body));
  expect(states.map((each) => `${each.state} ${each.queue === queue ? 'here' : each.queue}`)).toEqual([
    'snoozed here',
    'open lead',
    'open here',
  ]);
});

test('what callers and analysts write is shown as text', async ({ page, server }) => {
  const queue = queueName();
  const lead = await server.api('analyst_lead');
  const user = `<img src=x onerror=alert(1)>${queue}`;
  const subject = { user_id: user, device_id: '"><script>alert(2)</script>', ip: '203.0.113.9' };
  const merchant_id = await server.merchantId();
  const { body } = await lead.call('POST', '/v1/risk/decisions', { event: 'claim', subject, merchant_id });
  const opened = await lead.call('POST', '/v1/risk/cases', { queue, decision_ids: [body.id], note: '<b>bold</b>' });
  expect(opened.status, JSON.stringify(opened.body)).toBe(201);
  await signIn(page, server, 'analyst', `/cases/${opened.body.id}`);
  await expect(page.getByRole('heading', { name: user })).toBeVisible();
  await expect(page.locator('article').getByText('<b>bold</b>')).toBeVisible();
  await page.getByRole('link', { name: user }).click();
  await expect(page.getByRole('heading', { name: user })).toBeVisible();
});

for (const width of [1440, 390]) {
  test(`queue and case are sound in every look, ${width} pixels wide`, async ({ page, server }) => {
    const queue = queueName();
    const [made] = await openCases(server, await server.api('analyst_lead'), queue, 2);
    await signIn(page, server, 'analyst');
    await page.setViewportSize({ width, height: 900 });
    for (const path of [`/cases?queue=${queue}`, `/cases/${made?.id}`]) {
      await page.goto(`/#${path}`);
      for (const look of LOOKS) {
        await dress(page, look);
        await expect(page.getByRole('grid').first()).toBeVisible();
        await expectSound(page);
      }
    }
  });
}
