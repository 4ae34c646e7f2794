// Opens a report in a real browser, without a network, in both themes and on a wide and a narrow screen.
// node check.mjs REPORT.html [SCREENSHOTS]
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, screenshots] = process.argv.slice(2);
if (!report || !existsSync(report)) {
  console.error("usage: node check.mjs REPORT.html [SCREENSHOTS]");
  process.exit(2);
}
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (!executablePath) {
  console.error("no browser is installed; on Debian: apt-get install chromium");
  process.exit(2);
}
if (screenshots) mkdirSync(screenshots, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const page_url = pathToFileURL(resolve(report)).href;
const wrong = [];

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    const name = `${colorScheme}-${width}`;
    const say = (what) => wrong.push(`${name}: ${what}`);
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, offline: true, bypassCSP: true });
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && say(`console: ${message.text()}`));
    page.on("pageerror", (error) => say(`error: ${error.message}`));
    page.on("request", (request) => request.url() !== page_url && say(`asked for ${request.url()}`));
    await page.goto(page_url);
    await page.waitForSelector("html[data-ready=yes]");

    const seen = await page.evaluate(() => ({
      theme: document.documentElement.dataset.theme,
      verdict: document.getElementById("verdict").textContent,
      overflow: document.documentElement.scrollWidth - window.innerWidth,
      charts: document.querySelectorAll(".chart").length,
      // Colours of a canvas: the background, the grid, and the lines and their edges.
      colours: [...document.querySelectorAll("canvas")].map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      }),
    }));
    if (seen.theme !== colorScheme) say(`the theme is ${seen.theme}`);
    if (!/PASS|FAIL|INVALID/.test(seen.verdict)) say(`no verdict in ${JSON.stringify(seen.verdict)}`);
    if (seen.overflow > 0) say(`the page is ${seen.overflow} px wider than the screen`);
    if (seen.charts < 3 || seen.colours.length !== seen.charts) say(`${seen.colours.length} of ${seen.charts} charts are there`);
    seen.colours.forEach((colours, n) => colours < 8 && say(`chart ${n + 1} is empty`));

    await page.addScriptTag({ content: axe });
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const { id, impact, nodes } of violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
      say(`axe ${impact} ${id}: ${nodes.map((node) => node.target).join(", ")}`);
    }
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

    await page.click("#theme");
    const other = await page.evaluate(() => document.documentElement.dataset.theme);
    if (other === colorScheme) say("the button does not change the theme");
    await context.close();
    console.log(`${name}: ${seen.charts} charts, ${seen.verdict.slice(0, 70)}`);
  }
}
await browser.close();
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
