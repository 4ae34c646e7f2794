import { BarChart, CustomChart, GraphChart, HeatmapChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([
  LineChart,
  BarChart,
  ScatterChart,
  HeatmapChart,
  GraphChart,
  CustomChart,
  GridComponent,
  TooltipComponent,
  LegendComponent,
  DataZoomComponent,
  VisualMapComponent,
  MarkLineComponent,
  MarkAreaComponent,
  AriaComponent,
  CanvasRenderer,
]);

export { init };

/** ECharts' theme from the page's own colours. */
export function themeOf(style: CSSStyleDeclaration): EChartsCoreOption {
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = style.getPropertyValue('--font').trim();
  const axis = {
    axisLine: { lineStyle: { color: color('line') } },
    axisTick: { show: false },
    axisLabel: { color: color('text-2'), fontSize: 11 },
    splitLine: { lineStyle: { color: color('line') } },
    nameTextStyle: { color: color('text-2'), fontSize: 11 },
  };
  // Words beside points stand on lines, from which a rim of the ground keeps them apart.
  const mark = { color: color('text'), textBorderColor: color('surface'), textBorderWidth: 3 };
  return {
    color: Array.from({ length: 8 }, (_, index) => color(`series-${index + 1}`)),
    textStyle: { fontFamily: font, color: color('text') },
    legend: {
      textStyle: { color: color('text-2'), fontSize: 12 },
      pageTextStyle: { color: color('text-2') },
      inactiveColor: color('line'),
      itemWidth: 14,
      itemHeight: 8,
    },
    tooltip: {
      backgroundColor: color('raised'),
      borderColor: color('line'),
      textStyle: { color: color('text'), fontSize: 12, fontFamily: font },
      axisPointer: { lineStyle: { color: color('edge') }, crossStyle: { color: color('edge') } },
    },
    graph: { label: mark, lineStyle: { color: color('edge') } },
    scatter: { label: mark },
    line: { showSymbol: false, symbol: 'circle', lineStyle: { width: 1.75 } },
    categoryAxis: { ...axis, splitLine: { show: false } },
    valueAxis: { ...axis, axisLine: { show: false } },
    logAxis: axis,
    timeAxis: { ...axis, splitLine: { show: false } },
    visualMap: { textStyle: { color: color('text-2') } },
  };
}
