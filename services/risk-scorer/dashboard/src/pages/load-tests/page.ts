import css from '../../../../../../loadtest/src/report/page.css?raw';
import html from '../../../../../../loadtest/src/report/page.html?raw';
import js from '../../../../../../loadtest/src/report/page.js?raw';
import plotJs from '../../../../../../loadtest/src/report/vendor/uPlot.iife.min.js?raw';
import plotCss from '../../../../../../loadtest/src/report/vendor/uPlot.min.css?raw';

/**
 * The page that `loadtest run --html` writes of the same report, put together from the same parts. Whoever stored the
 * report chose its words, so nothing in it may end the element that it stands in; and the page forbids itself all but
 * its own scripts and styles.
 */
export function pageOf(report: unknown): string {
  const json = JSON.stringify(report).replaceAll('<', '\\u003c');
  const parts: [string, string][] = [
    ['/*UPLOT_JS*/', plotJs],
    ['/*UPLOT_CSS*/', plotCss],
    ['/*PAGE_JS*/', js],
    ['/*PAGE_CSS*/', css],
    ['/*RESULT*/null', json],
  ];
  // By function: `$&` in a part is its text, and no pattern.
  return parts.reduce((page, [place, part]) => page.replace(place, () => part), html);
}
