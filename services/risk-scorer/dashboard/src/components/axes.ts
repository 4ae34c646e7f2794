import { compact, duration, percent } from '../lib/format';
import { absolute, dayAndTime, timeOfDay } from '../lib/time.svelte';

export type Unit = 'count' | 'per_second' | 'ms' | 'share';

const FORMATS: Record<Unit, (value: number) => string> = {
  count: compact,
  per_second: compact,
  ms: duration,
  share: (value) => percent(value, value !== 0 && Math.abs(value) < 0.1 ? 1 : 0),
};

/** A value axis from zero, with the unit in its name: `valueAxis('per_second', t('redemptions'))`. */
export function valueAxis(unit: Unit, name: string): Record<string, unknown> {
  return {
    type: 'value',
    name,
    nameLocation: 'end',
    nameGap: 10,
    nameTextStyle: { align: 'left' },
    min: 0,
    minInterval: unit === 'count' ? 1 : undefined,
    axisLabel: { formatter: FORMATS[unit] },
  };
}

/** A time axis in the user's zone: to the second for less than two hours, else with the day. */
export function timeAxis(from: number, until: number): Record<string, unknown> {
  const format = until - from < 7_200_000 ? timeOfDay : dayAndTime;
  return {
    type: 'time',
    min: from,
    max: until,
    axisLabel: { formatter: (at: number) => format(at), hideOverlap: true },
    axisPointer: { label: { formatter: ({ value }: { value: number }) => absolute(value) } },
  };
}

/** Counts at even steps as the points of a series. */
export function points(
  from: string | number,
  stepSeconds: number,
  values: readonly (number | null)[],
): [number, number | null][] {
  const start = new Date(from).getTime();
  return values.map((value, index) => [start + index * stepSeconds * 1000, value]);
}
