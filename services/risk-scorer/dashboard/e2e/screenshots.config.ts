import base from './playwright.config';

/** `SCREENSHOTS` names the folder. */
export default { ...base, testMatch: 'screenshots.ts', workers: 1, timeout: 600_000 };
