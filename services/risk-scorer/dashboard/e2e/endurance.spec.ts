import type { CDPSession, Page } from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { expect, signIn, test } from './fixtures';
import type { Server } from './server';
import { Shop } from './shop';

/** How long the load lasts, minutes; how much of it, events per second; and what makes it, if not this test itself. */
const MINUTES = Number(process.env['ENDURANCE_MINUTES'] ?? 10);
const RATE = Number(process.env['ENDURANCE_RATE'] ?? 2_000);
const LOADTEST = process.env['LOADTEST'];

/** Callers at once, where this test makes the load. */
const WORKERS = 64;
const EVERY_MS = 10_000;
/** The frames that a screen of 60 Hz must show. */
const LEAST_FRAMES = 50;
/** Memory is flat while the last third's mean is within this of the second third's. */
const MORE_SHARE = 0.1;
const MORE_BYTES = 5e6;

/** The redeem path is looked at with the page and without it in turns, so many times, for so long each. */
const TURNS = 4;
const TURN_MS = 20_000;
/** What waits since the page was changed goes out before it is counted. */
const SETTLE_MS = 3_000;
/** What the page may cost the redeem path. */
const MOST_LOST = 0.02;

interface Sample {
  second: number;
  heap: number;
  nodes: number;
  frames: number;
  /** Events per second, as the board says them. */
  events: number;
}

/** Counts frames in the page, from one look to the next. */
async function countFrames(page: Page): Promise<void> {
  await page.evaluate(() => {
    const counter = { frames: 0, since: performance.now() };
    Object.assign(window, { counter });
    const frame = (): void => {
      counter.frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

async function framesPerSecond(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { counter } = window as unknown as { counter: { frames: number; since: number } };
    const rate = (counter.frames * 1000) / (performance.now() - counter.since);
    Object.assign(counter, { frames: 0, since: performance.now() });
    return rate;
  });
}

/** What the page holds once everything that nobody holds is gone. */
async function heapOf(cdp: CDPSession): Promise<{ heap: number; nodes: number }> {
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const value = (name: string): number => metrics.find((each) => each.name === name)?.value ?? NaN;
  return { heap: value('JSHeapUsedSize'), nodes: value('Nodes') };
}

/** The load tester, which makes a merchant of its own; returns how to end it. */
function loadBy(program: string, server: Server): () => void {
  const seconds = Math.ceil(MINUTES * 60 + (2 * TURNS * (TURN_MS + SETTLE_MS)) / 1_000 + 120);
  const from = ['--target', server.base, '--platform-key', join(server.folder, 'platform-key.json')];
  const run = ['run', 'redeem-200', ...from, '--rate', String(RATE), '--duration', String(seconds), '--quiet'];
  const process: ChildProcess = spawn(program, run, { stdio: 'ignore' });
  return () => process.kill('SIGTERM');
}

/** Claims from here: slower than the load tester, and enough to see by how much. */
async function loadHere(server: Server): Promise<() => void> {
  const shop = await Shop.open(server, 'Endurance', 10_000_000);
  const state = { ends: false };
  const worker = async (number: number): Promise<void> => {
    while (!state.ends) {
      const begun = Date.now();
      // What is refused for its frequency is an event as well.
      await shop.claim(1, `device-${number}-${begun % 1_000}`, `203.0.113.${number}`).catch(() => undefined);
      const pause = (WORKERS * 1_000) / RATE - (Date.now() - begun);
      if (pause > 0) await new Promise((done) => setTimeout(done, pause));
    }
  };
  for (let number = 0; number < WORKERS; number++) void worker(number);
  return () => (state.ends = true);
}

interface Turn {
  perSecond: number;
  /** Of the server's processor time, for one record. */
  microseconds: number;
}

async function turn(server: Server): Promise<Turn> {
  await new Promise((done) => setTimeout(done, SETTLE_MS));
  const [begun, before] = [Date.now(), await server.work()];
  await new Promise((done) => setTimeout(done, TURN_MS));
  const after = await server.work();
  const records = after.applied - before.applied;
  const seconds = (Date.now() - begun) / 1_000;
  return { perSecond: records / seconds, microseconds: ((after.cpuSeconds - before.cpuSeconds) / records) * 1e6 };
}

/** The same load with the page and without it, in turns: what is lost of the records per second, as a share. */
async function loss(page: Page, server: Server): Promise<number> {
  const board = page.url();
  const turns: Record<'with' | 'without', Turn[]> = { with: [], without: [] };
  for (let n = 0; n < TURNS; n++) {
    await page.goto('about:blank');
    turns.without.push(await turn(server));
    await page.goto(board);
    await expect(page.locator('[data-stream=ok]')).toBeVisible();
    turns.with.push(await turn(server));
  }
  const of = (kind: 'with' | 'without'): Turn => ({
    perSecond: mean(turns[kind].map((each) => each.perSecond)),
    microseconds: mean(turns[kind].map((each) => each.microseconds)),
  });
  const [withPage, without] = [of('with'), of('without')];
  const lost = 1 - withPage.perSecond / without.perSecond;
  const line = (name: string, { perSecond, microseconds }: Turn): string =>
    `${name.padEnd(18)}${perSecond.toFixed(1)} records/s, ${microseconds.toFixed(1)} µs of the server's time each\n`;
  process.stdout.write(line('without the page', without) + line('with the page', withPage));
  process.stdout.write(`the redeem path loses ${(lost * 100).toFixed(2)} %\n`);
  return lost;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

function print(samples: Sample[]): void {
  const rows = samples.map(({ second, heap, nodes, frames, events }) =>
    [`${second} s`, `${(heap / 1e6).toFixed(1)} MB`, nodes, `${frames.toFixed(1)} /s`, `${events.toFixed(0)} /s`]
      .map((cell) => String(cell).padStart(10))
      .join(''),
  );
  const head = ['time', 'heap', 'DOM nodes', 'frames', 'events'].map((cell) => cell.padStart(10)).join('');
  process.stdout.write(`${[head, ...rows].join('\n')}\n`);
}

test(`the board bears ${RATE} events a second for ${MINUTES} minutes`, async ({ page, server }) => {
  await signIn(page, server, 'engineer', '/live');
  await expect(page.locator('[data-board]')).toBeVisible();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  const stop = LOADTEST ? loadBy(LOADTEST, server) : await loadHere(server);
  const samples: Sample[] = [];
  let lost: number;
  const engineer = await server.api('engineer');
  try {
    await expect
      .poll(async () => (await engineer.call('GET', '/v1/risk/board')).body.rates.redemptions, { timeout: 120_000 })
      .toBeGreaterThan(LOADTEST ? RATE / 10 : -1);
    await countFrames(page);
    const begun = Date.now();
    while (Date.now() - begun < MINUTES * 60_000) {
      await page.waitForTimeout(EVERY_MS);
      const frames = await framesPerSecond(page);
      const { rates } = (await engineer.call('GET', '/v1/risk/board')).body;
      const { heap, nodes } = await heapOf(cdp);
      const events = rates.redemptions + rates.claims + rates.refusals;
      samples.push({ second: Math.round((Date.now() - begun) / 1000), heap, nodes, frames, events });
      // The collection of garbage holds the page up, and is not the page's doing.
      await framesPerSecond(page);
    }
    await expect(page.locator('[data-stream=ok]')).toBeVisible();
    lost = await loss(page, server);
  } finally {
    stop();
    print(samples);
  }
  const third = Math.floor(samples.length / 3);
  const heaps = samples.map((sample) => sample.heap);
  const [second, last] = [mean(heaps.slice(third, 2 * third)), mean(heaps.slice(-third))];
  expect(last, 'bytes held in the last third').toBeLessThanOrEqual(second * (1 + MORE_SHARE) + MORE_BYTES);
  expect(mean(samples.map((sample) => sample.frames)), 'frames per second').toBeGreaterThanOrEqual(LEAST_FRAMES);
  expect(lost, 'what the redeem path loses').toBeLessThan(MOST_LOST);
});
