/** All workflows: what they are, when they ran and will run, and whether they may. */
import { first, get, latest } from "../api.js";
import { everySecond, paced } from "../clock.js";
import { menu, note } from "../dialogs.js";
import { bdi, h, icon, iconButton, once, say, swap } from "../dom.js";
import { download, enable, remove, run, upload } from "../flow/acting.js";
import { strip } from "../flow/strip.js";
import { ago, clean, moment, plural } from "../format.js";
import { statusMark } from "../job_row.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { paging } from "../paging.js";
import { go } from "../router.js";

const PAGE = 50;
const SOON = 700;
const ORIGINS = { ready: "comes with Quaero", own: "" };

export function workflows() {
  const ask = latest();
  const ends = [];
  let soon = null;
  let pages = null;
  let items = [];

  return {
    count: 0,
    files: [],
    cursor: null,
    loaded: false,
    problem: "",
    tick: 0,

    init() {
      pages = paging(() => this.loadFirst(), () => this.loadNext());
      ends.push(
        live.subscribe("jobs", { message: (m) => m.type !== "job" || m.job.type === "workflow" ? soon() : null, reload: () => this.load() }),
        live.subscribe("system", { message: (m) => m.schedules && soon() }),
        everySecond(() => this.second()),
        onKey(({ key }) => key === "n" && (go("/workflows/_new"), true)),
      );
      soon = paced(() => this.load(), SOON, SOON);
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      soon.stop();
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
        const found = await ask((signal) => first("/api/definitions", {}, Math.max(PAGE, items.length), { signal }));
        if (!found) return;
        this.files = found.files.map((each) => ({ path: clean(each.path, 200), problem: clean(each.problem, 600) }));
        this.show(found.items, found.next_cursor);
      } catch (error) {
        this.problem = this.loaded ? "" : error.message;
      }
    },

    async loadNext() {
      if (!this.cursor) return;
      const values = { limit: PAGE, cursor: this.cursor };
      const found = await ask((signal) => get("/api/definitions", values, { signal })).catch((error) => note(error.message, { error: true }));
      if (found) this.show([...items, ...found.items], found.next_cursor);
    },

    show(found, cursor) {
      items = found;
      this.count = found.length;
      this.cursor = cursor;
      this.loaded = true;
      this.problem = "";
      if (this.refs.rows.contains(document.activeElement)) {
        const { id, dataset } = document.activeElement;
        this.draw();
        (id ? document.getElementById(id) : this.refs.rows.querySelector(`[data-what="${dataset.what}"]`))?.focus();
      } else this.draw();
    },

    draw() {
      swap(this.refs.rows, items.map((each) => this.row(each)));
    },

    row(each) {
      const steps = Object.keys(each.actions);
      const about = [h("span.mono", {}, each.id), h("span", { title: steps.join(", ") }, plural(steps.length, "step"))];
      const origin = each.origin === "file" ? clean(each.path, 80) : ORIGINS[each.origin];
      if (origin) about.push(h("span", {}, origin));
      const box = h("input", { type: "checkbox", role: "switch", id: `switch-${each.id}`, checked: each.enabled, "aria-label": `Enabled: ${clean(each.name, 80)}`, on: { change: (event) => this.flip(each, event.target) } });
      const [last] = each.runs;
      return h(
        "tr",
        { "data-id": each.id },
        h("td.flow-name", {}, h("a.job-name", { href: `/workflows/${each.id}`, "data-what": `name-${each.id}` }, bdi(each.name, 120)), h("span.flow-about", {}, about), each.problem && h("span.is-bad", {}, icon("warn"), clean(each.problem, 200))),
        h("td.flow-when", { "data-label": "Schedule" }, when(each)),
        h("td.flow-last", { "data-label": "Last run" }, last ? h("a", { href: `/jobs/${last.id}`, "data-what": `last-${each.id}` }, statusMark(last), h("span.quiet", { title: moment(last.began_at), "data-at": last.began_at }, ago(last.began_at))) : h("span.quiet", {}, "never")),
        h("td.flow-runs", { "data-label": "Runs" }, strip(each.runs, clean(each.name, 60))),
        h("td.cell-switch", {}, h("label.flow-switch", {}, box, h("i", { "aria-hidden": "true" }))),
        h(
          "td.cell-actions",
          {},
          iconButton("run", `Run ${clean(each.name, 60)}`, once(() => run(each)), { disabled: !each.enabled, "data-what": `run-${each.id}` }),
          iconButton("more", `More for ${clean(each.name, 60)}`, (event) => this.offer(each, event.currentTarget), { "aria-haspopup": "menu", "data-what": `more-${each.id}` }),
        ),
      );
    },

    async flip(each, box) {
      const found = await enable(each, box.checked);
      if (!found) box.checked = each.enabled;
      this.load();
    },

    offer(each, button) {
      const entries = [
        { label: "Edit", icon: "code", act: () => go(`/workflows/${each.id}?tab=edit`) },
        { label: "Export as TOML", icon: "download", act: () => download(each.id, "toml") },
        { label: "Export as JSON", icon: "download", act: () => download(each.id, "json") },
      ];
      if (each.origin === "own") entries.push({ label: "Delete", icon: "trash", danger: true, act: async () => (await remove(each)) && this.load() });
      menu(button, entries);
    },

    async uploaded({ target }) {
      const [file] = target.files;
      target.value = "";
      const found = file && (await upload(file));
      if (found) go(`/workflows/${found.id}`);
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
      if (!this.loaded || this.tick < 0) return " ";
      const due = items.filter((each) => each.schedule?.next_at).sort((one, other) => one.schedule.next_at.localeCompare(other.schedule.next_at));
      const next = due.length ? ` Next: ${clean(due[0].name, 60)}, ${ago(due[0].schedule.next_at)}.` : " None is due by itself.";
      return `${this.cursor ? "The first " : ""}${plural(this.count, "workflow")}.${next}`;
    },
  };
}

function when({ schedule, enabled }) {
  if (!schedule) return h("span.quiet", {}, enabled ? "by hand" : "–");
  if (!enabled) return [h("span", {}, clean(schedule.words, 120)), h("span.quiet", {}, "disabled")];
  const next = schedule.paused ? h("span.flow-paused", {}, icon("pause"), "paused") : h("span.quiet", {}, "next ", h("span", { title: moment(schedule.next_at), "data-at": schedule.next_at ?? "" }, ago(schedule.next_at)));
  return [h("span", {}, clean(schedule.words, 120)), next];
}
