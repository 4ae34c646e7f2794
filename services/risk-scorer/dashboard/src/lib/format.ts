import { i18n } from './i18n/index.svelte';

/** Formatters are costly to make and are asked for in every cell, so each is made once per language. */
const formatters = new Map<string, Intl.NumberFormat>();

function formatter(name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${i18n.locale} ${name}`;
  let found = formatters.get(key);
  if (!found) formatters.set(key, (found = new Intl.NumberFormat(i18n.locale, options)));
  return found;
}

/** What stands where a value is missing. */
export const NONE = '–';

export interface MoneyValue {
  amount: number;
  currency: string;
}

/** `12,345`, or with `digits` after the point. */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return NONE;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return formatter(`number ${digits}`, options).format(value);
}

/** `12.3K`, `1.2万`: for tiles and axes. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return formatter('compact', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** A rate, with one digit while it is small: `0.4`, `37`, `1,204`. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return NONE;
  return number(perSecond, perSecond !== 0 && Math.abs(perSecond) < 10 ? 1 : 0);
}

/** A share of one as percent: `0.053` → `5.3%`. */
export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined) return NONE;
  return formatter(`percent ${digits}`, {
    style: 'percent',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(share);
}

/** A change from `before` to `now` with its sign; null when there is nothing to compare with. */
export function change(now: number, before: number): string {
  if (before === 0) return NONE;
  const options: Intl.NumberFormatOptions = { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' };
  return formatter('change', options).format((now - before) / before);
}

/** Money from its minor units: `{amount: 500, currency: 'CNY'}` → `¥5.00`. */
export function money(value: MoneyValue | null | undefined): string {
  if (!value) return NONE;
  const format = formatter(`money ${value.currency}`, {
    style: 'currency',
    currency: value.currency,
    currencyDisplay: 'narrowSymbol',
  });
  return format.format(value.amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** A length of time in its two largest units: `2 h 5 min`, `850 ms`. */
export function duration(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return NONE;
  const zh = i18n.language === 'zh';
  if (Math.abs(milliseconds) < 1000) {
    return `${number(milliseconds, Math.abs(milliseconds) < 10 && milliseconds % 1 !== 0 ? 1 : 0)} ${zh ? '毫秒' : 'ms'}`;
  }
  const units: [number, string][] = [
    [86_400, zh ? '天' : 'd'],
    [3_600, zh ? '小时' : 'h'],
    [60, zh ? '分' : 'min'],
    [1, zh ? '秒' : 's'],
  ];
  let rest = Math.round(Math.abs(milliseconds) / 1000);
  const parts: string[] = [];
  for (const [seconds, unit] of units) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count} ${unit}`);
    if (parts.length === 2) break;
  }
  return (milliseconds < 0 ? '−' : '') + parts.join(' ');
}
