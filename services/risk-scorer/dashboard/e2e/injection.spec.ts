import type { Page } from '@playwright/test';
import { expect, signIn, test } from './fixtures';
import { storeLoadTest } from './loadReport';
import { STOCK, type Shop } from './merchant';
import { addressOf, registered, viewer } from './registry';
import type { Caller, Role, Server } from './server';

/** What a caller may try, each with a mark by which it is found as text. */
const MARK = 'xq7';
const IMAGE = `<img src=x onerror="window.${MARK}=1">${MARK}`;
const SCRIPT = `</script><script>window.${MARK}=1</script>${MARK}`;
const LINK = `javascript:window.${MARK}=1//${MARK}`;
const FORMULA = `=HYPERLINK("http://evil.invalid/${MARK}","${MARK}")`;
const TURNED = `\u202egnp.${MARK}\u2066<svg onload=window.${MARK}=1>`;
const LONG = `${MARK}${'W'.repeat(100)}`;
/** All at once, for fields that are long enough. */
const ALL = [IMAGE, SCRIPT, LINK, FORMULA, TURNED].join(' ');

type Call = (path: string, body: unknown) => Promise<Record<string, unknown>>;

function calls(api: Caller): Call {
  return async (path, body) => {
    const answer = await api.call('POST', path, body);
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as Record<string, unknown>;
  };
}

/** A merchant all of whose words are hostile, with stores, stocks, codes, claims and redemptions. */
async function hostileShop(server: Server): Promise<Shop> {
  const name = IMAGE.slice(0, 128);
  const merchant = await calls(await server.platform())('/v1/merchants', { name, mode: 'test' });
  const api = await server.merchant(String(merchant.id));
  const post = calls(api);
  const store = await post('/v1/stores', { name: SCRIPT.slice(0, 128) });
  const stock = await post('/v1/stocks', {
    ...STOCK,
    name: IMAGE,
    terms: ALL,
    reference: LINK,
    metadata: { note: ALL.slice(0, 200) },
  });
  await post(`/v1/stocks/${String(stock.id)}/activate`, undefined);
  const pool = await post('/v1/stocks', { ...STOCK, name: LONG, code_mode: 'pool' });
  await post(`/v1/stocks/${String(pool.id)}/codes`, { count: 3, label: SCRIPT.slice(0, 128) });
  for (const [index, words] of [IMAGE, SCRIPT, LINK, FORMULA, TURNED, LONG].entries()) {
    const context = { device_id: words, user_agent: words, ip: `203.0.113.${index + 1}` };
    const who = { user_id: `${words}`, channel: words.slice(0, 60), context };
    const coupon = await post('/v1/claims', {
      stock_id: stock.id,
      ...who,
      reference: words,
      metadata: { note: words },
    });
    await post('/v1/redemptions', {
      coupons: [{ coupon_id: coupon.coupon_id }],
      user_id: words,
      order: { id: `${words.slice(0, 100)}${index}`, amount: 4200, currency: 'CNY' },
      store_id: store.id,
      cashier_id: words.slice(0, 64),
      terminal_id: words.slice(0, 64),
      context,
      reference: words,
      metadata: { note: words },
    });
  }
  return { id: String(merchant.id), name, stock: String(stock.id), api };
}

/** What analysts read of it: lists, notes, reasons, a penalty and its appeal, a case. */
async function hostileWork(server: Server, shop: Shop): Promise<void> {
  const lead = calls(await server.api('analyst_lead'));
  const list = await lead('/v1/risk/lists', { name: IMAGE.slice(0, 64), mode: 'watch', item_type: 'device' });
  await lead(`/v1/risk/lists/${String(list.id)}/items`, { value: IMAGE, reason: ALL });
  await lead('/v1/risk/rulesets', {
    name: 'hostile',
    comment: ALL,
    text: `# ${IMAGE}\nrule ${MARK} { when count(claim by device, 1h) > 1000 then review score 1 reason "${IMAGE.replaceAll('"', "'")}" }`,
  });
  const penalty = await lead('/v1/risk/penalties', {
    merchant_id: shop.id,
    violation: 'false_advertising',
    evidence: [IMAGE, SCRIPT, LINK, FORMULA, TURNED, { note: ALL }],
  });
  await calls(shop.api)('/v1/risk/appeals', {
    penalty_id: penalty.id,
    statement: ALL,
    evidence: [IMAGE, { [IMAGE]: SCRIPT }],
  });
  const subject = { kind: 'device', value: IMAGE };
  const opened = await lead('/v1/risk/cases', { queue: 'hostile', subject, note: ALL, merchant_id: shop.id });
  await lead(`/v1/risk/cases/${String(opened.id)}/claim`, undefined);
  await lead(`/v1/risk/cases/${String(opened.id)}/notes`, { text: ALL });
  await lead(`/v1/risk/cases/${String(opened.id)}/snooze`, {
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: ALL,
  });
}

/** True where nothing of it ran, and no element was made of it. */
async function ran(page: Page): Promise<{ global: unknown; elements: string[] }> {
  return page.evaluate((mark) => {
    const hostile = 'img[src="x"], svg[onload], [onerror], a[href^="javascript:"], script:not([src])';
    const elements = [...document.querySelectorAll(hostile)].map((element) => element.outerHTML.slice(0, 200));
    return { global: (window as unknown as Record<string, unknown>)[mark], elements };
  }, MARK);
}

test('what callers control is text on every page', async ({ page, server, guard }) => {
  test.setTimeout(240_000);
  // What a page may not read is its own tests' matter; what runs, or asks another host, is this one's.
  guard.expect(/^console: Failed to load resource/);
  const dialogs: string[] = [];
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const shop = await hostileShop(server);
  await hostileWork(server, shop);
  await storeLoadTest(server, shop.id, 'PASS', { profile: IMAGE, about: ALL });

  const seen: string[] = [];
  const visit = async (address: string): Promise<void> => {
    await page.goto(`/#${address}`);
    await expect(page.locator('main h1, main .empty, main .error').first()).toBeVisible();
    await expect(page.locator('main .skeleton')).toHaveCount(0);
    await page.waitForTimeout(150);
    expect(await ran(page), address).toEqual({ global: undefined, elements: [] });
    if ((await page.locator('body').innerText()).includes(MARK)) seen.push(address.split('?')[0] ?? '');
  };

  const subjects = [IMAGE, SCRIPT, LINK, FORMULA, TURNED].map(
    (value) => `/subjects/device/${encodeURIComponent(value)}`,
  );
  let signedIn: Role | null = null;
  for (const each of registered()) {
    const role = viewer(each);
    if (role !== signedIn) await signIn(page, server, role);
    signedIn = role;
    const address = await addressOf(each, server, shop.id);
    await visit(`${address}?merchant=${shop.id}`);
    if (each.pattern.startsWith('/subjects/')) for (const subject of subjects) await visit(subject);
  }
  // What only the merchant sees, and what opens over a page.
  const lead = await server.api('analyst_lead');
  const appeal = (await lead.call('GET', `/v1/risk/appeals?merchant_id=${shop.id}`)).body.data[0];
  await signIn(page, server, 'analyst_lead');
  await visit(`/appeals?appeal=${appeal.id}`);
  await expect(page.getByRole('dialog')).toContainText(IMAGE);
  await visit(`/penalties?penalty=${appeal.penalty_id}`);
  await expect(page.getByRole('dialog')).toContainText(LINK);
  await signIn(page, server, 'merchant', '/stocks', 'hostile', shop.id);
  const coupons = (await shop.api.call('GET', `/v1/coupons?stock_id=${shop.stock}`)).body.data as { id: string }[];
  for (const coupon of coupons.slice(0, 6)) await visit(`/stocks/${shop.stock}?coupon=${coupon.id}`);
  await expect(page.getByRole('dialog')).toContainText(MARK);
  await visit(`/stocks/${shop.stock}`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(IMAGE);
  await visit('/penalties');
  await visit('/appeals');

  expect(dialogs, 'dialogs').toEqual([]);
  // Where it must be, so that the test looks at pages that have it.
  for (const address of ['/stocks', `/stocks/${shop.stock}`, '/penalties', '/appeals', '/load-tests']) {
    expect(seen, `${address} shows what the caller sent`).toContain(address);
  }
});

test('an exported file has no formula of a caller', async ({ page, server }) => {
  const merchant = await calls(await server.platform())('/v1/merchants', { name: 'Exports', mode: 'test' });
  const api = await server.merchant(String(merchant.id));
  await calls(api)('/v1/stocks', { ...STOCK, name: `${FORMULA}` });
  await calls(api)('/v1/stocks', { ...STOCK, name: `@SUM(1+1)*cmd|' /C calc'!A0` });
  await signIn(page, server, 'merchant', '/stocks', 'exporting', String(merchant.id));
  await expect(page.getByRole('grid', { name: 'Stocks' })).toContainText('@SUM');
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: /as CSV/ }).click();
  const stream = await (await saved).createReadStream();
  const text = (await stream.toArray()).join('');
  expect(text).toContain("'=HYPERLINK");
  expect(text).toContain("'@SUM");
  expect(text).not.toMatch(/(^|[,\n])"?[=@]/m);
});
