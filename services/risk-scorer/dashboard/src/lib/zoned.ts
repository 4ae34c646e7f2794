/** The wall clock of a zone at an instant, as `<input type="datetime-local">` has it: `2026-11-27T20:15`. */
export function toWallClock(at: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  return `${parts['year']}-${parts['month']}-${parts['day']}T${parts['hour']}:${parts['minute']}`;
}

/** The instant at which a zone's clock shows this, in milliseconds; null of what is no time. */
export function fromWallClock(text: string, timeZone: string): number | null {
  const wanted = Date.parse(`${text}Z`);
  if (Number.isNaN(wanted)) return null;
  let at = wanted;
  // The offset is that of the instant which is sought: once more where the clocks change in between.
  for (let round = 0; round < 2; round++) at += wanted - Date.parse(`${toWallClock(at, timeZone)}Z`);
  return at;
}
