import type { Board } from '../../api/live';
import { colour } from '../../components/colours';

/** Where the board's series begin and end, milliseconds. */
export function span(series: Board['series']): [from: number, until: number] {
  const from = new Date(series.from).getTime();
  return [from, from + (series.redemptions.length - 1) * series.step_seconds * 1000];
}

/** A line where the server began, while that is within the chart. */
export function restartMark(board: Board, from: number, name: string): Record<string, unknown> {
  const started = new Date(board.started_at).getTime();
  const data = started > from ? [{ xAxis: started, name }] : [];
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      animation: false,
      label: { formatter: '{b}', position: 'insideEndTop', fontSize: 11, color: colour('text'), textBorderWidth: 0 },
      lineStyle: { type: 'dashed', width: 1, color: colour('text-2') },
      data,
    },
  };
}
