import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test, expect, LOOKS, signIn, type Look } from './fixtures';
import { storeLoadTest } from './loadReport';
import { addressOf, registered, viewer } from './registry';
import type { Role } from './server';

const FOLDER = resolve(process.env['SCREENSHOTS'] ?? 'screenshots');
const WIDTHS = [1440, 390];
/** For charts to be drawn, and streams to have sent something. */
const SETTLE_MS = 900;

interface Shot {
  name: string;
  role: Role | null;
  address: string;
}

const nameOf = (pattern: string): string => pattern.slice(1).replaceAll('/:', '-').replaceAll('/', '-');
const fileOf = (shot: Shot, look: Look, width: number): string =>
  `${shot.name}.${look.language}.${look.theme}.${width}.png`;

/** All shots side by side: a row per page, and every look of it. */
function sheet(shots: readonly Shot[]): string {
  const images = (shot: Shot): string =>
    WIDTHS.flatMap((width) =>
      LOOKS.map((look) => {
        const file = fileOf(shot, look, width);
        return `<a href="${file}"><img src="${file}" alt="${file}" loading="lazy" class="w${width}"></a>`;
      }),
    ).join('\n');
  const rows = shots.map((shot) => `<section><h2>${shot.name}</h2><div>${images(shot)}</div></section>`).join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Counterfoil: every page in every look</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 16px; background: #777; color: #fff; }
div { display: flex; gap: 8px; align-items: start; overflow-x: auto; }
img { height: 340px; width: auto; object-fit: cover; object-position: top; display: block; }
.w1440 { width: 420px; } .w390 { width: 160px; }
</style></head><body><h1>${shots.length} pages, ${LOOKS.length} looks, ${WIDTHS.join(' and ')} pixels wide</h1>
${rows}
</body></html>
`;
}

test('every page in every look', async ({ page, server, guard }) => {
  // A page that is left while it still reads is no matter here.
  guard.expect(/.*/);
  await mkdir(FOLDER, { recursive: true });
  const merchant = await server.merchantId();
  await storeLoadTest(server, merchant, 'FAIL', { factor: 1.6 });

  const only = process.env['ONLY'];
  const shots: Shot[] = [{ name: 'sign-in', role: null, address: '/sign-in' }];
  for (const each of registered()) {
    const address = await addressOf(each, server, merchant);
    const names: Record<string, string> = {
      '/load-tests/:id': 'merchant',
      '/stocks/:id': 'merchant',
      '/subjects/:kind/:value': 'merchant_id',
    };
    const name = names[each.pattern];
    const query = name ? `?${name}=${merchant}` : '';
    shots.push({ name: nameOf(each.pattern), role: viewer(each), address: address + query });
    // What merchants see of the pages that they share with analysts is another page.
    if (['/stocks', '/stocks/:id', '/penalties', '/appeals'].includes(each.pattern)) {
      shots.push({ name: `${nameOf(each.pattern)}-merchant`, role: 'merchant', address });
    }
  }
  const wanted = shots.filter((shot) => !only || new RegExp(only).test(shot.name));

  let signedIn: Role | null = null;
  for (const shot of wanted) {
    if (shot.role === null) await page.goto(`/#${shot.address}`);
    else if (shot.role !== signedIn) await signIn(page, server, shot.role, shot.address);
    signedIn = shot.role;
    for (const look of LOOKS) {
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        await page.evaluate(({ language, theme }) => {
          localStorage.setItem('counterfoil.language', language);
          localStorage.setItem('counterfoil.theme', theme);
        }, look);
        await page.goto('about:blank');
        await page.goto(`/#${shot.address}`);
        await expect(page.locator('main h1, main .empty, main .error').first()).toBeVisible();
        await page.waitForTimeout(SETTLE_MS);
        await page.screenshot({ path: resolve(FOLDER, fileOf(shot, look, width)), fullPage: true });
      }
    }
  }
  await writeFile(resolve(FOLDER, 'index.html'), sheet(wanted));
  expect(wanted.length, 'pages').toBeGreaterThan(0);
});
