import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  // Measurements want a machine to themselves, and are asked for by name: `npm run e2e:cases`, `npm run e2e:endurance`.
  testIgnore: process.env['MEASURE'] ? [] : ['**/thirty-cases.spec.ts', '**/endurance.spec.ts'],
  outputDir: '../test-results',
  // Each worker has a server of its own; the machine that runs all tests has two cores.
  workers: 2,
  fullyParallel: false,
  // A flaky test is a bug, which a retry would hide.
  retries: 0,
  // Two cores bear two servers, two browsers and what they draw: a busy machine is no failure.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    timezoneId: 'Asia/Shanghai',
    // What is recorded costs time, which a measurement must not.
    trace: process.env['MEASURE'] ? 'off' : 'retain-on-failure',
    // Debian's, which `deploy/setup.sh browser` installs; as root it has no sandbox.
    launchOptions: { executablePath: '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] },
  },
});
