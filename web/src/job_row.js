/** One row of a table of jobs: made once, then changed in place where something differs. */
import { bdi, h, icon, iconButton, once, say, STATUS_ICONS, swap } from "./dom.js";
import { now } from "./clock.js";
import { ago, clean, duration, moment, number, plural } from "./format.js";
import { isGoing } from "./undo.js";

/** The word for the state of a job, more exact than its status where it only waits. */
export function stateWord(job) {
  if (job.stopping && job.status === "running") return "stopping";
  if (job.held) return "held";
  if (job.status === "running" && job.waiting) return "waiting";
  return job.status;
}

/** The same in full: a parent that only waits says for how many. */
export function stateText(job) {
  const word = stateWord(job);
  const open = job.counts ? job.counts.pending + job.counts.running : 0;
  return word === "waiting" && open ? `waiting for ${number(open)}` : word;
}

/** What went wrong; of a job that is tried again, the last time. */
export function errorText(job) {
  if (!job.error) return "";
  return ["pending", "running"].includes(job.status) ? `last attempt: ${job.error}` : job.error;
}

/** A small mark with icon and word. */
export function statusMark(job) {
  const word = stateWord(job);
  return h(`span.status.is-${word}`, {}, icon(STATUS_ICONS[word]), stateText(job));
}

/** Seconds that a job has run: the server's figure, and what has passed here since it came. */
export function runTime(job) {
  if (job.duration == null) return null;
  const passed = job.status === "running" ? (now() - job.seenAt) / 1000 : 0;
  return job.duration + Math.max(0, passed);
}

/** How far a job is, as words and as parts of a bar between 0 and 1; null where nothing is known. */
export function progressOf(job) {
  const { counts, progress_current: current, progress_total: total } = job;
  const text = job.completed_at ? "" : job.progress_text; // it does that no more
  if (counts?.total) {
    const words = `${number(counts.done)}/${number(counts.total)}`;
    const failed = counts.failed / counts.total;
    return { words, done: counts.done / counts.total - failed, failed, note: failures(counts) };
  }
  if (total) return { words: `${number(current)}/${number(total)}`, done: current / total, failed: 0, note: text };
  if (text) return { words: "", done: 0, failed: 0, note: text };
  return null;
}

const failures = (counts) => (counts.failed ? `${number(counts.failed)} failed` : "");

export class JobRow {
  constructor(job, table, { level = 1, withPhase = false } = {}) {
    this.table = table;
    this.level = level;
    this.withPhase = withPhase;
    this.isListed = true;
    this.build(job);
    this.update(job);
  }

  get isLeaving() {
    return this.element.classList.contains("is-leaving");
  }

  build(job) {
    const { table } = this;
    this.check = h("input", {
      type: "checkbox",
      "aria-label": `Select job ${job.id}`,
      on: { click: (event) => table.pick(this, event) },
    });
    this.chevron = iconButton("chevron", `Show children of job ${job.id}`, () => table.toggle(this), {
      "aria-expanded": "false",
    });
    this.chevron.classList.add("chevron");
    this.link = h("a.job-name", { href: `/jobs/${job.id}` });
    this.details = h("span.job-details");
    this.statusCell = h("td.cell-status");
    this.bar = h("span.bar", { "aria-hidden": "true" }, h("span.bar-done"), h("span.bar-failed"));
    this.words = h("span.bar-words");
    this.created = h("td.cell-time", { "data-label": "Created" });
    this.started = h("td.cell-time.is-extra", { "data-label": "Started" });
    this.completed = h("td.cell-time.is-extra", { "data-label": "Ended" });
    this.duration = h("td.cell-time.is-number", { "data-label": "Duration" });
    this.actions = h("td.cell-actions");
    const name = h("div.job-cell", {}, this.chevron, h("div.job-text", {}, this.link, this.details));
    this.element = h(
      `tr.job-row.level-${Math.min(this.level, 8)}`,
      { "data-id": job.id, "aria-level": this.level, tabindex: -1 },
      h("td.cell-check", {}, table.selectable && this.level === 1 ? this.check : null),
      h("td.cell-name", {}, name),
      this.statusCell,
      h("td.cell-progress", {}, this.bar, this.words),
      this.created,
      this.started,
      this.completed,
      this.duration,
      this.actions,
    );
  }

  update(job) {
    const old = this.job;
    job.seenAt = now();
    this.job = job;
    if (old?.name !== job.name || !old) this.link.replaceChildren(bdi(job.name || job.type, 300));
    this.describe(job);
    if (this.statusCell.textContent !== stateText(job)) this.statusCell.replaceChildren(statusMark(job));
    this.progress(job);
    const parent = (job.counts?.total ?? 0) > 0;
    this.chevron.hidden = !parent;
    if (parent) this.element.setAttribute("aria-expanded", this.chevron.getAttribute("aria-expanded"));
    else this.element.removeAttribute("aria-expanded");
    this.element.classList.toggle("is-parent", parent);
    if (!old || String(old.actions) !== String(job.actions)) this.offer(job);
    this.element.classList.remove("is-acted");
    this.element.classList.toggle("is-leaving", this.table.leaves(this));
    this.showGoing();
    this.tick();
  }

  /** The second line: what it is in small grey words. */
  describe(job) {
    const parts = [];
    if (this.withPhase && job.phase !== "core") parts.push(h(`span.phase.is-${job.phase}`, {}, job.phase));
    parts.push(h("span.job-id", {}, `#${job.id}`), h("span.job-type", {}, job.type));
    if (job.attempt > 1) parts.push(h("span", {}, `attempt ${job.attempt}`));
    if (job.round > 1) parts.push(h("span", {}, `round ${job.round}`));
    if (job.priority) parts.push(h("span", {}, `priority ${job.priority}`));
    if (job.warnings) parts.push(h("span.is-warning", {}, plural(job.warnings, "warning")));
    if (job.run_at && job.status === "pending") parts.push(h("span", {}, `due ${ago(job.run_at)}`));
    if (job.error) parts.push(h("span.is-error", { title: clean(errorText(job), 1000) }, bdi(errorText(job), 200)));
    const text = parts.map((part) => part.textContent).join("\0");
    if (this.described === text) return;
    this.described = text;
    this.details.replaceChildren(...parts);
  }

  progress(job) {
    const found = progressOf(job);
    this.bar.hidden = !found || !(job.counts?.total || job.progress_total);
    say(this.words, found ? [found.words, clean(found.note ?? "", 60)].filter(Boolean).join(" · ") : "");
    if (!found) return;
    const [done, failed] = this.bar.children;
    done.style.transform = `scaleX(${Math.min(1, found.done)})`;
    failed.style.transform = `translateX(${found.done * 100}%) scaleX(${found.failed})`;
    this.bar.classList.toggle("is-moving", job.status === "running");
  }

  offer(job) {
    const { table } = this;
    const main = ["start", "cancel", "retry"].find((each) => job.actions.includes(each));
    const quick = main
      ? iconButton(table.icons[main], table.labels[main], once(() => table.act(main, this)))
      : h("span.icon-button", { "aria-hidden": "true" });
    const log = iconButton("log", `Log of job ${job.id}`, () => table.openLog(job));
    const more = iconButton("more", `More for job ${job.id}`, (event) => table.more(this, event.currentTarget), {
      "aria-haspopup": "menu",
    });
    swap(this.actions, [log, quick, more], this.element);
  }

  /** What changes by itself: the ages. */
  tick() {
    const { job } = this;
    if (job.run_at && job.status === "pending") this.describe(job);
    time(this.created, job.created_at);
    time(this.started, job.started_at);
    time(this.completed, job.completed_at);
    say(this.duration, duration(runTime(job)));
  }

  /** Pale while it is about to be deleted. */
  showGoing() {
    this.element.classList.toggle("is-going", isGoing(`job:${this.job.id}`));
  }

  expand(open) {
    this.chevron.setAttribute("aria-expanded", String(open));
    this.element.setAttribute("aria-expanded", String(open));
    this.chevron.setAttribute("aria-label", `${open ? "Hide" : "Show"} children of job ${this.job.id}`);
    this.chevron.classList.toggle("is-open", open);
  }
}

function time(cell, value) {
  say(cell, ago(value));
  if (cell.dataset.at === (value ?? "")) return;
  cell.dataset.at = value ?? "";
  cell.title = value ? moment(value) : "";
}
