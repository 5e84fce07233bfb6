/** One workflow: its steps, when it runs, its runs, and the editor of its text. */
import { since } from "../ages.js";
import { curl, first, get, latest } from "../api.js";
import { everySecond, now, paced } from "../clock.js";
import { confirm, copy, menu, note } from "../dialogs.js";
import { bdi, h, swap } from "../dom.js";
import { download, enable, remove, run, steer } from "../flow/acting.js";
import { Editor, stepsOf } from "../flow/editor.js";
import { StepGraph } from "../flow/graph.js";
import { ago, clean, duration, moment, number } from "../format.js";
import { runTime, statusMark } from "../job_row.js";
import { live } from "../live.js";
import { paging } from "../paging.js";
import { go, guardLeaving, here, onRoute } from "../router.js";

const TABS = [
  ["overview", "Overview"],
  ["runs", "Runs"],
  ["edit", "Edit"],
];
const NEW = "_new";
const PAGE = 50;
const SOON = 700;
const CAUSES = { manual: "somebody", schedule: "the schedule", start: "the start of Quaero" };

export function workflow() {
  const { name: id } = here();
  const ask = latest();
  const askRuns = latest();
  const ends = [];
  let soon = null;
  let pages = null;
  let graph = null;
  let editor = null;
  let shown = null;

  return {
    id,
    seen: null,
    tab: "overview",
    missing: "",
    missingTitle: "",
    cursor: null,
    runCount: 0,
    runsLoaded: false,
    tick: 0,

    init() {
      pages = paging(() => this.firstRuns(), () => this.nextRuns());
      soon = paced(() => this.load(), SOON, SOON);
      ends.push(
        onRoute((route) => route.page === "workflow" && route.name === id && this.routed(route)),
        everySecond(() => (this.tick += 1)),
        guardLeaving(() => this.unsaved && leave()),
        onUnload((event) => this.unsaved && event.preventDefault()),
      );
      if (!this.fresh) {
        ends.push(
          live.subscribe("jobs", { message: (m) => (m.type !== "job" || m.job.type === "workflow") && soon(), reload: () => this.load() }),
          live.subscribe("system", { message: (m) => m.schedules && soon() }),
        );
      }
      this.routed(here());
      if (this.fresh) document.title = "New workflow · Quaero";
      else this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      askRuns.stop();
      soon.stop();
      graph?.destroy();
      editor?.destroy();
    },

    routed({ query }) {
      const wanted = this.fresh ? "edit" : (query.get("tab") ?? "overview");
      this.tab = TABS.some(([name]) => name === wanted) ? wanted : "overview";
      this.$nextTick(() => this.open());
    },

    open() {
      if (this.tab === "edit" && !editor && (this.fresh || shown)) this.edit();
      if (this.tab === "runs" && !this.runsLoaded) this.loadRuns();
      if (this.tab === "overview" && shown) this.draw();
    },

    async load() {
      try {
        const found = await ask((signal) => get(`/api/definitions/${id}`, {}, { signal }));
        if (!found) return;
        this.show(found);
        if (this.runsLoaded) this.loadRuns();
      } catch (error) {
        if (shown && error.status !== 404) return;
        this.missing = error.message;
        this.missingTitle = error.status === 404 ? "There is no such workflow" : error.title;
      }
    },

    show(found) {
      shown = found;
      this.missing = "";
      this.seen = { name: found.name, enabled: found.enabled, origin: found.origin, path: found.path, problem: found.problem, schedule: found.schedule };
      document.title = `${clean(found.name, 60)} · Quaero`;
      this.refs.facts.replaceChildren(...facts(found));
      this.$nextTick(() => this.open());
    },

    draw() {
      graph ??= new StepGraph(this.refs.graph);
      graph.draw(stepsOf(shown.value));
    },

    edit() {
      editor = new Editor(this.refs.editor, { stored: this.fresh ? null : shown, saved: (found) => this.saved(found) });
    },

    saved(found) {
      ask.drop(); // it would say how it was before
      editor.destroy();
      editor = null;
      this.refs.editor.replaceChildren();
      if (!this.fresh) this.show(found);
      go(`/workflows/${found.id}`);
    },

    get unsaved() {
      return Boolean(editor?.dirty);
    },

    gone() {
      editor?.destroy();
      editor = null;
      go("/workflows");
    },

    // -- runs

    loadRuns() {
      return pages.load();
    },

    moreRuns() {
      return pages.more();
    },

    async firstRuns() {
      const found = await this.askedRuns(first, {}, Math.max(PAGE, this.runCount));
      if (!found) return;
      this.runsLoaded = true;
      this.runCount = found.items.length;
      this.cursor = found.next_cursor;
      swap(this.refs.runs, found.items.map(runRow));
    },

    askedRuns(how, ...words) {
      const asked = askRuns((signal) => how(`/api/definitions/${id}/runs`, ...words, { signal }));
      return asked.catch((error) => note(error.message, { error: true }));
    },

    async nextRuns() {
      if (!this.cursor) return;
      const found = await this.askedRuns(get, { limit: PAGE, cursor: this.cursor });
      if (!found) return;
      this.refs.runs.append(...found.items.map(runRow));
      this.runCount += found.items.length;
      this.cursor = found.next_cursor;
    },

    get noRuns() {
      return this.runsLoaded && !this.runCount;
    },

    // -- what the head shows

    get fresh() {
      return id === NEW;
    },
    get there() {
      return this.fresh || Boolean(this.seen && !this.missing);
    },
    get crumb() {
      return this.fresh ? "new" : id;
    },
    get title() {
      return this.fresh ? "New workflow" : clean(this.seen?.name ?? "", 200);
    },
    get enabled() {
      return Boolean(this.seen?.enabled);
    },
    get stateText() {
      return this.enabled ? "Enabled" : "Disabled: no run begins";
    },
    get whenText() {
      const { schedule } = this.seen ?? {};
      if (!schedule || this.tick < 0) return "";
      if (schedule.paused) return `${schedule.words}, paused`;
      return schedule.next_at ? `${schedule.words}, next ${ago(schedule.next_at)}` : schedule.words;
    },
    get keptText() {
      const { origin, path } = this.seen ?? {};
      if (origin === "file") return `kept in ${clean(path, 100)}`;
      return origin === "ready" ? "comes with Quaero" : "";
    },
    get problem() {
      return this.seen?.problem ? clean(this.seen.problem, 800) : "";
    },

    // -- actions

    runNow({ detail }) {
      if (detail < 2) run({ id, name: shown.name });
    },

    more({ currentTarget }) {
      const { schedule } = shown;
      const entries = [
        { label: this.enabled ? "Disable" : "Enable", icon: this.enabled ? "pause" : "check", act: () => this.flip() },
        { label: "Export as TOML", icon: "download", act: () => download(id, "toml") },
        { label: "Export as JSON", icon: "download", act: () => download(id, "json") },
        { label: "Copy curl", icon: "code", act: () => copy(curl(`/api/definitions/${id}/execute`, "POST", { parameters: {} }), "curl command copied") },
      ];
      if (schedule) {
        const action = schedule.paused ? "resume" : "pause";
        entries.unshift({ label: schedule.paused ? "Resume the schedule" : "Pause the schedule", icon: schedule.paused ? "run" : "pause", act: async () => (await steer(action, schedule)) && this.load() });
      }
      if (shown.origin === "own") entries.push({ label: "Delete", icon: "trash", danger: true, act: async () => (await remove(shown)) && this.gone() });
      menu(currentTarget, entries);
    },

    async flip() {
      const found = await enable(shown, !shown.enabled);
      if (!found) return;
      ask.drop();
      this.show(found);
      editor?.switched(found);
    },

    // -- tabs

    get tabs() {
      return TABS.map(([name, label]) => ({
        name,
        label,
        id: `tab-${name}`,
        on: String(name === this.tab),
        focus: name === this.tab ? 0 : -1,
        href: tabHref(id, name),
      }));
    },
    get panelRole() {
      return this.fresh ? null : "tabpanel";
    },
    get panelLabel() {
      return this.fresh ? null : `tab-${this.tab}`;
    },
    tabKey(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = TABS.findIndex(([name]) => name === this.tab);
      const [name] = TABS[(at + step + TABS.length) % TABS.length];
      go(tabHref(id, name));
      this.$nextTick(() => document.getElementById(`tab-${name}`)?.focus());
    },
  };
}

const tabHref = (id, name) => `/workflows/${id}${name === "overview" ? "" : `?tab=${name}`}`;

const leave = () => confirm("Leave without saving?", "What you changed in the editor is lost when you leave this page.", { button: "Leave", danger: true });

function onUnload(listener) {
  window.addEventListener("beforeunload", listener);
  return () => window.removeEventListener("beforeunload", listener);
}

function runRow({ job, cause, began_at: began, due_at: due }) {
  job.seenAt = now();
  return h(
    "tr",
    {},
    h("td", {}, h("a.link", { href: `/jobs/${job.id}` }, `#${job.id}`)),
    h("td.run-state", {}, statusMark(job), job.error && h("span.is-bad.run-error", { title: clean(job.error, 600) }, bdi(job.error, 100))),
    h("td", { "data-label": "Begun by" }, CAUSES[cause] ?? cause, due && h("span.quiet", {}, `, due ${moment(due)}`)),
    h("td", { "data-label": "Began" }, since(began)),
    h("td.is-number", { "data-label": "Duration" }, duration(runTime(job))),
    h("td.is-number", { "data-label": "Steps done" }, job.counts.total ? `${number(job.counts.done)}/${number(job.counts.total)}` : "–"),
  );
}

function facts(found) {
  const { value, schedule } = found;
  const parameters = Object.entries(value.parameters ?? {}).map(([name, each]) => h("div", {}, h("span.mono", {}, clean(name, 60)), ` ${clean(each.type ?? "string", 20)}${each.required ? ", required" : each.default === undefined ? "" : `, else ${clean(JSON.stringify(each.default), 80)}`}`));
  const next = schedule?.enabled && !schedule.paused && schedule.next.map((at) => h("div", {}, moment(at)));
  const rows = [
    ["Description", found.description && bdi(found.description, 1000)],
    ["Schedule", schedule ? schedule.words : "none"],
    ["Next runs", next?.length && next],
    ["Last note", schedule?.last_note && clean(schedule.last_note, 300)],
    ["Overlap", schedule && { skip: "a run that is due while another is under way is left out", wait: "a run that is due waits for the other's end", allow: "runs may be beside one another" }[schedule.overlap]],
    ["Parameters", parameters.length && parameters],
    ["Tags", found.tags.length && clean(found.tags.join(", "), 300)],
    ["Time limit", value.timeout && clean(value.timeout, 40)],
    ["Changed", moment(found.changed_at)],
  ];
  return rows.filter(([, each]) => each).flatMap(([name, each]) => [h("dt", {}, name), h("dd", {}, each)]);
}
