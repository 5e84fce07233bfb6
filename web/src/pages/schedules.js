/** When workflows are due: the next five times of each, what became of the last, and steering. */
import { first, get, latest } from "../api.js";
import { everySecond } from "../clock.js";
import { note } from "../dialogs.js";
import { bdi, h, icon, iconButton, once, renew, say } from "../dom.js";
import { steer } from "../flow/acting.js";
import { ago, clean, moment, number, plural } from "../format.js";
import { live } from "../live.js";
import { paging } from "../paging.js";

const PAGE = 50;

/** The next five times of a schedule, the first with how long it is until then. */
function times({ paused, enabled, next }) {
  if (!enabled) return h("span.quiet", {}, "none: the workflow is disabled");
  if (paused) return h("span.flow-paused", {}, icon("pause"), "paused");
  if (!next.length) return h("span.quiet", {}, "never");
  const [soonest, ...rest] = next;
  return h(
    "ol.next-times",
    {},
    h("li", {}, h("span", { "data-at": soonest }, ago(soonest)), h("span.quiet", {}, moment(soonest))),
    rest.map((at) => h("li.quiet", {}, moment(at))),
  );
}

export function schedules() {
  const ask = latest();
  const ends = [];
  let pages = null;
  let items = [];

  return {
    count: 0,
    cursor: null,
    loaded: false,
    problem: "",
    tick: 0,

    init() {
      pages = paging(() => this.loadFirst(), () => this.loadNext());
      ends.push(
        live.subscribe("system", { message: (m) => m.schedules && this.load(), reload: () => this.load() }),
        everySecond(() => this.second()),
      );
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
    },

    second() {
      this.tick += 1;
      for (const each of this.refs.rows.querySelectorAll("[data-at]")) say(each, ago(each.dataset.at));
    },

    load() {
      return pages.load();
    },

    more() {
      return pages.more();
    },

    async loadFirst() {
      try {
        const found = await ask((signal) => first("/api/schedules", {}, Math.max(PAGE, items.length), { signal }));
        if (found) this.show(found.items, found.next_cursor);
      } catch (error) {
        this.problem = this.loaded ? "" : error.message;
      }
    },

    async loadNext() {
      if (!this.cursor) return;
      const values = { limit: PAGE, cursor: this.cursor };
      const found = await ask((signal) => get("/api/schedules", values, { signal })).catch((error) => note(error.message, { error: true }));
      if (found) this.show([...items, ...found.items], found.next_cursor);
    },

    show(found, cursor) {
      items = found;
      this.count = found.length;
      this.cursor = cursor;
      this.loaded = true;
      this.problem = "";
      renew(this.refs.rows, items, (each) => each.definition_id, (each) => this.row(each));
    },

    row(each) {
      const id = each.definition_id;
      const name = clean(each.name, 60);
      const act = (action) => once(async () => (await steer(action, each)) && this.load());
      const toggle = each.paused ? iconButton("run", `Resume ${name}`, act("resume")) : iconButton("pause", `Pause ${name}`, act("pause"));
      const last = each.last_run_id ? h("a.link", { href: `/jobs/${each.last_run_id}`, title: moment(each.last_at) }, `#${each.last_run_id}`, " ", h("span", { "data-at": each.last_at ?? "" }, ago(each.last_at))) : h("span.quiet", {}, each.last_at ? ago(each.last_at) : "never");
      return h(
        "tr",
        { "data-id": id },
        h("td.flow-name", {}, h("a.job-name", { href: `/workflows/${id}` }, bdi(each.name, 120)), h("span.flow-about", {}, h("span.mono", {}, id))),
        h("td.flow-when", { "data-label": "When" }, h("span", {}, clean(each.words, 160)), h("span.quiet.mono", {}, clean(each.cron, 60))),
        h("td.flow-next", { "data-label": "Next" }, times(each), each.blocked && h("span.flow-paused", {}, icon("hourglass"), "waits for the run under way")),
        h("td.flow-last", { "data-label": "Last" }, last, each.last_note && h("span.is-bad", {}, clean(each.last_note, 200)), each.left_out ? h("span.quiet", {}, `${number(each.left_out)} left out`) : null),
        h("td.cell-actions", {}, h("button.button.is-small", { type: "button", disabled: !each.enabled, "aria-label": `Run ${name} now`, on: { click: act("trigger") } }, "Run now"), toggle),
      );
    },

    get shown() {
      return this.loaded && this.count > 0;
    },
    get empty() {
      return this.loaded && !this.count;
    },
    get waiting() {
      return !this.loaded && !this.problem;
    },
    get sentence() {
      if (!this.loaded) return " ";
      const paused = items.filter((each) => each.paused).length;
      const next = items.filter((each) => each.next_at).sort((one, other) => one.next_at.localeCompare(other.next_at))[0];
      const said = next && this.tick >= 0 ? ` Next: ${clean(next.name, 60)}, ${ago(next.next_at)}.` : "";
      return `${this.cursor ? "The first " : ""}${plural(this.count, "schedule")}${paused ? `, ${number(paused)} paused` : ""}.${said}`;
    },
  };
}
