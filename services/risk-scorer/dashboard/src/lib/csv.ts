/** One cell of a CSV file. */
export type Cell = string | number | boolean | null | undefined;

/**
 * A spreadsheet runs a cell that begins so as a formula, and what callers named themselves (devices, orders, stores)
 * stands in these files: an apostrophe makes it text (OWASP, "CSV Injection"). Numbers stay numbers.
 */
const FORMULA = /^[\s]*[=+\-@\t\r]/;

function quoted(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180, with the byte order mark by which spreadsheets know UTF-8. */
export function csv(header: string[], rows: Cell[][]): string {
  return '\uFEFF' + [header, ...rows].map((row) => row.map(quoted).join(',') + '\r\n').join('');
}

/** Hands a text to the browser as a file to save. */
export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}
