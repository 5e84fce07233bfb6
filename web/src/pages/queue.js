/** The queue page: every filter in its address, the list live, and nothing that jumps. */
import { curl, first, get, latest, post, query } from "../api.js";
import { paced } from "../clock.js";
import { together } from "../component.js";
import { createJob } from "../create_job.js";
import { copy, note } from "../dialogs.js";
import { JobTable } from "../job_table.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { paging } from "../paging.js";
import { figures } from "../queue/figures.js";
import { filterOf, offered, parsed } from "../queue/filter.js";
import { logDrawer } from "../queue/log_drawer.js";
import { searchBox } from "../queue/search.js";
import { selection } from "../queue/selection.js";
import { change, here, onRoute } from "../router.js";
import { remember, remembered } from "../scroll.js";

const PAGE = 50;
const MOST_ROWS = 500;
const OPEN = ["pending", "running"];
const MOST_ASKED = 20;

export function queue() {
  let table;
  let waiting = null;
  const ask = latest();
  const ends = [];
  let lookSoon = null;
  let pages = null;
  let slowTimer = null;
  let againTimer = null;

  const list = {
    filter: filterOf(here().query),
    text: here().query.get("text") ?? "",
    order: "-created",
    pausing: false,
    total: null,
    searched: false,
    cursor: null,
    shown: 0,
    loading: true,
    slow: false,
    problem: "",
    problemTitle: "",
    unreadable: false,
    fresh: 0,
    takenAt: 0,
    address: "",

    init() {
      pages = paging(() => this.loadFirst(), () => this.loadNext());
      table = new JobTable(this.refs.rows, {
        selectable: true,
        openLog: (job) => change({ logs: job.id }),
        fits: (job) => this.fits(job),
        statuses: () => [...this.filter.status],
        picked: (set) => {
          this.selected = set.size;
          this.everything = false;
        },
        opened: (ids) => change({ open: ids.join(",") }, { replace: true }),
        left: () => this.left(),
        again: () => this.loadSoon(),
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
      table.destroy();
      lookSoon?.stop();
      [slowTimer, againTimer].forEach(clearTimeout);
      this.stopParts();
    },

    // -- the address

    routed({ query: words }) {
      const filter = filterOf(words);
      const given = words.get("order") ?? "-created";
      const order = offered(filter.parent).some(([word]) => word === given) ? given : "-created";
      const typed = parsed(this.text).rest === filter.text || this.filter.text === filter.text;
      if (!typed || document.activeElement?.dataset.search === undefined) this.text = filter.text;
      const same = JSON.stringify([filter, order]) === JSON.stringify([this.filter, this.order]);
      this.filter = filter;
      this.order = order;
      this.showLog(Number(words.get("logs")) || null);
      if (same && this.shown) return;
      this.unselect();
      table.begin();
      pages.begin();
    },

    words() {
      const { parent, ...filter } = this.filter;
      return { parent: parent || "root", ...filter, order: this.order };
    },

    get orders() {
      return offered(this.filter.parent).map(([word, label]) => ({ word, label, on: word === this.order }));
    },
    reorder() {
      const order = this.refs.order.value;
      change({ order: order === "-created" ? "" : order });
    },

    // -- the list

    load() {
      return pages.load();
    },

    more() {
      return pages.more();
    },

    async loadFirst() {
      const asked = Date.now();
      this.loading = true;
      clearTimeout(slowTimer);
      slowTimer = setTimeout(() => (this.slow = !this.shown), 200);
      try {
        const wanted = Math.max(PAGE, this.shown, remembered("rows") ?? 0);
        const values = { ...this.words(), count: true };
        const answer = await ask((signal) => first("/api/jobs", values, wanted, { signal }));
        if (!answer) return;
        this.problem = "";
        this.take(answer, asked);
      } catch (error) {
        this.problem = this.shown && !error.status ? "" : error.message;
        this.unreadable = error.status === 422;
        this.problemTitle = this.unreadable ? "The filter cannot be read" : (error.title ?? "Something went wrong");
      }
      clearTimeout(slowTimer);
      this.slow = false;
      this.loading = false;
    },

    loadSoon() {
      againTimer ??= setTimeout(() => {
        againTimer = null;
        this.load();
      }, 300);
    },

    /** Show a list, unless one that was asked for later is shown already: then it is asked for anew. */
    take(answer, asked) {
      if (asked < this.takenAt) {
        this.loadSoon();
        return;
      }
      this.takenAt = asked;
      this.cursor = answer.items.length < MOST_ROWS ? answer.next_cursor : null;
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

    async loadNext() {
      if (!this.cursor) return;
      const values = { ...this.words(), limit: PAGE, cursor: this.cursor };
      const asked = Date.now();
      this.loading = true;
      try {
        const answer = await ask((signal) => get("/api/jobs", values, { signal }));
        if (!answer) return;
        table.append(answer.items, asked);
        this.shown = table.top.length;
        remember({ rows: this.shown });
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
        table.forgo(message.id);
      } else if (message.type === "job" && (!table.patch(message.job) || this.flat)) this.lookSoon();
    },

    /** Whether jobs below others are listed: of these nothing is heard, only of what is above them. */
    get flat() {
      return !["", "root"].includes(this.filter.parent);
    },

    /** A row has gone; when none is left, others may follow. */
    left() {
      this.shown = table.top.length;
      if (!this.shown && this.cursor && !this.loading) this.load();
    },

    /** Something new: ask which rows would be shown now, soon and not for each change; once more
     * where it came while that was under way, as the answer may be from before.
     */
    lookSoon() {
      lookSoon ??= paced(() => this.look(), 1000, 300);
      lookSoon();
    },

    async look() {
      const asked = Date.now();
      const words = this.words();
      const limit = this.flat ? Math.max(PAGE, Math.min(200, this.shown)) : PAGE;
      const answer = await get("/api/jobs", { ...words, limit, count: true }).catch(() => null);
      if (!answer || JSON.stringify(words) !== JSON.stringify(this.words())) return;
      if (this.flat) await this.renew(answer, asked);
      const unknown = answer.items.filter((job) => !table.rows.has(job.id));
      if (!unknown.length) return;
      waiting = { answer, asked };
      const own = unknown.every((job) => this.own?.has(job.id));
      if (!this.shown || own) this.take(answer, asked);
      else this.fresh = unknown.length;
    },

    /** Change the rows of a flat list in place: as the list has them, and those that it has no more,
     * as they are asked for one by one. A row below all that are listed may only stand further on.
     */
    async renew(answer, asked) {
      table.renew(answer.items, asked);
      const listed = new Set(answer.items.map((job) => job.id));
      const rows = table.ordered;
      const last = answer.next_cursor ? rows.findLastIndex((row) => listed.has(row.job.id)) : rows.length;
      const lacks = (row, at) => !listed.has(row.job.id) && (at < last || OPEN.includes(row.job.status));
      const missing = rows.filter((row, at) => lacks(row, at) && !row.isLeaving).map((row) => row.job);
      const asks = missing.slice(0, MOST_ASKED);
      for (const { id } of asks) {
        const job = await get(`/api/jobs/${id}`).catch((error) => error);
        if (job.status === 404) table.forgo(id);
        else if (job.id === id) table.patch(job);
      }
      const stays = ({ id }) => table.rows.get(id)?.isLeaving === false;
      if (missing.length > MOST_ASKED && !asks.every(stays)) this.lookSoon();
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
      const { status, parent, ...rest } = this.filter;
      return Boolean(status.length || !["", "root", "any"].includes(parent) || Object.values(rest).some(Boolean));
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
    async togglePause({ detail }) {
      if (detail > 1) return;
      this.pausing = true;
      try {
        await post(`/api/queue/${this.paused ? "resume" : "pause"}`);
        await this.loadStats(); // what was heard of it meanwhile is newer
      } catch (error) {
        note(error.message, { error: true });
      }
      this.pausing = false;
    },
    copyCurl() {
      copy(curl(`/api/jobs${query({ ...this.words(), limit: PAGE })}`), "curl command copied");
    },

    key(event) {
      if (event.key === "Escape" && this.logId) {
        this.closeLog();
        return true;
      }
      if (this.logId && this.refs.drawer.contains(document.activeElement)) return "jkxlrcn".includes(event.key);
      if (event.key === "n") {
        this.create();
        return true;
      }
      if (event.key === "Enter" && event.target.matches("a, button")) return false;
      return table.key(event.key);
    },
  };
  return together(searchBox(), figures(), selection(() => table), logDrawer(() => table), list);
}
