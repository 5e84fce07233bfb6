/** A table of jobs whose rows open into their children, kept true by the live connection.
 *
 * Rows are changed in place. New top rows wait (the page shows how many); a row that no longer fits
 * the filter is struck through and goes when the pointer has left the table.
 */
import { first, get } from "./api.js";
import { ICONS, LABELS, perform, refuse } from "./actions.js";
import { everySecond } from "./clock.js";
import { menu } from "./dialogs.js";
import { h, place } from "./dom.js";
import { number } from "./format.js";
import { Heard } from "./heard.js";
import { entriesOf } from "./job_menu.js";
import { JobRow } from "./job_row.js";
import { live } from "./live.js";
import { go } from "./router.js";
import { onGoing } from "./undo.js";

const CHILDREN = 50;
const MOST_CHILDREN = 500;
const MOST_OPEN = 30;
const COLUMNS = 9;

export class JobTable {
  /** `openLog(job)`, `fits(job)`, `statuses()` of the children that a row opens into (none: of all),
   * `picked(set)`, `opened(ids)`, `left()` when a top row has gone, and `again()` when the list was
   * overtaken by what was heard and is to be loaded once more, are told or asked; all optional. */
  constructor(body, { selectable = false, openLog, fits, statuses, picked, opened, left, again } = {}) {
    this.body = body;
    this.selectable = selectable;
    this.openLog = openLog ?? ((job) => go(`/jobs/${job.id}?tab=logs`));
    this.fits = fits ?? (() => true);
    this.statuses = statuses ?? (() => []);
    this.picked = picked ?? (() => {});
    this.opened = opened ?? (() => {});
    this.left = left ?? (() => {});
    this.again = again ?? (() => {});
    this.rows = new Map();
    this.open = new Map();
    this.selection = new Set();
    this.heard = new Heard();
    this.anew = false;
    this.icons = ICONS;
    this.labels = LABELS;
    this.stopTicking = everySecond(() => this.tick());
    this.leave = () => this.sweep();
    body.addEventListener("mouseleave", this.leave);
    this.ended = onGoing(() => this.rows.forEach((row) => row.showGoing()));
  }

  destroy() {
    this.stopTicking();
    this.body.removeEventListener("mouseleave", this.leave);
    this.ended();
    for (const each of [...this.open.values()]) this.close(each);
  }

  tick() {
    for (const row of this.rows.values()) row.tick();
    if (!this.body.matches(":hover")) this.sweep();
    this.heard.forget();
  }

  // -- top rows

  get top() {
    return [...this.rows.values()].filter((row) => row.level === 1);
  }

  /** The top rows from the first to the last that is shown. */
  get ordered() {
    const elements = this.body.querySelectorAll('tr.job-row[aria-level="1"]');
    return [...elements].map((each) => this.rows.get(Number(each.dataset.id)));
  }

  /** The next list is another: no row of the one that is shown is kept for it. */
  begin() {
    this.anew = true;
  }

  /** Show these, which were asked for at `askedAt`; what was heard since is newer. */
  set(listed, askedAt = 0) {
    const jobs = listed.filter((job) => !this.heard.isGone(job.id, askedAt));
    const kept = new Set(jobs.map((job) => job.id));
    let stays = null;
    for (const row of this.top) {
      row.isListed = kept.has(row.job.id);
      if (row.isListed) continue;
      if (this.anew || !this.isHeld(row)) this.drop(row.job.id);
      else stays = row;
    }
    this.anew = false;
    stays?.element.classList.add("is-leaving");
    let at = null;
    for (const job of jobs) {
      const row = this.place(job, askedAt);
      if (stays?.element === this.placeAfter(at)) at = stays;
      const after = this.placeAfter(at);
      if (row.element !== after) this.move(row, after);
      at = row;
    }
    const statuses = String(this.statuses());
    for (const state of [...this.open.values()]) if (String(state.statuses) !== statuses) this.reopen(state, this.statuses());
  }

  append(jobs, askedAt = 0) {
    for (const job of jobs) {
      if (this.heard.isGone(job.id, askedAt)) continue;
      const row = this.place(job, askedAt);
      if (!row.element.isConnected) this.body.append(row.element);
    }
  }

  /** The row of a job as a list had it, unless something newer was heard meanwhile. What was heard
   * before there was a row is lost: the list is to be loaded again.
   */
  place(job, askedAt) {
    const row = this.rows.get(job.id);
    const newer = this.heard.overtaken(job.id, askedAt);
    if (row) {
      row.isListed = true;
      if (!newer) row.update(job);
      return row;
    }
    if (newer) this.again();
    return this.add(new JobRow(job, this));
  }

  /** Change the rows that there are of these jobs, as a list had them; no row comes or goes. */
  renew(jobs, askedAt) {
    for (const job of jobs) if (!this.heard.overtaken(job.id, askedAt)) this.rows.get(job.id)?.update(job);
  }

  add(row) {
    this.rows.set(row.job.id, row);
    row.check.checked = this.selection.has(row.job.id);
    return row;
  }

  move(row, before) {
    const elements = [row.element];
    const last = this.lastBelow(row);
    for (let at = row.element; at !== last; ) elements.push((at = at.nextSibling));
    for (const element of elements) this.body.insertBefore(element, before);
  }

  placeAfter(row) {
    return row ? this.lastBelow(row).nextSibling : this.body.firstChild;
  }

  /** The last element that belongs to a row: itself, or the end of what is open under it. */
  lastBelow(row) {
    let last = row.element;
    for (let at = last.nextSibling; at && Number(at.getAttribute("aria-level")) > row.level; ) {
      last = at;
      at = at.nextSibling;
    }
    return last;
  }

  /** A row that no longer fits stays until the pointer, or the focus by keys, is away. */
  leaves(row) {
    if (row.level === 1) return !(row.isListed && this.fits(row.job));
    const wanted = this.open.get(row.job.parent_id)?.status ?? [];
    return wanted.length > 0 && !wanted.includes(row.job.status);
  }

  isHeld(row) {
    return row.element.matches(":focus-visible, :has(:focus-visible)");
  }

  sweep() {
    for (const row of this.rows.values()) {
      if (row.isLeaving && !this.isHeld(row)) this.drop(row.job.id);
    }
  }

  // -- changes

  /** Change the row of a job, if there is one; whether there was. */
  patch(job) {
    this.heard.changed(job.id);
    const row = this.rows.get(job.id);
    row?.update(job);
    return Boolean(row);
  }

  /** A job was deleted: its row goes, and no list from before brings it back. */
  forgo(id) {
    this.heard.deleted(id);
    this.drop(id);
  }

  drop(id) {
    const row = this.rows.get(id);
    if (!row) return;
    this.collapse(row);
    const next = row.element.contains(document.activeElement) && this.beside(row);
    row.element.remove();
    if (next) next.focus({ preventScroll: true });
    this.rows.delete(id);
    for (const state of this.open.values()) if (state.shown.delete(id)) this.count(state);
    if (this.selection.delete(id)) this.picked(this.selection);
    if (row.level === 1) this.left();
  }

  /** The row after this one, or else the one before. */
  beside(row) {
    const elements = [...this.body.querySelectorAll("tr.job-row")];
    const at = elements.indexOf(row.element);
    return elements[at + 1] ?? elements[at - 1];
  }

  async act(action, row) {
    let asked = 0;
    const done = await perform(action, row.job, () => {
      asked = Date.now();
      row.element.classList.add("is-acted");
    });
    row.element.classList.remove("is-acted");
    if (done?.id === row.job.id && done.counts && !this.heard.overtaken(done.id, asked)) this.patch(done);
  }

  more(row, button) {
    menu(button, entriesOf(row.job, { openLog: this.openLog, act: (action) => this.act(action, row) }));
  }

  // -- children

  toggle(row) {
    if (this.open.has(row.job.id)) this.collapse(row);
    else this.expand(row);
    this.opened([...this.open.keys()]);
  }

  async expand(row) {
    const { id } = row.job;
    if (this.open.has(id)) return;
    if (this.open.size >= MOST_OPEN) this.collapse(this.open.values().next().value.row);
    row.expand(true);
    const more = h("button.more-button", { type: "button" }, "Loading …");
    const match = h("span.more-match");
    const all = h("button.more-button", { type: "button" }, "Show all");
    const narrowed = h("span", {}, match, all);
    const line = h(
      `tr.more-row.level-${Math.min(row.level + 1, 8)}`,
      { "aria-level": row.level + 1 },
      h("td", { colspan: COLUMNS }, more, narrowed),
    );
    narrowed.hidden = true;
    row.element.after(line);
    const statuses = this.statuses();
    const state = { row, more, match, narrowed, line, statuses, status: statuses, cursor: null, shown: new Set(), full: false };
    all.addEventListener("click", () => {
      row.element.focus();
      this.reopen(state, state.statuses, []);
    });
    state.stop = live.subscribe(`job:${id}`, {
      message: (message) => this.heardBelow(state, message),
      reload: () => this.refresh(state),
    });
    this.open.set(id, state);
    more.addEventListener("click", () => this.load(state));
    await this.load(state);
  }

  collapse(row) {
    const state = this.open.get(row.job.id);
    if (!state) return;
    this.close(state);
    for (const id of state.shown) this.drop(id);
    state.line.remove();
    row.expand(false);
  }

  close(state) {
    this.open.delete(state.row.job.id);
    clearTimeout(state.timer);
    state.stop();
  }

  /** Show other children than before: those of `status`. */
  reopen(state, statuses, status = statuses) {
    for (const id of state.shown) this.drop(id);
    state.shown.clear();
    Object.assign(state, { statuses, status, cursor: null, full: false });
    return this.load(state);
  }

  async load(state) {
    if (state.loading) return;
    state.loading = true;
    const { status } = state;
    const values = { limit: CHILDREN, status, cursor: state.cursor };
    const asked = Date.now();
    try {
      const answer = await get(`/api/jobs/${state.row.job.id}/children`, values);
      if (this.open.get(state.row.job.id) !== state || state.status !== status) return;
      state.cursor = answer.next_cursor;
      state.full = !answer.next_cursor;
      for (const job of answer.items) this.addChild(state, job, asked);
      this.count(state);
    } catch (error) {
      state.more.textContent = `${error.message} Try again`;
    } finally {
      state.loading = false;
      if (this.open.get(state.row.job.id) === state && state.status !== status) this.load(state);
    }
  }

  addChild(state, job, askedAt = 0) {
    if (this.heard.isGone(job.id, askedAt)) return;
    const newer = this.heard.overtaken(job.id, askedAt);
    const known = this.rows.get(job.id);
    if (known) {
      if (!newer) known.update(job);
      return;
    }
    if (newer) this.refreshSoon(state);
    const row = new JobRow(job, this, { level: state.row.level + 1, withPhase: true });
    state.shown.add(job.id);
    state.line.before(this.add(row).element);
  }

  /** Say how many children are not shown, and offer the next of them. */
  count(state) {
    const { line, status, row, full } = state;
    const counts = row.job.counts ?? {};
    const total = counts.total ?? 0;
    const wanted = status.length ? status.reduce((sum, each) => sum + (counts[each] ?? 0), 0) : total;
    state.narrowed.hidden = wanted === total;
    state.match.textContent = `${number(wanted)} of ${number(total)} match`;
    line.hidden = full && state.shown.size < MOST_CHILDREN && wanted === total;
    state.more.hidden = full;
    const href = `/jobs/${state.row.job.id}?tab=children`;
    if (state.shown.size >= MOST_CHILDREN) {
      line.firstChild.replaceChildren(h("a.more-button", { href }, "All children are on the job's page"));
      return;
    }
    place(line.firstChild, [state.more, state.narrowed]);
    const left = wanted - state.shown.size;
    state.more.textContent = left > 0 ? `Show ${CHILDREN} more (${number(left)} left)` : "Show more";
  }

  heardBelow(state, message) {
    if (message.type === "deleted") return this.forgo(message.id);
    if (message.type === "tree") return this.refreshSoon(state);
    if (message.type !== "job") return;
    const { job } = message;
    const known = this.patch(job);
    const own = job.parent_id === state.row.job.id && (!state.status.length || state.status.includes(job.status));
    if (!known && own && state.full && state.shown.size < MOST_CHILDREN) this.addChild(state, job);
    this.count(state);
  }

  refreshSoon(state) {
    if (state.timer) return;
    state.timer = setTimeout(() => {
      state.timer = null;
      this.refresh(state);
    }, 1000);
  }

  /** Load again what is shown of the children; those that are not among them any more go. */
  async refresh(state) {
    const path = `/api/jobs/${state.row.job.id}/children`;
    const asked = Date.now();
    const { status } = state;
    const answer = await first(path, { status }, Math.max(CHILDREN, state.shown.size)).catch(() => null);
    if (!answer || this.open.get(state.row.job.id) !== state || state.status !== status) return;
    const listed = new Set(answer.items.map((job) => job.id));
    for (const id of state.shown) {
      if (listed.has(id)) continue;
      if (this.heard.overtaken(id, asked)) this.refreshSoon(state);
      else this.drop(id);
    }
    for (const job of answer.items) this.addChild(state, job, asked);
    state.cursor = answer.next_cursor;
    state.full = !answer.next_cursor;
    this.count(state);
  }

  // -- selection

  pick(row, event) {
    const on = row.check.checked;
    const rows = this.top;
    const here = rows.indexOf(row);
    const last = rows.findIndex((each) => each.job.id === this.lastPicked);
    const range = event.shiftKey && last >= 0 ? [Math.min(last, here), Math.max(last, here)] : [here, here];
    for (const each of rows.slice(range[0], range[1] + 1)) this.mark(each, on);
    this.lastPicked = row.job.id;
    this.picked(this.selection);
  }

  mark(row, on) {
    row.check.checked = on;
    row.element.classList.toggle("is-picked", on);
    if (on) this.selection.add(row.job.id);
    else this.selection.delete(row.job.id);
  }

  pickAll(on) {
    for (const row of this.top) this.mark(row, on);
    this.picked(this.selection);
  }

  // -- keyboard

  get current() {
    const element = document.activeElement?.closest?.("tr.job-row");
    return element && this.body.contains(element) ? this.rows.get(Number(element.dataset.id)) : null;
  }

  step(by) {
    const elements = [...this.body.querySelectorAll("tr.job-row")];
    if (!elements.length) return;
    const at = elements.indexOf(this.current?.element);
    const next = at < 0 ? 0 : Math.max(0, Math.min(elements.length - 1, at + by));
    elements[next].focus();
    elements[next].scrollIntoView({ block: "nearest" });
  }

  /** What a key means in a table; whether it meant something. */
  key(key) {
    const row = this.current;
    if (key === "j" || key === "k") {
      this.step(key === "j" ? 1 : -1);
      return true;
    }
    if (!row) return false;
    const { job } = row;
    const can = (action) => (job.actions.includes(action) ? this.act(action, row) : refuse(action, job));
    const does = {
      Enter: () => go(`/jobs/${job.id}`),
      ArrowRight: () => !row.chevron.hidden && !this.open.has(job.id) && this.toggle(row),
      ArrowLeft: () => this.open.has(job.id) && this.toggle(row),
      x: () => {
        if (row.level > 1 || !this.selectable) return;
        this.mark(row, !row.check.checked);
        this.picked(this.selection);
      },
      l: () => this.openLog(job),
      r: () => can("retry"),
      c: () => can("cancel"),
    };
    does[key]?.();
    return key in does;
  }
}
