/** The last runs of a workflow as small bars, the newest at the right; height is the duration. */
import { h } from "../dom.js";
import { ago, duration, number, plural } from "../format.js";

const LEAST = 0.25;

export function strip(runs, name) {
  if (!runs.length) return h("span.quiet", {}, "never run");
  const longest = Math.max(...runs.map((each) => each.duration ?? 0), 0.001);
  const bars = runs.toReversed().map((each) => {
    const words = `${each.status}, ${ago(each.began_at)}, ${duration(each.duration)}`;
    const bar = h(`a.strip-bar.is-${each.status}`, { href: `/jobs/${each.id}`, title: words, "aria-label": `Run ${each.id}: ${words}`, tabindex: -1 }, h("i"));
    bar.firstChild.style.transform = `scaleY(${LEAST + (1 - LEAST) * ((each.duration ?? 0) / longest)})`;
    return bar;
  });
  const failed = runs.filter((each) => each.status === "failed").length;
  const words = `${plural(runs.length, "run")} of ${name}, ${number(failed)} failed`;
  return h("span.strip", { role: "group", "aria-label": words }, bars);
}
