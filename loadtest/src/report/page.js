(() => {
  "use strict";
  const result = window.result;
  const main = document.getElementById("main");
  const root = document.documentElement;
  const charts = [];

  // Everything that is shown is put in as text, so that no name or answer can become markup.
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  };
  const section = (title, wide, ...children) => {
    const made = element("section", wide ? { class: "wide" } : {}, element("h2", {}, title), ...children);
    main.append(made);
    return made;
  };
  const note = (text) => element("p", { class: "note" }, text);
  const number = (value, digits = 0) =>
    value === null || value === undefined
      ? "–"
      : Number(value).toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const ms = (value) => number(value, value !== null && value < 100 ? 2 : 0);
  const held = (yes, good, bad) => element("span", { class: yes ? "mark good" : "mark bad" }, yes ? `✓ ${good}` : `✗ ${bad}`);

  // A column is [title, cell, whether it is a number].
  const table = (label, columns, rows) => {
    const kind = (isNumber) => (isNumber ? { class: "number" } : {});
    const head = columns.map(([title, , isNumber]) => element("th", { scope: "col", ...kind(isNumber) }, title));
    const body = rows.map((row) =>
      element("tr", {}, ...columns.map(([, cell, isNumber]) => element("td", kind(isNumber), cell(row)))));
    // What scrolls can be reached by keyboard.
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
  };

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  // Lines are [label, colour, values]; a chart is drawn anew when the theme changes, since a canvas takes no variables.
  const chart = (title, summary, x, lines, options = {}) => {
    if (x.length < 2 || lines.every(([, , values]) => values.every((value) => value === null))) {
      section(title, false, note(options.empty || "Nothing was measured."));
      return;
    }
    const place = element("div", { class: "chart", role: "img", "aria-label": `${title}: ${summary}` });
    section(title, false, place, note(summary));
    charts.push({ place, x, lines, options });
  };

  const axis = (values) => ({
    stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 },
    size: values ? 62 : 30, ...(values ? { values } : {}),
  });

  const shadeWarmUp = (plot) => {
    const last = result.series.filter((second) => second.warm_up).length;
    if (last === 0) return;
    const from = Math.max(plot.valToPos(0, "x", true), plot.bbox.left);
    const to = Math.min(plot.valToPos(last, "x", true), plot.bbox.left + plot.bbox.width);
    if (to <= from) return;
    plot.ctx.fillStyle = colour("warm");
    plot.ctx.fillRect(from, plot.bbox.top, to - from, plot.bbox.height);
  };

  const draw = (one) => {
    if (one.plot) one.plot.destroy();
    const { place, x, lines, options } = one;
    const values = (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick, tick % 1 === 0 ? 0 : tick < 1 ? 2 : 1)));
    const shown = (_, value) => number(value, options.digits ?? 2);
    one.plot = new uPlot({
      width: Math.max(place.clientWidth, 200), height: 230,
      scales: {
        x: { time: false, ...options.xScale },
        y: options.log ? { distr: 3 } : { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] },
      },
      axes: [{ ...axis(), ...options.xAxis }, axis(options.log ? logTicks : values)],
      series: [
        { label: options.xLabel || "second", value: options.xValue },
        ...lines.map(([label, name]) => ({
          label, stroke: colour(name), width: 1.75, value: shown, points: { show: x.length < 3 }, spanGaps: true,
        })),
      ],
      hooks: options.seconds ? { drawClear: [shadeWarmUp] } : {},
    }, [x, ...lines.map(([, , of]) => of)], place);
  };

  // On a logarithmic axis only 1, 2 and 5 of each decade are named.
  const logTicks = (_, ticks) => ticks.map((tick) => {
    const digit = tick / 10 ** Math.floor(Math.log10(tick) + 1e-9);
    return [1, 2, 5].some((named) => Math.abs(digit - named) < 1e-6) ? number(tick, tick < 0.1 ? 2 : tick < 1 ? 1 : 0) : "";
  });

  const overview = () => {
    document.title = `${result.verdict.outcome} ${result.profile}`;
    document.getElementById("title").textContent = `Load test ${result.profile}`;
    document.getElementById("about").textContent = result.about;
    const { outcome, line, reasons } = result.verdict;
    const { load, latency, machine, generator } = result;
    const all = latency.find((one) => one.kind === "all");
    const figures = [
      ["Offered", `${number(load.offered_per_second)}/s`], ["Achieved", `${number(load.achieved_per_second)}/s`],
      ["Scheduled peak", `${number(load.peak_per_second)}/s`], ["Measured", `${number(load.duration_seconds)} s`],
      ["p50", all ? `${ms(all.p50_ms)} ms` : "–"], ["p99", all ? `${ms(all.p99_ms)} ms` : "–"],
      ["p99.9", all ? `${ms(all.p999_ms)} ms` : "–"], ["Longest", all ? `${ms(all.max_ms)} ms` : "–"],
    ];
    const started = new Date(result.started_at);
    const east = -started.getTimezoneOffset();
    const clock = (minutes) => [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":");
    const when = Number.isNaN(started.getTime())
      ? result.started_at
      : started.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }) +
        ` (UTC${east < 0 ? "−" : "+"}${clock(Math.abs(east))})`;
    const made = section("Verdict", true,
      element("p", { class: "verdict", id: "verdict" }, element("span", { class: `badge ${outcome}` }, outcome),
        element("span", {}, line.replace(`${outcome} `, ""))),
      reasons.length > 1 ? element("ul", {}, ...reasons.map((reason) => element("li", {}, reason))) : null,
      element("dl", { class: "figures" },
        ...figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))));
    made.append(
      note(`${when} · ${result.target} · ${number(load.completed)} answers over ${load.connections} connections after ` +
        `${number(load.warm_up_seconds)} s of warm-up · ${machine.cores} cores, ${machine.cpu}, ${machine.system}`),
      note(`${generator.said} Its CPU: ${number(generator.cpu_percent)} % of a core.`));
    if (load.aborted) made.append(element("p", { class: "bad" }, `Ended before its time by ${load.aborted}.`));
  };

  const thresholds = () => {
    section("Thresholds", false, result.thresholds.length === 0 ? note("None were set.") : table("Thresholds", [
      ["", (one) => held(one.passed, "kept", "not kept")],
      ["Threshold", (one) => one.text],
      ["Measured", (one) => (one.measured === null ? "–" : `${number(one.measured, 2)} ${one.unit === "count" ? "" : one.unit}`), true],
      ["Headroom", (one) => (one.headroom_percent === null ? "–" : `${number(one.headroom_percent, 1)} %`), true],
    ], result.thresholds));
  };

  const audit = () => {
    section("Audit, from outside over the API", false, result.audit.checks.length === 0 ? note("No audit was made.") :
      table("Audit", [
        ["", (check) => held(check.held, "holds", "broken")],
        ["What", (check) => [check.what, ...check.examples].join(" · ")],
        ["Looked at", (check) => number(check.checked), true],
        ["Broken", (check) => number(check.broken), true],
      ], result.audit.checks));
  };

  const time = () => {
    const { series } = result;
    const seconds = series.map((second) => second.second);
    const of = (name) => series.map((second) => second[name]);
    const latency = (name) => series.map((second) => (second[name] > 0 ? second[name] : null));
    const measured = series.filter((second) => !second.warm_up);
    const worst = measured.reduce((worst, second) => (second.p99_ms > (worst ? worst.p99_ms : -1) ? second : worst), null);
    const seconded = { seconds: true };
    chart("Latency over time, ms", worst ? `The worst second's p99 was ${ms(worst.p99_ms)} ms, at second ${worst.second}. Counted from when a request was due.` : "",
      seconds, [["p50", "a", latency("p50_ms")], ["p99", "b", latency("p99_ms")], ["longest", "c", latency("max_ms")]], { ...seconded, log: true });
    chart("Offered and achieved, per second", `${number(result.load.offered_per_second)}/s were offered and ${number(result.load.achieved_per_second)}/s achieved on average.`,
      seconds, [["due", "c", of("scheduled")], ["offered", "a", of("offered")], ["achieved", "d", of("achieved")]], { ...seconded, digits: 0 });
    const codes = [...new Set(series.flatMap((second) => Object.keys(second.refused)))].sort();
    const all = (code) => series.reduce((sum, second) => sum + (second.refused[code] || 0), 0);
    chart("Refusals by code, per second", codes.map((code) => `${code} ${number(all(code))}`).join(", "),
      seconds, codes.map((code, n) => [code, "abcdef"[n % 6], series.map((second) => second.refused[code] || 0)]),
      { ...seconded, digits: 0, empty: "Nothing was refused." });
    chart("Waiting and wrong, per second", `${number(series.reduce((sum, second) => sum + second.errors, 0))} answers should not have been.`,
      seconds, [["without an answer yet", "a", of("in_flight")], ["errors", "b", of("errors")]], { ...seconded, digits: 0 });
  };

  // The usual axis of a latency distribution: each further nine takes the same room.
  const percentiles = () => {
    const points = result.percentiles.filter((point) => point.quantile < 1);
    const nines = (quantile) => -Math.log10(1 - quantile);
    const name = (place) => `${Number((100 * (1 - 10 ** -place)).toPrecision(8))}`;
    const last = points[points.length - 1];
    chart("Latency by percentile, ms", last ? `${name(nines(last.quantile))} % of the answers took at most ${ms(last.ms)} ms.` : "",
      points.map((point) => nines(point.quantile)), [["latency", "a", points.map((point) => point.ms || null)]],
      {
        log: true, xLabel: "percentile", xValue: (_, value) => (value === null ? "–" : number(100 * (1 - 10 ** -value), 4)),
        xAxis: { splits: (_, __, low, high) => [0.30103, 1, 2, 3, 4, 5, 6].filter((at) => at >= low && at <= high), values: (_, at) => at.map(name) },
      });
  };

  const server = () => {
    const { series, note: said } = result.server;
    const seconds = series.map((sample) => sample.second);
    const peak = (name) => series.reduce((most, sample) => Math.max(most, sample[name] ?? 0), 0);
    const one = (title, name, label, token, digits, unit) =>
      chart(title, `At most ${number(peak(name), digits)} ${unit}.`, seconds,
        [[label, token, series.map((sample) => sample[name])]], { seconds: true, digits, empty: said || "The server did not say." });
    one("Server: CPU, % of a core", "cpu_percent", "CPU", "a", 0, "% of a core");
    one("Server: memory, MB", "memory_mb", "resident", "c", 0, "MB");
    one("Server: records that wait for the log", "queue_records", "waiting", "d", 0, "records");
    one("Server: log append p99, ms", "log_append_p99_ms", "append p99", "b", 2, "ms");
  };

  const tables = () => {
    section("Latency by kind of request, ms", true, table("Latency by kind of request", [
      ["Kind", (one) => one.kind], ["Answers", (one) => number(one.count), true],
      ...["mean", "p50", "p90", "p95", "p99", "p999", "max"].map((name) =>
        [name === "p999" ? "p99.9" : name, (one) => ms(one[`${name}_ms`]), true]),
    ], result.latency));
    section("Answers", false, result.answers.length === 0 ? note("There were none.") : table("Answers", [
      ["Kind", (one) => one.kind], ["Status", (one) => (one.status === 0 ? "none" : String(one.status))],
      ["Code", (one) => one.code || "–"], ["Count", (one) => number(one.count), true],
      ["", (one) => held(one.expected, "as it should be", "should not be")],
    ], result.answers));
    if (result.audit.stocks.length > 0) {
      section("Stocks", true, table("Stocks", [
        ["Stock", (one) => `${one.name} · ${one.stock}`],
        ...["total", "available", "claimed", "locked", "redeemed", "voided", "expired"].map((name) => [name, (one) => number(one[name]), true]),
        ["", (one) => held(one.holds, "adds up", "does not add up")],
      ], result.audit.stocks));
    }
    if (result.search) {
      section("Rates that were tried", false, table("Rates that were tried", [
        ["Rate", (trial) => `${number(trial.rate)}/s`, true], ["", (trial) => held(trial.held, "held", "did not hold")],
        ["p99 ms", (trial) => ms(trial.p99_ms), true], ["Why", (trial) => trial.why || "–"],
      ], result.search));
    }
    section("The workload", true,
      note(`Seed ${result.seed}, run ${result.run}. The same file and seed give the same schedule.`),
      element("details", {}, element("summary", {}, "File"), element("pre", { tabindex: "0" }, result.workload)));
  };

  const theme = (name) => {
    root.dataset.theme = name;
    document.getElementById("theme").textContent = name === "dark" ? "Light theme" : "Dark theme";
    charts.forEach(draw);
  };

  overview();
  thresholds();
  audit();
  time();
  percentiles();
  server();
  tables();
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  theme(preferred.matches ? "dark" : "light");
  preferred.addEventListener("change", (event) => theme(event.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const one = charts.find((one) => one.place === target);
      if (one && one.plot.width !== target.clientWidth && target.clientWidth > 0) {
        one.plot.setSize({ width: target.clientWidth, height: 230 });
      }
    }
  });
  charts.forEach(({ place }) => observer.observe(place));
  // uPlot draws in a microtask; after the next frame everything stands.
  requestAnimationFrame(() => requestAnimationFrame(() => { root.dataset.ready = "yes"; }));
})();
