/** Charts over time: thin lines, calm colours, one cursor for all of a page. */
import "./locale.js";
import uPlot from "uplot";
import { number } from "./format.js";

const HEIGHT = 170;

/** The steps of an axis that counts: there is no half job. */
const WHOLE = Array.from({ length: 12 }, (_, at) => [1, 2, 5].map((each) => each * 10 ** at)).flat();

/** The time of day, and at midnight the day. */
function clock(at) {
  const text = uPlot.fmtDate("{HH}:{mm}")(new Date(at * 1000));
  return text === "00:00" ? uPlot.fmtDate("{D} {MMM}")(new Date(at * 1000)) : text;
}

/** The places of values with a gap on both sides: no line leads to them, so they get a point. */
function alone(self, series, show) {
  if (!show) return null;
  const values = self.data[series];
  return values.flatMap((value, at) => (value != null && values[at - 1] == null && values[at + 1] == null ? [at] : []));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart in `host` of `[{label, colour: "--s-running", format}]`; `{set(data), destroy()}`. */
export function chart(host, { series, format = number, tick = format, sync = "page", zoomed = () => {} }) {
  let plot = null;
  let data = null;

  const options = () => ({
    width: Math.max(200, host.clientWidth),
    height: HEIGHT,
    cursor: { sync: { key: sync }, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
    legend: { live: true },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, (high || 1) * 1.1] } },
    padding: [10, 20, 0, 0],
    axes: [axis({ size: 28, values: (_, ticks) => ticks.map(clock) }), axis({ size: 56, ...(format === number && { incrs: WHOLE }), values: (_, ticks) => ticks.map((each) => tick(each)) })],
    series: [{ label: "Time", value: (_, at) => (at ? uPlot.fmtDate("{HH}:{mm}")(new Date(at * 1000)) : "–") }, ...series.map(line)],
    hooks: { setSelect: [selected], draw: [() => queueMicrotask(showLast)] },
  });

  const axis = (own) => ({
    stroke: colour("--muted"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    ...own,
  });

  const line = (each) => ({
    label: each.label,
    stroke: colour(each.colour),
    width: 1.5,
    fill: each.area ? `${colour(each.colour)}22` : undefined,
    dash: each.dash,
    points: { show: true, size: 4, filter: alone },
    spanGaps: false,
    value: (_, value) => (value == null ? "–" : format(value)),
  });

  function selected(self) {
    const { left, width } = self.select;
    if (width < 4) return;
    const from = Math.floor(self.posToVal(left, "x"));
    const to = Math.ceil(self.posToVal(left + width, "x"));
    self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoomed(from, to);
  }

  function draw() {
    plot?.destroy();
    plot = data && host.clientWidth ? new uPlot(options(), data, host) : null;
  }

  /** While nobody points at a chart its legend says the newest values. */
  function showLast() {
    if (!plot || plot.cursor.idx != null) return;
    const last = data[1].findLastIndex((value) => value != null);
    if (last >= 0) plot.setLegend({ idx: last });
  }

  const sizes = new ResizeObserver(() => plot?.setSize({ width: Math.max(200, host.clientWidth), height: HEIGHT }));
  sizes.observe(host);
  const themes = new MutationObserver(draw);
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });

  return {
    set(fresh) {
      data = fresh;
      if (!plot) return draw();
      plot.setData(fresh);
    },
    destroy() {
      sizes.disconnect();
      themes.disconnect();
      plot?.destroy();
    },
  };
}
