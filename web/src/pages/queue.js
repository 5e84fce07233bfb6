/** The queue page: every filter in its address, the list live, and nothing that jumps. */
import { performAll } from "../actions.js";
import { curl, get, latest, post, query } from "../api.js";
import { createJob } from "../create_job.js";
import { copy, note } from "../dialogs.js";
import { STATUS_ICONS } from "../dom.js";
import { counted, duration, number, plural } from "../format.js";
import { JobTable } from "../job_table.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { LogView } from "../log_view.js";
import { change, go, here, onRoute, withQuery } from "../router.js";

const STATES = ["pending", "running", "completed", "failed", "cancelled"];
const WORDS = ["status", "type", "source_type", "entity_type", "parent", "created_after", "created_before"];
const SHORT = { source: "source_type", entity: "entity_type", after: "created_after", before: "created_before" };
const PAGE = 50;
const MOST_ROWS = 500;

/** The filter that an address says, in the API's words. */
function filterOf(words) {
  const filter = { status: words.getAll("status") };
  for (const name of WORDS.slice(1)) filter[name] = words.get(name) ?? "";
  filter.text = words.get("text") ?? "";
  return filter;
}

/** `error type:crawler status:failed` as words of the address: what is no known word is text. */
function parsed(text) {
  const found = {};
  const rest = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [, name, value] = /^([a-z_]+):(.+)$/.exec(word) ?? [];
    const known = SHORT[name] ?? name;
    if (WORDS.includes(known)) found[known] = [...(found[known] ?? []), value];
    else rest.push(word);
  }
  return { found, rest: rest.join(" ") };
}

export function queue() {
  let table;
  let log = null;
  let waiting = null;
  const ask = latest();
  const ends = [];
  let freshTimer = null;
  let statsTimer = null;
  let slowTimer = null;
  let typing = null;

  return {
    filter: filterOf(here().query),
    text: here().query.get("text") ?? "",
    order: "-created",
    top: null,
    stats: null,
    day: null,
    paused: false,
    pausing: false,
    typeCounts: [],
    total: null,
    searched: false,
    cursor: null,
    shown: 0,
    loading: true,
    slow: false,
    problem: "",
    problemTitle: "",
    fresh: 0,
    selected: 0,
    everything: false,
    address: "",
    suggestions: [],
    logId: null,
    logName: "",

    init() {
      table = new JobTable(this.$refs.rows, {
        selectable: true,
        openLog: (job) => change({ logs: job.id }),
        fits: (job) => this.fits(job),
        picked: (set) => {
          this.selected = set.size;
          this.everything = false;
        },
        opened: (ids) => change({ open: ids.join(",") }, { replace: true }),
        left: () => this.left(),
      });
      ends.push(
        onRoute((route) => route.page === "queue" && this.routed(route)),
        onKey((event) => this.key(event)),
        live.subscribe("jobs", { message: (m) => this.heard(m), reload: () => this.reload() }),
        live.subscribe("queue", { message: (m) => this.counts(m) }),
      );
      this.routed(here());
      this.loadStats();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      log?.destroy();
      table.destroy();
      [freshTimer, statsTimer, slowTimer, typing].forEach(clearTimeout);
    },

    // -- the address

    routed({ query: words }) {
      const filter = filterOf(words);
      const given = words.get("order") ?? "-created";
      const order = offered(filter.parent).some(([word]) => word === given) ? given : "-created";
      const same = JSON.stringify([filter, order]) === JSON.stringify([this.filter, this.order]);
      this.filter = filter;
      this.order = order;
      if (document.activeElement?.dataset.search === undefined) this.text = filter.text;
      this.showLog(Number(words.get("logs")) || null);
      if (same && this.shown) return;
      this.unselect();
      this.load();
    },

    words() {
      const { parent, ...filter } = this.filter;
      return { parent: parent || "root", ...filter, order: this.order };
    },

    typed() {
      clearTimeout(typing);
      this.suggestFor(this.text);
      const { found, rest } = parsed(this.text);
      if (Object.keys(found).length) return;
      typing = setTimeout(() => change({ text: rest }, { replace: true }), 150);
    },

    search() {
      clearTimeout(typing);
      const { found, rest } = parsed(this.text);
      this.text = rest;
      this.suggestions = [];
      const joined = Object.entries(found).map(([name, values]) => {
        return [name, name === "status" ? [...new Set([...this.filter[name], ...values])] : values.at(-1)];
      });
      change({ text: rest, ...Object.fromEntries(joined) });
    },

    suggestFor(text) {
      const [, name, begun] = /(?:^|\s)(type|status):(\S*)$/.exec(text) ?? [];
      const all =
        name === "status"
          ? STATES.map((word) => ({ word, count: number(this.top?.[word]) }))
          : this.typeCounts.map((each) => ({ word: each.type, count: number(sum(each.counts)) }));
      const fitting = name ? all.filter((each) => each.word.startsWith(begun)).slice(0, 8) : [];
      this.suggestions = fitting.map((each, at) => ({ ...each, on: at === 0 }));
    },

    get hasSuggestions() {
      return this.suggestions.length > 0;
    },
    suggest(word) {
      this.text = this.text.replace(/:\S*$/, `:${word}`);
      this.search();
    },
    closeSuggestions() {
      this.suggestions = [];
    },
    suggestKey(event) {
      if (!this.suggestions.length) return;
      const at = this.suggestions.findIndex((each) => each.on);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        const next = (at + step + this.suggestions.length) % this.suggestions.length;
        this.suggestions = this.suggestions.map((each, index) => ({ ...each, on: index === next }));
      } else if (event.key === "Enter" || event.key === "Tab") {
        this.suggest(this.suggestions[at].word);
      } else return;
      event.preventDefault();
    },

    get orders() {
      return offered(this.filter.parent).map(([word, label]) => ({ word, label, on: word === this.order }));
    },
    reorder() {
      const order = this.$refs.order.value;
      change({ order: order === "-created" ? "" : order });
    },

    // -- the list

    async load() {
      const asked = Date.now();
      this.loading = true;
      clearTimeout(slowTimer);
      slowTimer = setTimeout(() => (this.slow = !this.shown), 200);
      try {
        const limit = Math.max(PAGE, Math.min(200, this.shown));
        const values = { ...this.words(), limit, count: true };
        const answer = await ask((signal) => get("/api/jobs", values, { signal }));
        if (!answer) return;
        this.problem = "";
        this.take(answer, asked);
      } catch (error) {
        this.problem = this.shown && !error.status ? "" : error.message;
        this.problemTitle = error.title ?? "Something went wrong";
      }
      clearTimeout(slowTimer);
      this.slow = false;
      this.loading = false;
    },

    take(answer, asked) {
      this.cursor = answer.next_cursor;
      this.searched = Boolean(answer.searched);
      this.total = answer.total ?? this.total;
      this.fresh = 0;
      waiting = null;
      table.set(answer.items, asked);
      this.shown = table.top.length;
      for (const id of (here().query.get("open") ?? "").split(",").map(Number)) {
        const row = table.rows.get(id);
        if (row && !row.chevron.hidden) table.expand(row);
      }
    },

    async more() {
      const values = { ...this.words(), limit: PAGE, cursor: this.cursor };
      this.loading = true;
      try {
        const answer = await get("/api/jobs", values);
        table.append(answer.items);
        this.shown = table.top.length;
        this.cursor = this.shown < MOST_ROWS ? answer.next_cursor : null;
        this.searched = Boolean(answer.searched);
      } catch (error) {
        note(error.message, { error: true });
      }
      this.loading = false;
    },

    reload() {
      this.load();
      this.loadStats();
    },

    fits(job) {
      const { status, type } = this.filter;
      return (!status.length || status.includes(job.status)) && (!type || type === job.type);
    },

    heard(message) {
      this.statsSoon();
      if (message.type === "deleted") {
        table.drop(message.id);
      } else if (message.type === "job" && !table.patch(message.job)) this.lookSoon();
    },

    /** A row has gone; when none is left, others may follow. */
    left() {
      this.shown = table.top.length;
      if (!this.shown && this.cursor && !this.loading) this.load();
    },

    /** Something new: ask which rows would be shown now, at most once a second. */
    lookSoon() {
      freshTimer ??= setTimeout(() => {
        freshTimer = null;
        this.look();
      }, 300);
    },

    async look() {
      if (this.order !== "-created") return;
      const asked = Date.now();
      const values = { ...this.words(), limit: PAGE, count: true };
      const answer = await get("/api/jobs", values).catch(() => null);
      if (!answer) return;
      const unknown = answer.items.filter((job) => !table.rows.has(job.id));
      if (!unknown.length) return;
      waiting = { answer, asked };
      const own = unknown.every((job) => this.own?.has(job.id));
      if (!this.shown || own) this.take(answer, asked);
      else this.fresh = unknown.length;
    },

    showFresh() {
      if (this.shown <= PAGE && waiting && Date.now() - waiting.asked < 1000) this.take(waiting.answer, waiting.asked);
      else this.load();
    },

    get freshText() {
      return `↑ ${this.fresh}${this.fresh >= PAGE ? " or more" : ""} new`;
    },
    get empty() {
      return !this.loading && !this.shown && !this.problem && !this.cursor;
    },
    get filtered() {
      const { status, type, text, source_type: source, entity_type: entity } = this.filter;
      return Boolean(status.length || type || text || source || entity);
    },
    get nothing() {
      return !this.filtered;
    },
    get emptyTitle() {
      return this.filtered ? "No job matches" : "Nothing has been collected yet";
    },
    get emptyText() {
      return this.filtered ? "No job has all of what is asked for above." : "Give the address of a site, and its pages appear here as they come.";
    },
    get capped() {
      return this.shown >= MOST_ROWS;
    },
    get moreText() {
      return this.searched ? "Many jobs were looked through so far: search further" : "Show more";
    },
    get moreClass() {
      return this.loading ? "is-loading" : "";
    },
    get stageClass() {
      return this.loading && this.shown ? "is-stale" : "";
    },

    // -- figures

    async loadStats() {
      try {
        const [stats, now] = await Promise.all([get("/api/jobs/stats"), get("/api/queue")]);
        this.top = stats.top;
        this.typeCounts = stats.types;
        this.day = stats;
        this.stats = now;
        this.paused = now.paused;
      } catch (error) {
        if (error.status) note(error.message, { error: true });
      }
    },

    statsSoon() {
      statsTimer ??= setTimeout(() => {
        statsTimer = null;
        this.loadStats();
      }, 3000);
    },

    counts(message) {
      this.stats = { ...this.stats, ...message.stats };
      this.paused = message.stats.paused;
      if (message.top) this.top = message.top;
    },

    get sentence() {
      if (!this.top) return " ";
      const { failed, running, pending } = this.top;
      const parts = [];
      if (running) parts.push(`${plural(running, "tree")} running`);
      if (pending) parts.push(`${number(pending)} waiting to start`);
      if (!parts.length) parts.push("All quiet");
      if (failed) parts.push(`${number(failed)} failed`);
      return `${parts.join(", ")}.`;
    },

    get tiles() {
      const { day, stats } = this;
      const last = day?.last_24h ?? {};
      return [
        tile("Pending", number(stats?.ready), stats?.delayed ? `${number(stats.delayed)} delayed` : ""),
        tile("In flight", number(stats?.in_flight), "", "is-running"),
        tile("Completed", number(last.completed), "24 h"),
        tile("Failed", number(last.failed), "24 h", last.failed ? "is-failed" : ""),
        tile("Average run", duration(last.mean_run_seconds), "24 h"),
        tile("Oldest waiting", duration(stats?.oldest_ready_seconds ?? day?.oldest_waiting_seconds), ""),
      ];
    },

    get states() {
      const { status } = this.filter;
      const all = this.top ? sum(this.top) : null;
      const first = state("all", "All", all, "#i-log", filtered({ status: "" }), !status.length);
      const others = STATES.map((word) => {
        const label = word[0].toUpperCase() + word.slice(1);
        const on = status.length === 1 && status[0] === word;
        return state(word, label, this.top?.[word], `#i-${STATUS_ICONS[word]}`, filtered({ status: on ? "" : word }), on || status.includes(word));
      });
      return [first, ...others];
    },

    get types() {
      return this.typeCounts.map((each) => {
        const on = this.filter.type === each.type;
        const href = filtered({ type: on ? "" : each.type });
        return { type: each.type, count: number(sum(each.counts)), href, current: on ? "true" : null };
      });
    },

    get deadCount() {
      return number(this.stats?.dead);
    },

    get chips() {
      const chips = [];
      const add = (name, value, rest) => {
        const text = `${name}:${value}`;
        chips.push({ text, label: `Remove the filter ${text}`, href: filtered({ [name]: rest }) });
      };
      const { status } = this.filter;
      for (const value of status) add("status", value, status.filter((each) => each !== value));
      for (const name of WORDS.slice(1)) if (this.filter[name] && this.filter[name] !== "any") add(name, this.filter[name], "");
      return chips;
    },

    get treeHref() {
      return this.filter && filtered({ parent: "" });
    },
    get flatHref() {
      return this.filter && filtered({ parent: "any" });
    },
    get treeCurrent() {
      return this.filter.parent === "any" ? null : "true";
    },
    get flatCurrent() {
      return this.filter.parent === "any" ? "true" : null;
    },

    // -- selection

    pickPage() {
      table.pickAll(this.$refs.all.checked);
    },
    unselect() {
      this.$refs.all.checked = false;
      table.pickAll(false);
      this.everything = false;
    },
    get canSelectAll() {
      const count = this.total?.count ?? 0;
      return !this.everything && this.selected >= this.shown && count > this.selected;
    },
    selectAll() {
      this.everything = true;
    },
    get selectAllText() {
      return `Select all ${counted(this.matching)} that match`;
    },
    get selectionText() {
      return this.everything ? `All ${counted(this.matching)} that match are selected.` : `${number(this.selected)} selected.`;
    },
    /** How many match: exact from the kept counts where these say it. */
    get matching() {
      const { status, parent, ...rest } = this.filter;
      const narrowed = parent || Object.values(rest).some(Boolean);
      if (narrowed || !this.top || !this.total?.capped) return this.total;
      const words = status.length ? status : STATES;
      return { count: words.reduce((all, word) => all + this.top[word], 0), capped: false };
    },
    async bulk(action) {
      const { order, ...words } = this.words();
      const filter = Object.fromEntries(Object.entries(words).filter(([, value]) => value.length));
      const many = this.everything
        ? { filter, ...this.matching }
        : { ids: [...table.selection], count: table.selection.size };
      const job = await performAll(action, many);
      if (job) this.unselect();
    },

    // -- doing

    async create() {
      this.created(await createJob());
    },
    async startCrawl() {
      this.created(await createJob({ type: "crawler", payload: { seeds: [this.address] } }));
    },
    created(made) {
      if (!made) return;
      this.own = (this.own ?? new Set()).add(made.id);
      note("Created", { link: { href: `/jobs/${made.id}`, text: `Job ${made.id}` } });
      this.load();
    },
    get pauseLabel() {
      return this.paused ? "Resume queue" : "Pause queue";
    },
    get pauseIcon() {
      return this.paused ? "#i-run" : "#i-pause";
    },
    async togglePause() {
      this.pausing = true;
      try {
        await post(`/api/queue/${this.paused ? "resume" : "pause"}`);
        this.paused = !this.paused;
      } catch (error) {
        note(error.message, { error: true });
      }
      this.pausing = false;
    },
    copyCurl() {
      copy(curl(`/api/jobs${query({ ...this.words(), limit: PAGE })}`), "curl command copied");
    },

    // -- the log

    showLog(id) {
      if (id === this.logId) return;
      log?.destroy();
      log = null;
      this.logId = id;
      if (!id) return;
      const words = here().query;
      this.logName = table?.rows.get(id)?.job.name ?? "";
      this.$nextTick(() => {
        log = new LogView(this.$refs.log, {
          jobId: id,
          state: { level: words.get("level") ?? "debug", text: words.get("find") ?? "" },
          changed: ({ level, text }) => change({ level: level === "debug" ? "" : level, find: text }, { replace: true }),
        });
        this.$refs.drawer.focus();
      });
    },
    closeLog() {
      const id = this.logId;
      go(withQuery({ logs: "", level: "", find: "" }));
      table.rows.get(id)?.element.focus();
    },
    get logHref() {
      return `/jobs/${this.logId}?tab=logs`;
    },
    get logTitle() {
      return `job ${this.logId}`;
    },

    key(event) {
      if (event.key === "Escape" && this.logId) {
        this.closeLog();
        return true;
      }
      if (event.key === "n") {
        this.create();
        return true;
      }
      if (event.key === "Enter" && event.target.matches("a, button")) return false;
      return table.key(event.key);
    },
  };
}

const ORDERS = [
  ["-created", "Newest first"],
  ["created", "Oldest first"],
  ["-started", "Last started"],
  ["-finished", "Last ended"],
  ["-duration", "Longest"],
];

/** The orders that have an index: all of them for top-level jobs, by creation for others. */
const offered = (parent) => (parent && parent !== "root" ? ORDERS.slice(0, 2) : ORDERS);

/** The address with another filter; what is open or logged beside the list goes with the old one. */
const filtered = (changes) => withQuery({ open: "", logs: "", level: "", find: "", ...changes });

const sum = (counts) => STATES.reduce((total, word) => total + (counts[word] ?? 0), 0);
const tile = (label, value, about = "", kind = "") => ({ label, value, note: about, kind });

function state(word, label, count, symbol, href, on) {
  return { word, label, count: number(count), icon: symbol, href, kind: `is-${word}`, current: on ? "true" : null };
}
