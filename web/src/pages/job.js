/** One job: what it is, how far, what went wrong, what it made, and what can be done to it. */
import { ICONS, LABELS, perform } from "../actions.js";
import { api, curl, get, latest } from "../api.js";
import { everySecond, now } from "../clock.js";
import { createJob } from "../create_job.js";
import { askText, copy, menu, note } from "../dialogs.js";
import { bdi, h, icon, iconButton, STATUS_ICONS } from "../dom.js";
import { ago, clean, cleanLines, duration, moment, number, plural } from "../format.js";
import { progressOf, runTime, statusMark } from "../job_row.js";
import { JobTable } from "../job_table.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { LogView } from "../log_view.js";
import { change, go, here, onRoute, withQuery } from "../router.js";
import { TreeView } from "../tree_view.js";

const TABS = [
  ["overview", "Overview"],
  ["children", "Children"],
  ["logs", "Logs"],
  ["data", "Input and output"],
  ["api", "API"],
];
const STATES = ["pending", "running", "completed", "failed", "cancelled"];
const PAGE = 50;

export function job() {
  const { id } = here();
  const ask = latest();
  const askChildren = latest();
  const ends = [];
  let table = null;
  let log = null;
  let tree = null;
  let raw = null;
  let timer = null;
  let samples = [];

  return {
    job: null,
    tab: "overview",
    view: "",
    status: [],
    missing: "",
    missingTitle: "",
    childCursor: null,
    childCount: 0,
    childrenLoaded: false,
    tick: 0,

    init() {
      ends.push(
        onRoute((route) => route.page === "job" && route.id === id && this.routed(route)),
        live.subscribe(`job:${id}`, { message: (m) => this.heard(m), reload: () => this.load() }),
        everySecond(() => (this.tick += 1)),
        onKey((event) => this.key(event)),
      );
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      clearTimeout(timer);
      table?.destroy();
      log?.destroy();
      tree?.destroy();
    },

    routed({ query }) {
      const wanted = query.get("tab") ?? "overview";
      this.tab = TABS.some(([name]) => name === wanted) ? wanted : "overview";
      const view = query.get("view") ?? "";
      const status = query.getAll("status");
      const changed = view !== this.view || String(status) !== String(this.status);
      this.view = view;
      this.status = status;
      this.$nextTick(() => this.open(changed));
    },

    /** Make what the tab shows, the first time it is looked at. */
    open(changed) {
      if (this.tab === "logs" && !log) this.openLog();
      if (this.tab !== "children") return;
      if (this.wholeTree) tree ??= new TreeView(this.$refs.tree, { id });
      else if (!table || changed) this.openChildren();
    },

    openLog() {
      const words = here().query;
      const state = { level: words.get("level") ?? "debug", text: words.get("find") ?? "" };
      const changed = ({ level, text }) => {
        change({ level: level === "debug" ? "" : level, find: text }, { replace: true });
      };
      log = new LogView(this.$refs.logs, { jobId: id, state, changed });
    },

    openChildren() {
      table?.destroy();
      this.$refs.children.replaceChildren();
      table = new JobTable(this.$refs.children, {
        fits: (each) => !this.status.length || this.status.includes(each.status),
      });
      this.loadChildren();
    },

    async loadChildren() {
      const asked = Date.now();
      const values = { limit: Math.min(200, Math.max(PAGE, this.childCount)), status: this.status };
      const answer = await askChildren((signal) => get(`/api/jobs/${id}/children`, values, { signal })).catch(() => null);
      if (!answer) return;
      table.set(answer.items, asked);
      this.childCursor = answer.next_cursor;
      this.childCount = answer.items.length;
      this.childrenLoaded = true;
    },

    async moreChildren() {
      const values = { limit: PAGE, status: this.status, cursor: this.childCursor };
      const answer = await get(`/api/jobs/${id}/children`, values);
      table.append(answer.items);
      this.childCount += answer.items.length;
      this.childCursor = this.childCount < 500 ? answer.next_cursor : null;
    },

    async load() {
      try {
        const found = await ask((signal) => api(`/api/jobs/${id}`, { signal, exact: true }));
        if (found) this.show(found);
        if (table) this.loadChildren();
      } catch (error) {
        if (!this.job || error.status === 404) {
          this.job = null;
          this.missing = error.message;
          this.missingTitle = error.status === 404 ? "There is no such job" : error.title;
        }
      }
    },

    show(found) {
      raw = { payload: found.payload, result: found.result };
      const { payload, result, ...rest } = found;
      this.update({ ...this.job, ...rest, hasResult: result != null });
      this.missing = "";
    },

    update(fresh) {
      fresh.seenAt = now();
      this.job = fresh;
      document.title = `${clean(fresh.name || fresh.type, 60)} · Quaero`;
      this.sample(fresh);
      this.$refs.status.replaceChildren(statusMark(fresh));
      this.offer(fresh);
      this.$refs.attempts.replaceChildren(...attemptsOf(fresh).map(attempt));
      this.$refs.facts.replaceChildren(...facts(fresh));
    },

    heard(message) {
      if (message.type === "deleted" && message.id === id) {
        this.job = null;
        this.missingTitle = "This job was deleted";
        this.missing = "It was removed with its logs.";
        return;
      }
      if (message.type === "tree") this.loadSoon();
      if (message.type !== "job") return;
      if (message.job.id === id) {
        const ended = message.job.status !== this.job?.status || message.job.attempt !== this.job?.attempt;
        this.update({ ...this.job, ...message.job });
        if (ended) this.loadSoon();
        return;
      }
      tree?.patch(message.job);
      if (!table || table.patch(message.job) || message.job.parent_id !== id) return;
      if (!this.childCursor && table.fits(message.job) && this.childCount < 500) {
        table.append([message.job]);
        this.childCount += 1;
      }
    },

    loadSoon() {
      timer ??= setTimeout(() => {
        timer = null;
        this.load();
      }, 300);
    },

    offer(found) {
      const first = ["start", "cancel", "retry", "rerun"].find((each) => found.actions.includes(each));
      const parts = [];
      if (first) {
        const kind = first === "cancel" ? "button.button.is-danger.is-quiet" : "button.button.is-primary";
        parts.push(h(kind, { type: "button", on: { click: () => this.act(first) } }, icon(ICONS[first]), LABELS[first]));
      }
      parts.push(
        iconButton("more", "More actions", (event) => this.more(event.currentTarget, first), { "aria-haspopup": "menu" }),
      );
      if (String(found.actions) === this.offered) return;
      this.offered = String(found.actions);
      this.$refs.actions.replaceChildren(...parts);
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
        this.show(await api(`/api/jobs/${id}`, { method: "PATCH", body: { name }, exact: true }));
      } catch (error) {
        note(error.message, { error: true });
      }
    },

    async edit() {
      const made = await createJob({ type: this.job.type, name: this.job.name, payload: JSON.parse(this.input) });
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
      if (found.wait != null) parts.push(`waited ${duration(found.wait)}`);
      return parts.join(" · ");
    },
    get error() {
      return this.job?.error ? cleanLines(this.job.error).slice(0, 4000) : "";
    },
    get crumbs() {
      if (!this.job) return [];
      const { root_id: root, parent_id: parent } = this.job;
      const all = [...new Set([root, parent])].filter((each) => each && each !== id);
      return all.map((each) => ({ id: each, href: `/jobs/${each}?tab=children`, text: `#${each}` }));
    },

    // -- progress

    get progress() {
      return this.job ? progressOf(this.job) : null;
    },
    get hasProgress() {
      return Boolean(this.progress);
    },
    get progressWords() {
      return this.progress?.words ? `${this.progress.words} done` : "";
    },
    get progressNote() {
      return clean(this.progress?.note ?? "", 120);
    },
    get barClass() {
      return this.job?.status === "running" ? "is-moving" : "";
    },
    get doneStyle() {
      return { transform: `scaleX(${Math.min(1, this.progress?.done ?? 0)})` };
    },
    get failedStyle() {
      const { done = 0, failed = 0 } = this.progress ?? {};
      return { transform: `translateX(${done * 100}%) scaleX(${failed})` };
    },
    get legend() {
      const { counts } = this.job ?? {};
      if (!counts?.total) return [];
      return STATES.filter((word) => counts[word]).map((word) => ({
        word,
        text: `${number(counts[word])} ${word}`,
        icon: `#i-${STATUS_ICONS[word]}`,
        kind: `is-${word}`,
        href: `/jobs/${id}?tab=children&status=${word}`,
      }));
    },

    /** Remember how far it was, for the rate of the last half minute. */
    sample({ counts, status }) {
      if (!counts?.total || status !== "running") samples = [];
      else samples.push([Date.now(), counts.done]);
      samples = samples.filter(([at]) => at > Date.now() - 30_000);
    },
    get eta() {
      const { counts, status } = this.job ?? {};
      if (status !== "running" || !counts?.total || samples.length < 2 || this.tick < 0) return "";
      const [[at, done]] = samples;
      const rate = (counts.done - done) / ((Date.now() - at) / 1000);
      if (rate <= 0) return "";
      const left = counts.total - counts.done;
      return `${rate.toFixed(1)}/s, about ${duration(left / rate)} for the ${plural(left, "job")} known now`;
    },

    // -- tabs

    get tabs() {
      const counts = {
        children: this.job?.counts?.total,
        logs: Object.values(this.job?.logs_count ?? {}).reduce((sum, each) => sum + each, 0),
      };
      return TABS.map(([name, label]) => ({
        name,
        label,
        id: `tab-${name}`,
        on: String(name === this.tab),
        focus: name === this.tab ? 0 : -1,
        count: counts[name] ? number(counts[name]) + (name === "logs" && this.job.logs_capped ? "+" : "") : "",
        href: `/jobs/${id}${name === "overview" ? "" : `?tab=${name}`}`,
      }));
    },
    get panelLabel() {
      return `tab-${this.tab}`;
    },
    tabKey(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = TABS.findIndex(([name]) => name === this.tab);
      const [name] = TABS[(at + step + TABS.length) % TABS.length];
      go(`/jobs/${id}${name === "overview" ? "" : `?tab=${name}`}`);
      this.$nextTick(() => document.getElementById(`tab-${name}`)?.focus());
    },
    get noAttempts() {
      return !this.job?.started_at && !this.job?.attempts?.length;
    },
    get wholeTree() {
      return this.view === "tree";
    },
    get noChildren() {
      return this.childrenLoaded && !this.childCount && !this.wholeTree;
    },
    get childrenHref() {
      return `/jobs/${id}?tab=children`;
    },
    get treeHref() {
      return `/jobs/${id}?tab=children&view=tree`;
    },
    get childrenOn() {
      return this.wholeTree ? null : "true";
    },
    get treeOn() {
      return this.wholeTree ? "true" : null;
    },
    get childStates() {
      const counts = this.job?.counts ?? {};
      return STATES.filter((word) => counts[word]).map((word) => {
        const on = this.status.includes(word);
        return { word, on: String(on), text: `${word} ${number(counts[word])}`, href: withQuery({ tab: "children", view: "", status: on ? "" : word }) };
      });
    },

    // -- data

    get input() {
      return this.job && raw ? cleanLines(JSON.stringify(raw.payload, null, 2)) : "";
    },
    get output() {
      if (!this.job || !raw || raw.result == null) return "Nothing yet.";
      return cleanLines(JSON.stringify(raw.result, null, 2));
    },
    get hasOutput() {
      return Boolean(this.job?.hasResult);
    },
    get canRerun() {
      return this.job?.actions.includes("rerun");
    },
    copyInput() {
      copy(JSON.stringify(raw.payload, null, 2));
    },
    copyOutput() {
      copy(JSON.stringify(raw.result, null, 2));
    },
    get commands() {
      const base = `/api/jobs/${id}`;
      const all = [
        ["This job", curl(base)],
        ["Its children", curl(`${base}/children?limit=50`)],
        ["Its log, with all below it", curl(`${base}/logs?order=asc`)],
        ["Wait for new lines", curl(`${base}/logs?order=asc&follow=true`)],
        ...(this.job?.actions ?? []).filter((each) => LABELS[each] && each !== "delete").map((each) => [LABELS[each], curl(`${base}/${each}`, "POST")]),
      ];
      return all.map(([label, command]) => ({ label, command, copyLabel: `Copy: ${label}` }));
    },
    copyCommand(command) {
      copy(command, "curl command copied");
    },

    key({ key, target }) {
      const numbers = { 1: 0, 2: 1, 3: 2, 4: 3, 5: 4 };
      if (key in numbers) {
        document.getElementById(`tab-${TABS[numbers[key]][0]}`)?.click();
        return true;
      }
      if (key === "Enter" && target.matches("a, button")) return false;
      if (this.tab === "children" && table?.key(key)) return true;
      const can = (action) => this.job?.actions.includes(action) && this.act(action);
      const does = { r: () => can("retry"), c: () => can("cancel"), l: () => change({ tab: "logs" }) };
      does[key]?.();
      return key in does;
    },
  };
}

/** The attempts that did not end well, and the one that did or still runs; newest first. */
function attemptsOf(found) {
  const failed = (found.attempts ?? []).toReversed();
  if (!found.started_at || (found.status === "failed" && failed.length)) return failed;
  if (found.status === "pending" || failed.some((each) => each.attempt === found.attempt && each.round === found.round)) return failed;
  const { attempt, round, started_at, completed_at, status, error } = found;
  return [{ attempt, round, started_at, ended_at: completed_at, outcome: status, error: failed.length ? null : error }, ...failed];
}

function attempt(each) {
  const seconds = each.ended_at && each.started_at ? (Date.parse(each.ended_at) - Date.parse(each.started_at)) / 1000 : null;
  const outcome = each.outcome ?? "running";
  const known = STATUS_ICONS[outcome] ? outcome : "failed";
  const head = h(
    "div.attempt-head",
    {},
    h("strong", {}, `Attempt ${each.attempt}${each.round > 1 ? ` of round ${each.round}` : ""}`),
    h(`span.status.is-${known}`, {}, icon(STATUS_ICONS[known]), clean(outcome, 40)),
    h("span.quiet", { title: moment(each.started_at) }, `${ago(each.started_at)}${seconds == null ? "" : `, took ${duration(Math.max(0, seconds))}`}`),
  );
  const error = each.error && h("pre.raw", { tabindex: 0 }, h("bdi", { dir: "auto" }, cleanLines(each.error).slice(0, 20_000)));
  return h(`li.is-${known}`, {}, head, error);
}

function facts(found) {
  const link = (id) => h("a.link", { href: `/jobs/${id}` }, `#${id}`);
  const rows = [
    ["Created", moment(found.created_at)],
    ["Due", found.run_at && moment(found.run_at)],
    ["Started", found.started_at && moment(found.started_at)],
    ["Ended", found.completed_at && moment(found.completed_at)],
    ["Waited", found.wait != null && duration(found.wait)],
    ["Phase", found.phase],
    ["Priority", found.priority],
    ["Round", found.round > 1 && found.round],
    ["Parent", found.parent_id && link(found.parent_id)],
    ["Root", found.root_id !== found.id && link(found.root_id)],
    ["Run again of", found.rerun_of && link(found.rerun_of)],
    ["Warnings", found.warnings > 0 && plural(found.warnings, "child failed", "children failed")],
    ["Failures allowed", found.max_child_failures > 0 && `${number(found.max_child_failures)}, then ${clean(found.child_failure_action).replaceAll("_", " ")}`],
    ["Documents", found.documents > 0 && h("a.link", { href: "/documents" }, number(found.documents))],
    ["Description", found.description && bdi(found.description, 2000)],
  ];
  return rows
    .filter(([, value]) => value != null && value !== false && value !== "")
    .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? number(value) : value)]);
}
