import { defineConfig } from '@playwright/test';
import config from './playwright.config';

/** Minutes of load at full rate: kept out of the usual run, which `npm run e2e` is. */
export default defineConfig({
  ...config,
  testMatch: 'endurance.spec.ts',
  testIgnore: [],
  workers: 1,
  timeout: 0,
});
