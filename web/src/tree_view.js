/** The whole tree of a job as an outline with bars on a shared time axis. However long it is, only
 * what can be seen is in the page; the next part is asked for when the end comes near. */
import { get } from "./api.js";
import { now } from "./clock.js";
import { bdi, h, say } from "./dom.js";
import { duration, tickDuration } from "./format.js";
import { runTime, statusMark } from "./job_row.js";
import { VirtualList } from "./virtual_list.js";

const ROW = 32;
const NARROW_ROW = 56; // the name above, its bar below
const NARROW = matchMedia("(width <= 900px)");
const MARKS = 4;
const PAGE = 200;
const MOST_AGAIN = 2_000;

export class TreeView {
  constructor(host, { id }) {
    this.host = host;
    this.id = id;
    this.items = [];
    this.places = new Map();
    this.heard = new Map();
    this.cursor = null;
    this.ended = false;
    this.head = h("div.tree-head", { "aria-hidden": "true" });
    host.append(this.head);
    this.rowHeight = NARROW.matches ? NARROW_ROW : ROW;
    this.list = new VirtualList(host, {
      rowHeight: this.rowHeight,
      render: (job, at) => this.row(job, at),
      nearEnd: () => this.load(),
    });
    this.turned = () => this.turn();
    NARROW.addEventListener("change", this.turned);
    this.load();
  }

  /** The window was made narrow or wide. */
  turn() {
    this.rowHeight = NARROW.matches ? NARROW_ROW : ROW;
    this.list.rowHeight = this.rowHeight;
    this.list.set(this.items);
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.timer);
    clearTimeout(this.again);
    NARROW.removeEventListener("change", this.turned);
    this.head.remove();
    this.list.destroy();
  }

  async load() {
    if (this.loading || this.ended || this.gone) return;
    this.begin();
    try {
      const answer = await get(`/api/jobs/${this.id}/tree`, { limit: PAGE, cursor: this.cursor });
      if (this.gone) return;
      this.cursor = answer.next_cursor;
      this.ended = !answer.next_cursor;
      for (const job of this.newest(answer.items)) {
        this.places.set(job.id, this.items.length);
        this.items.push(job);
      }
      this.loading = false;
      this.show();
    } catch {
      if (this.gone) return;
      this.again = setTimeout(() => {
        this.loading = false;
        this.load();
      }, 5000);
    }
  }

  /** Load again from the top what is shown; what had come further down comes again when needed.
   * Far down the rows stay, and only change with what is heard of them.
   */
  async refresh() {
    if (this.gone || this.host.scrollTop > MOST_AGAIN * this.rowHeight) return;
    if (this.loading) return this.refreshSoon();
    this.begin();
    const most = Math.ceil((this.host.scrollTop + this.host.clientHeight) / this.rowHeight) + PAGE;
    const items = [];
    let cursor = null;
    try {
      do {
        const answer = await get(`/api/jobs/${this.id}/tree`, { limit: PAGE, cursor });
        cursor = answer.next_cursor;
        items.push(...answer.items);
      } while (cursor && items.length < most);
      if (!this.gone) this.take(items, cursor);
    } catch {
      // The old rows stay; the next change, or the next reload, tries again.
    }
    this.loading = false;
  }

  begin() {
    this.loading = true;
    this.heard.clear();
  }

  /** Jobs of an answer, each as it was heard of since that was asked for. */
  newest(jobs) {
    return jobs.map((job) => this.heard.get(job.id) ?? Object.assign(job, { seenAt: now() }));
  }

  take(found, cursor) {
    const items = this.newest(found);
    this.items = items;
    this.places = new Map(items.map((job, at) => [job.id, at]));
    this.cursor = cursor;
    this.ended = !cursor;
    this.show();
  }

  show() {
    this.mark();
    this.list.set(this.items);
  }

  /** Milliseconds since the epoch at which the axis begins, and how many it is long. */
  get span() {
    const [root] = this.items;
    const begin = Date.parse(root.started_at ?? root.created_at);
    return { begin, whole: Math.max(1, (root.completed_at ? Date.parse(root.completed_at) : now()) - begin) };
  }

  /** Write the times above the bars. */
  mark() {
    if (!this.items.length) return;
    const { whole } = this.span;
    const marks = Array.from({ length: MARKS + 1 }, (_, at) => h("span", {}, tickDuration((whole * at) / MARKS / 1000)));
    this.head.replaceChildren(h("span", {}, "Job"), h("span", {}, "Status"), h("span.axis-marks", {}, marks), h("span.tree-time", {}, "Duration"));
  }

  refreshSoon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.refresh();
    }, 1000);
  }

  patch(job) {
    job.seenAt = now();
    if (this.loading) this.heard.set(job.id, job);
    const at = this.places.get(job.id);
    if (at === undefined) return this.ended && this.refreshSoon();
    this.items[at] = job;
    this.mark();
    this.list.draw(true);
  }

  row(job, at) {
    const root = this.items[0];
    const level = job.depth - root.depth;
    const name = h(
      "span.tree-name",
      {},
      job.phase !== "core" && h(`span.phase.is-${job.phase}`, {}, job.phase),
      h("a", { href: `/jobs/${job.id}` }, bdi(job.name || job.type, 300)),
    );
    name.style.paddingLeft = `${level * (NARROW.matches ? 8 : 16)}px`;
    const row = h(
      "div.tree-row",
      { role: "treeitem", "aria-level": level + 1, "aria-posinset": at + 1, "aria-setsize": this.ended ? this.items.length : -1 },
      name,
      statusMark(job),
      h("span.axis", { "aria-hidden": "true" }, h(`span.axis-bar.is-${job.status}`)),
      h("span.tree-time"),
    );
    this.grow(row, job);
    return row;
  }

  /** Give a row the duration of its job, and its bar the place on the axis. */
  grow(row, job) {
    const { begin, whole } = this.span;
    const seconds = runTime(job);
    const bar = row.querySelector(".axis-bar");
    bar.hidden = !job.started_at;
    if (job.started_at) {
      bar.style.left = `${Math.min(99, Math.max(0, ((Date.parse(job.started_at) - begin) / whole) * 100))}%`;
      bar.style.width = `${Math.max(0.4, Math.min(100, (((seconds ?? 0) * 1000) / whole) * 100))}%`;
    }
    say(row.lastChild, duration(seconds));
  }

  /** What runs has run longer, and the axis with it. */
  tick() {
    if (!this.items.length || this.items[0].completed_at) return;
    this.mark();
    for (const [job, row] of this.list.rows.made) this.grow(row, job);
  }
}
