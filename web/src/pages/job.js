/** One job: what it is, how far, what went wrong, what it made, and what can be done to it. */
import { ICONS, LABELS, perform, refuse } from "../actions.js";
import { announce } from "../announce.js";
import { api, curl, latest } from "../api.js";
import { everySecond, now, paced } from "../clock.js";
import { together } from "../component.js";
import { createJob } from "../create_job.js";
import { askText, copy, menu, note } from "../dialogs.js";
import { h, icon, iconButton, once, restate, swap } from "../dom.js";
import { ago, clean, cleanLines, duration, number } from "../format.js";
import { children } from "../job/children.js";
import { data } from "../job/data.js";
import { attempt, attemptsOf, facts } from "../job/facts.js";
import { progress } from "../job/progress.js";
import { steps } from "../job/steps.js";
import { errorText, runTime, stateText, statusMark } from "../job_row.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { LogView } from "../log_view.js";
import { change, go, here, onRoute } from "../router.js";

const TABS = [
  ["steps", "Steps"],
  ["overview", "Overview"],
  ["children", "Children"],
  ["logs", "Logs"],
  ["data", "Input and output"],
  ["api", "API"],
];

export function job() {
  const { id } = here();
  const ask = latest();
  const ends = [];
  let log = null;
  let soon = null;
  let heard = null;

  const page = {
    job: null,
    tab: "overview",
    wantedTab: null,
    missing: "",
    missingTitle: "",
    tick: 0,

    init() {
      ends.push(
        onRoute((route) => route.page === "job" && route.id === id && this.routed(route)),
        live.subscribe(`job:${id}`, { message: (m) => this.heard(m), reload: () => this.load() }),
        everySecond(() => this.second()),
        onKey((event) => this.key(event)),
      );
      soon = paced(() => this.load(), 300, 300);
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      soon.stop();
      log?.destroy();
      this.stopParts();
    },

    second() {
      this.tick += 1;
      this.growSteps();
      this.growBelow();
    },

    routed({ query }) {
      this.wantedTab = query.get("tab");
      this.chooseTab();
      const view = query.get("view") ?? "";
      const status = query.getAll("status");
      const changed = view !== this.view || String(status) !== String(this.status);
      this.view = view;
      this.status = status;
      this.$nextTick(() => {
        this.showTab();
        this.open(changed);
      });
    },

    /** On a narrow screen not all tabs are in sight. */
    showTab() {
      const tab = document.getElementById(`tab-${this.tab}`);
      const tabs = tab?.parentElement;
      if (tabs) tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
    },

    /** The tab that the address names, else the steps of a run and the overview of others. */
    chooseTab() {
      const wanted = this.wantedTab ?? this.firstTab;
      this.tab = TABS.some(([name]) => name === wanted) ? wanted : "overview";
    },
    get firstTab() {
      return this.isRun ? "steps" : "overview";
    },
    tabHref(name) {
      return `/jobs/${id}${name === this.firstTab ? "" : `?tab=${name}`}`;
    },

    /** Make what the tab shows, the first time it is looked at. */
    open(changed) {
      if (this.tab === "steps") this.openSteps();
      if (this.tab === "logs" && !log) this.openLog();
      if (this.tab === "children") this.openBelow(changed);
    },

    openLog() {
      const words = here().query;
      const state = { level: words.get("level") ?? "debug", text: words.get("find") ?? "" };
      const changed = ({ level, text }) => {
        change({ level: level === "debug" ? "" : level, find: text }, { replace: true });
      };
      log = new LogView(this.refs.logs, { jobId: id, state, changed, deleted: () => this.load() });
    },

    async load() {
      heard = null;
      try {
        const found = await ask((signal) => api(`/api/jobs/${id}`, { signal, exact: true }));
        if (!found) return;
        this.show({ ...found, ...heard }); // what was heard meanwhile is newer
        this.reloadBelow();
      } catch (error) {
        if (!this.job || error.status === 404) {
          this.job = null;
          this.missing = error.message;
          this.missingTitle = error.status === 404 ? "There is no such job" : error.title;
        }
      }
    },

    show(found) {
      const first = !this.job;
      this.update({ ...this.job, ...this.withoutData(found) });
      this.missing = "";
      if (first) this.chooseTab();
      if (first) this.$nextTick(() => requestAnimationFrame(() => this.showTab()));
      if (this.tab === "steps") this.$nextTick(() => this.openSteps());
    },

    update(fresh) {
      fresh.seenAt = now();
      this.job = fresh;
      document.title = `${clean(fresh.name || fresh.type, 60)} · Quaero`;
      this.sample(fresh);
      restate(this.refs.status, [statusMark(fresh)]);
      announce(`${stateText(fresh)}${fresh.counts?.total ? `, ${this.progressWords}` : ""}`);
      this.offer(fresh);
      restate(this.refs.attempts, attemptsOf(fresh).map(attempt));
      restate(this.refs.facts, facts(fresh));
    },

    heard(message) {
      if (message.type === "deleted" && message.id === id) {
        if (!this.job) return;
        soon.stop();
        ask.stop();
        this.job = null;
        this.missingTitle = "This job was deleted";
        this.missing = "It was removed with its logs.";
        return;
      }
      if (message.type === "deleted") this.forgoBelow(message.id);
      if (message.type === "tree") soon();
      if (message.type !== "job") return;
      if (!this.job) return soon();
      if (message.job.id === id) {
        const ended = message.job.status !== this.job?.status || message.job.attempt !== this.job?.attempt;
        heard = message.job;
        this.update({ ...this.job, ...message.job });
        this.stepsChanged();
        if (ended) soon();
        return;
      }
      this.patchBelow(message.job);
      this.stepsChanged();
    },

    offer(found) {
      const first = ["start", "cancel", "retry", "rerun"].find((each) => found.actions.includes(each));
      const parts = [];
      if (first) {
        const kind = first === "cancel" ? "button.button.is-danger.is-quiet" : "button.button.is-primary";
        parts.push(h(kind, { type: "button", on: { click: once(() => this.act(first)) } }, icon(ICONS[first]), first === "retry" && this.isRun ? "Resume" : LABELS[first]));
      }
      parts.push(
        iconButton("more", "More actions", (event) => this.more(event.currentTarget, first), { "aria-haspopup": "menu" }),
      );
      if (String(found.actions) === this.offered) return;
      this.offered = String(found.actions);
      swap(this.refs.actions, parts, parts.at(-1));
    },

    more(button, first) {
      const entries = this.job.actions
        .filter((action) => LABELS[action] && action !== first)
        .map((action) => ({
          label: LABELS[action],
          icon: ICONS[action],
          danger: ["cancel", "delete", "fail"].includes(action),
          act: () => this.act(action),
        }));
      if (this.isRun && this.job.actions.includes("rerun")) entries.push({ label: "Run again with other parameters", icon: "run", act: () => this.rerunWith() });
      entries.push({ label: "Rename", icon: "code", act: () => this.rename() });
      entries.push({ label: "Copy curl", icon: "code", act: () => copy(curl(`/api/jobs/${id}`), "curl command copied") });
      menu(button, entries);
    },

    async act(action) {
      const done = await perform(action, this.job);
      if (!done) return;
      if (action === "delete") go("/queue");
      else if (done.id !== id) go(`/jobs/${done.id}`);
      else this.load();
    },

    async rename() {
      const name = await askText("Rename the job", "Name", { button: "Rename", value: this.job.name });
      if (name === undefined) return;
      try {
        await api(`/api/jobs/${id}`, { method: "PATCH", body: { name } });
      } catch (error) {
        note(error.message, { error: true });
      }
      this.load();
    },

    async edit() {
      const made = await createJob({ type: this.job.type, name: this.job.name, payload: this.payload });
      if (made) go(`/jobs/${made.id}`);
    },

    // -- what the head shows

    get number() {
      return `#${id}`;
    },
    get title() {
      return this.job ? clean(this.job.name || this.job.type, 300) : "";
    },
    get type() {
      return this.job?.type ?? "";
    },
    get when() {
      if (!this.job || this.tick < 0) return "";
      const found = this.job;
      const parts = [`created ${ago(found.created_at)}`];
      if (found.started_at) parts.push(`${found.completed_at ? "ran" : "running for"} ${duration(runTime(found))}`);
      if (found.status === "pending" && found.wait != null) parts.push(waiting(found));
      else if (found.wait != null) parts.push(`waited ${duration(found.wait)}`);
      return parts.join(" · ");
    },
    get error() {
      return this.job ? cleanLines(errorText(this.job)).slice(0, 4000) : "";
    },
    get crumbs() {
      if (!this.job) return [];
      const { root_id: root, parent_id: parent } = this.job;
      const all = [...new Set([root, parent])].filter((each) => each && each !== id);
      return all.map((each) => ({ id: each, href: `/jobs/${each}?tab=children`, text: `#${each}` }));
    },

    // -- tabs

    get tabs() {
      const counts = {
        children: this.job?.counts?.total,
        logs: Object.values(this.job?.logs_count ?? {}).reduce((sum, each) => sum + each, 0),
      };
      return TABS.filter(([name]) => name !== "steps" || this.isRun).map(([name, label]) => ({
        name,
        label,
        id: `tab-${name}`,
        on: String(name === this.tab),
        focus: name === this.tab ? 0 : -1,
        count: counts[name] ? number(counts[name]) + (name === "logs" && this.job.logs_capped ? "+" : "") : "",
        href: this.tabHref(name),
      }));
    },
    get panelLabel() {
      return `tab-${this.tab}`;
    },
    tabKey(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const names = this.tabs.map((each) => each.name);
      const name = names[(names.indexOf(this.tab) + step + names.length) % names.length];
      go(this.tabHref(name));
      this.$nextTick(() => document.getElementById(`tab-${name}`)?.focus());
    },
    get noAttempts() {
      return !this.job?.started_at && !this.job?.attempts?.length;
    },
    key({ key, target }) {
      if (/^[1-6]$/.test(key) && this.tabs[key - 1]) {
        document.getElementById(this.tabs[key - 1].id)?.click();
        return true;
      }
      if (key === "Enter" && target.matches("a, button")) return false;
      if (this.tab === "children" && this.keyBelow(key)) return true;
      const can = (action) => this.job && (this.job.actions.includes(action) ? this.act(action) : refuse(action, this.job));
      const does = { r: () => can("retry"), c: () => can("cancel"), l: () => change({ tab: "logs" }) };
      does[key]?.();
      return key in does;
    },
  };
  return together(progress(id), children(id), data(id), steps(id), page);
}

/** How long a job that has not begun waits already, or until when it is to wait. */
function waiting({ run_at: due, wait, seenAt }) {
  if (due && Date.parse(due) > now()) return `due ${ago(due)}`;
  return `waiting for ${duration(wait + Math.max(0, now() - seenAt) / 1000)}`;
}
