import { i18n } from './i18n/index.svelte';
import { preferences } from './preferences.svelte';

/** One timer for the whole application: everything that shows an age reads `clock.now`. */
class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, 1000);
    document.addEventListener('visibilitychange', () => (this.now = Date.now()));
  }
}

export const clock = new Clock();

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${i18n.locale} ${preferences.timeZone} ${JSON.stringify(options)}`;
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(i18n.locale, { ...options, timeZone: preferences.timeZone, hourCycle: 'h23' });
    formatters.set(key, found);
  }
  return found;
}

const DAY: Intl.DateTimeFormatOptions = { year: 'numeric', month: '2-digit', day: '2-digit' };
const SECOND: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit' };

type Instant = string | number | Date;

/** Date, time to the second and zone, in the zone that the user chose. */
export function absolute(at: Instant): string {
  const time = new Date(at);
  // The zone stands last in every language, where some would have it between day and time.
  const zone = formatter({ timeZoneName: 'short' }).formatToParts(time);
  const name = zone.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return `${formatter({ ...DAY, ...SECOND }).format(time)} ${name}`.trimEnd();
}

/** `20:15:03`. */
export function timeOfDay(at: Instant): string {
  return formatter(SECOND).format(new Date(at));
}

/** `27/11, 20:15`: for axes over days and for columns. */
export function dayAndTime(at: Instant): string {
  return formatter({ month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' }).format(new Date(at));
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** `3 minutes ago`, `in 2 hours`; follows the clock. */
export function relative(at: Instant, style: 'short' | 'long' = 'short'): string {
  const seconds = Math.round((new Date(at).getTime() - clock.now) / 1000);
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  const format = new Intl.RelativeTimeFormat(i18n.locale, { style, numeric: 'auto' });
  return format.format(Math.trunc(seconds / size), unit);
}

/** RFC 3339 of `seconds` ago, for `from=` and `until=`. */
export function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString();
}
