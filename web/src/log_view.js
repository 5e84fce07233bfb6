/** The log of a job: its newest lines, older ones on demand, new ones as they come.
 *
 * Five thousand lines are kept. It follows the end until somebody scrolls up; then it says how many
 * lines have come, and may show a part far from the end. A line is one row; a long one is cut, and opens whole.
 */
import { curl, get, latest, query } from "./api.js";
import { copy, note } from "./dialogs.js";
import { h, icon, iconButton, swap } from "./dom.js";
import { number } from "./format.js";
import { live } from "./live.js";
import { lineRow, plainLine } from "./log_line.js";
import { Rows, VirtualList } from "./virtual_list.js";

export const LEVELS = ["debug", "info", "warn", "error"];
const KEPT = 5_000;
const PAGE = 500;
const PROGRAM_PAGE = 200;
const WRAPPED = 1_000;
const ROW = 22;
const AGAIN_MS = 5_000;
const LEVEL_ICONS = { debug: "dot", info: "info", warn: "warn", error: "cross" };

export class LogView {
  /** `path` is the log's address; `state` {level, text, tree}; `changed(state)` for the URL.
   * `nothing` says why there is no line; `deleted()` is called where lines were deleted.
   */
  constructor(host, { jobId = null, path, nothing = "Nothing has been logged yet.", tree = true, state = {}, changed = () => {}, deleted = () => {} }) {
    this.host = host;
    this.jobId = jobId;
    this.path = path ?? `/api/jobs/${jobId}/logs`;
    this.state = { level: "debug", text: "", tree, wrap: false, ...state };
    this.changed = changed;
    this.deleted = deleted;
    this.nothing = nothing;
    this.lines = [];
    this.counts = {};
    this.following = true;
    this.unseen = 0;
    this.current = null;
    this.seeking = false;
    this.unplaced = false; // whether the line that is named was to be shown while nothing was
    this.far = false; // whether newer lines than these are not shown
    this.ask = latest();
    this.meanwhile = null;
    this.loading = null; // what is under way of it
    this.linked = () => this.toLinked();
    this.build();
    this.start();
  }

  /** Only the log of a root is that of its tree; then the lines, then what follows them. */
  async start() {
    if (this.jobId) {
      const job = await get(`/api/jobs/${this.jobId}`).catch(() => null);
      this.isRoot = job?.depth === 0;
      this.treeButton.hidden = !this.isRoot;
    }
    if (this.gone) return;
    this.seeking = true;
    await this.load();
    if (!this.gone) window.addEventListener("hashchange", this.linked);
  }

  /** To the line that the address names, as `#L12` for the entry 12, however far back it is. */
  async toLinked() {
    const id = this.jobId && Number(/^#L(\d{1,15})$/.exec(location.hash)?.[1]);
    this.seeking = Boolean(id); // where all is loaded anew meanwhile, it goes on after that
    if (!id) return;
    this.follow(false);
    if (this.cursor && !(this.lines[0]?.id <= id) && !(await this.loadAround(id))) return;
    if (this.gone) return;
    this.seeking = false;
    if (!this.lines.some((line) => line.id === id)) {
      note(`The line ${id} is not among the lines that are shown.`, { error: true });
      return;
    }
    this.current = id;
    this.draw();
    this.toCurrent();
  }

  /** Hear the lines that follow those that are shown. */
  listen() {
    if (!this.jobId || this.gone) return;
    const topic = this.wantedTopic;
    if (topic === this.topic) return;
    this.stop?.();
    this.topic = topic;
    this.stop = live.subscribe(topic, {
      after: () => this.newest,
      message: (message) => this.heard(message),
      reload: (topic) => (topic ? this.shrunk() : this.load({ again: true })),
    });
  }

  /** Lines were deleted: what is shown may be gone. */
  shrunk() {
    this.load();
    this.deleted();
  }

  get wantedTopic() {
    return `logs:${this.jobId}${this.isRoot && this.state.tree ? "?tree" : ""}`;
  }

  get newest() {
    return this.last ?? 0;
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.timer);
    clearTimeout(this.again);
    window.removeEventListener("hashchange", this.linked);
    this.stop?.();
    this.ask.stop();
    this.sizes.disconnect();
    this.list.destroy();
    this.host.replaceChildren();
  }

  build() {
    this.chips = LEVELS.map((level) => this.chip(level));
    this.search = h("input.input.is-small", {
      type: "search",
      placeholder: "Search the log",
      "aria-label": "Search the log",
      value: this.state.text,
      on: { input: () => this.typed(), keydown: (event) => this.searchKey(event) },
    });
    this.found = h("span.log-found", { role: "status", title: "Enter: the next match; Shift+Enter: the one before" });
    this.followButton = this.switch("Follow", "down", () => this.follow(!this.following));
    this.wrapButton = this.switch("Wrap", "wrap", () => this.wrap());
    this.errorsButton = this.switch("Errors only", "cross", () => {
      this.filter({ level: this.state.level === "error" ? "debug" : "error" });
    });
    this.treeButton = this.switch("Children", "tree", () => this.filter({ tree: !this.state.tree }));
    const groups = [
      h("div.chips", { role: "group", "aria-label": "Least level shown" }, this.chips),
      h("div.log-search", {}, this.search, this.found),
      h("div.log-switches", {}, this.errorsButton, this.jobId && this.treeButton, this.wrapButton, this.followButton, this.tools()),
    ];
    this.older = h("button.log-older", { type: "button", on: { click: () => this.loadOlder() } }, "Show older lines");
    this.older.hidden = true;
    this.body = h("div.log-lines", { tabindex: 0, role: "log", "aria-label": "Log lines", "aria-live": "off" });
    this.body.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.body.append(this.older);
    this.pill = h("button.pill.log-pill", { type: "button", on: { click: () => this.follow(true) } });
    this.pill.hidden = true;
    this.empty = h("p.log-empty", { role: "status" }, "Loading …");
    this.list = new VirtualList(this.body, { rowHeight: ROW, render: (line, _, had) => this.row(line, had) });
    this.wrapped = h("div.log-wrapped");
    this.wrappedRows = new Rows((line, _, had) => this.row(line, had));
    this.body.append(this.wrapped);
    this.sizes = new ResizeObserver(() => (this.following ? this.toEnd() : this.unplaced && this.toCurrent()));
    this.sizes.observe(this.body);
    this.host.replaceChildren(
      h("div.log-view", {}, h("div.log-bar", {}, groups), h("div.log-stage", {}, this.body, this.empty, this.pill)),
    );
    this.shown();
  }

  chip(level) {
    const count = h("span.chip-count");
    const button = h(
      `button.chip.is-level-${level}`,
      { type: "button", title: `Show ${level} and above`, on: { click: () => this.filter({ level }) } },
      icon(LEVEL_ICONS[level]),
      level,
      count,
    );
    button.count = count;
    return button;
  }

  switch(label, symbol, action) {
    const click = { click: action };
    const button = h("button.switch", { type: "button", title: label, on: click }, icon(symbol));
    button.append(h("span", {}, label));
    return button;
  }

  tools() {
    this.downloads = [];
    const parts = [
      iconButton("copy", "Copy the lines shown", () => {
        copy(this.lines.map(plainLine).join("\n"), "Log copied");
      }),
    ];
    if (!this.jobId) return parts;
    const address = (format) => `${this.path}/download${query({ ...this.words(), format })}`;
    for (const [format, label] of [["text", "Download as text"], ["ndjson", "Download as NDJSON"]]) {
      const link = h("a.icon-button", { download: true, title: label }, icon("download"));
      this.downloads.push(() => (link.href = address(format)));
      link.setAttribute("aria-label", label);
      link.append(h("span.tiny", {}, format === "text" ? "txt" : "json"));
      parts.push(link);
    }
    parts.push(iconButton("code", "Copy curl", () => copy(curl(this.path + query(this.words())), "curl command copied")));
    return parts;
  }

  shown() {
    const least = LEVELS.indexOf(this.state.level);
    this.chips.forEach((chip, at) => {
      chip.setAttribute("aria-pressed", String(at >= least));
      chip.count.textContent = this.jobId ? number(this.counts[LEVELS[at]] ?? 0) : "";
    });
    this.errorsButton.setAttribute("aria-pressed", String(this.state.level === "error"));
    this.treeButton.setAttribute("aria-pressed", String(this.state.tree));
    this.wrapButton.setAttribute("aria-pressed", String(this.state.wrap));
    this.followButton.setAttribute("aria-pressed", String(this.following));
    this.pill.hidden = this.following || !(this.unseen || this.far);
    this.pill.textContent = this.unseen ? `↓ ${number(this.unseen)} new ${this.unseen === 1 ? "line" : "lines"}` : "↓ To the newest lines";
    this.downloads.forEach((renew) => renew());
  }

  words() {
    const { level, text, tree } = this.state;
    return { tree: this.isRoot && !tree ? false : null, level: level === "debug" ? null : level, text };
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.filter({ text: this.search.value }), 150);
  }

  /** Enter goes to the next line that matches, with Shift to the one before, round and round. */
  searchKey(event) {
    if (event.key !== "Enter" || !this.state.text || !this.lines.length) return;
    event.preventDefault();
    const many = this.lines.length;
    const at = this.lines.findIndex((line) => line.id === this.current);
    const from = at < 0 && event.shiftKey ? 0 : at;
    this.current = this.lines[(from + (event.shiftKey ? -1 : 1) + many) % many].id;
    this.follow(false);
    this.draw();
    this.toCurrent();
  }

  /** Bring the line that is named into view: at once, or as soon as the page shows the log. */
  toCurrent() {
    this.unplaced = !this.body.clientHeight;
    const at = this.lines.findIndex((line) => line.id === this.current);
    if (this.state.wrap) {
      this.wrapped.querySelector(`[data-id="${this.current}"]`)?.scrollIntoView({ block: "center" });
      return;
    }
    this.body.scrollTop = this.list.space.offsetTop + at * ROW - this.body.clientHeight / 2;
    this.list.draw();
  }

  filter(change) {
    this.seeking = false;
    Object.assign(this.state, change);
    this.changed(this.state);
    this.shown();
    this.load();
  }

  /** Load the newest lines; `again` beside what is shown of the same, where they reach as far. */
  load(options = {}) {
    const own = this.loadNewest(options).finally(() => {
      if (this.loading === own) this.loading = null;
    });
    this.loading = own;
    return own;
  }

  async loadNewest({ again = false }) {
    const values = { ...this.words(), order: this.jobId && "desc", limit: this.jobId ? PAGE : PROGRAM_PAGE };
    const { tree, ...narrowing } = this.words();
    const whole = { tree, order: "desc", limit: 1 }; // how far the log goes, whatever is shown of it
    const narrowed = this.jobId && Object.values(narrowing).some(Boolean);
    clearTimeout(this.again);
    this.meanwhile = [];
    try {
      const answers = await this.ask((signal) => Promise.all([values, narrowed ? whole : null].map((each) => each && get(this.path, each, { signal }))));
      if (!answers) return;
      const [answer, head = answer] = answers.filter(Boolean);
      this.far &&= again;
      const newest = this.joined(answer.items);
      const older = again ? this.before(answer.items) : [];
      this.unseen = again && !this.following ? this.unseen + newest.filter((line) => line.id > this.newest).length : 0;
      if (!this.far) {
        const all = [...older, ...newest];
        this.lines = all.slice(-KEPT);
        if (all.length > KEPT) this.cursor = this.lines[0].id;
        else if (!older.length) this.cursor = answer.next_after ?? answer.next_before;
      }
      this.counts = { ...head.counts };
      this.last = head.items[0]?.id ?? 0;
      this.count(this.meanwhile);
      this.meanwhile = null;
      this.draw();
      this.listen();
      if (this.seeking && !this.gone) await this.toLinked();
    } catch (error) {
      this.empty.textContent = error.message;
      this.empty.hidden = false;
      if (!this.topic) this.again = setTimeout(() => this.load(), AGAIN_MS); // nothing else tells it to
    }
  }

  /** The lines of an answer, each as it is there already if it says the same, and those that came by
   * the live connection after it was made.
   */
  joined(items) {
    const had = new Map(this.lines.filter((line) => !line.cut).map((line) => [line.id, line]));
    const lines = items.toReversed().map((line) => (had.get(line.id)?.at === line.at ? had.get(line.id) : line));
    const newest = lines.at(-1)?.id ?? 0;
    return [...lines, ...this.meanwhile.filter((line) => line.id > newest && this.wants(line))];
  }

  /** The lines before those of an answer, if none is missing between, and the others are in it: not of another database. */
  before(items) {
    const came = new Map([...items, ...this.meanwhile].map((line) => [line.id, line.at]));
    const at = this.lines.findIndex((line) => line.id >= items.at(-1)?.id);
    return this.lines.slice(at).every((line) => came.get(line.id) === line.at) ? this.lines.slice(0, Math.max(at, 0)) : [];
  }

  /** Count lines that came after those that are counted. */
  count(lines) {
    const fresh = lines.filter((line) => line.id > this.newest);
    this.last = Math.max(this.newest, ...fresh.map((line) => line.id));
    for (const line of fresh) this.counts[line.level] = (this.counts[line.level] ?? 0) + 1;
    return fresh;
  }

  wants(line) {
    const { level, text } = this.state;
    return LEVELS.indexOf(line.level) >= LEVELS.indexOf(level) && (!text || line.message.toLowerCase().includes(text.toLowerCase()));
  }

  async loadOlder() {
    this.meanwhile = null;
    const values = { ...this.words(), order: this.jobId && "desc", limit: this.jobId ? PAGE : PROGRAM_PAGE, [this.jobId ? "after" : "before"]: this.cursor };
    const answer = await this.ask((signal) => get(this.path, values, { signal })).catch((error) => note(error.message, { error: true }));
    if (!answer) return;
    const height = this.body.scrollHeight;
    this.follow(false);
    const lines = [...answer.items.toReversed(), ...this.lines];
    this.far ||= lines.length > KEPT;
    this.lines = lines.slice(0, KEPT);
    this.cursor = answer.next_after ?? answer.next_before;
    this.draw();
    this.body.scrollTop += this.body.scrollHeight - height;
  }

  /** Show the lines before and after one in place of the newest; whether they could be had. */
  async loadAround(id) {
    this.meanwhile = null;
    const halves = [{ order: "desc", after: id + 1 }, { order: "asc", after: id }];
    const ask = (signal) => Promise.all(halves.map((each) => get(this.path, { ...this.words(), ...each, limit: PAGE / 2 }, { signal })));
    const answers = await this.ask(ask).catch((error) => note(error.message, { error: true }));
    if (!answers) return false;
    const [older, newer] = answers;
    this.lines = [...older.items.toReversed(), ...newer.items];
    this.cursor = older.next_after;
    this.far = true;
    this.draw();
    return true;
  }

  heard(message) {
    if (message.type !== "log" || message.topic !== this.wantedTopic) return;
    if (message.gap) return this.load({ again: true });
    const fresh = this.count(message.lines);
    this.meanwhile?.push(...fresh);
    const wanted = fresh.filter((line) => this.wants(line));
    if (!this.following) this.unseen += wanted.length;
    this.far ||= !this.following && this.lines.length + wanted.length > KEPT; // what is read does not move
    if (!wanted.length || this.far) return this.shown();
    this.lines.push(...wanted);
    if (this.lines.length > KEPT) {
      this.lines.splice(0, this.lines.length - KEPT);
      this.cursor = this.lines[0].id;
    }
    this.draw();
  }

  draw() {
    const { wrap } = this.state;
    this.older.hidden = !this.cursor;
    this.list.space.hidden = wrap;
    this.wrapped.hidden = !wrap;
    swap(this.wrapped, this.wrappedRows.of(wrap ? this.lines.slice(-WRAPPED) : []), this.body);
    this.list.set(wrap ? [] : this.lines);
    this.empty.hidden = this.lines.length > 0;
    const narrowed = this.state.text || this.state.level !== "debug";
    this.empty.textContent = narrowed ? "No line matches." : this.nothing;
    if (this.following) this.toEnd();
    this.tellFound();
    this.shown();
  }

  /** Where among the lines that match; `+` where older ones were not looked at. */
  tellFound() {
    const at = this.lines.findIndex((line) => line.id === this.current) + 1;
    if (!at) this.current = null;
    const many = `${number(this.lines.length)}${this.cursor ? "+" : ""}`;
    this.found.textContent = this.state.text ? (at ? `${number(at)}/${many}` : many) : "";
  }

  toEnd() {
    const before = this.body.scrollTop;
    this.body.scrollTop = this.body.scrollHeight;
    this.programmed = this.programmed || this.body.scrollTop !== before;
    this.list.draw();
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.body;
    const atEnd = scrollHeight - scrollTop - clientHeight < ROW;
    if (this.programmed) {
      this.programmed = false;
      return;
    }
    if (atEnd === this.following || (atEnd && this.far)) return;
    this.following = atEnd;
    if (atEnd) this.unseen = 0;
    this.shown();
  }

  follow(on) {
    this.following = on;
    if (on) {
      this.unseen = 0;
      this.seeking = false;
      if (this.far) this.load();
      else this.toEnd();
    }
    this.shown();
  }

  wrap() {
    this.state.wrap = !this.state.wrap;
    this.changed(this.state);
    this.draw();
  }

  /** A line says the same for ever, so that its row stays while it is in sight, and with it what is
   * selected there; only the mark of where a search stands moves.
   */
  row(line, had) {
    const row = had ?? lineRow(line, this.jobId);
    row.classList.toggle("is-current", line.id === this.current);
    return row;
  }
}
