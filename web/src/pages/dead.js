/** Dead letters: messages that were given up, with every error, to be requeued or deleted. */
import { since } from "../ages.js";
import { api, curl, first, get, latest, post } from "../api.js";
import { paced } from "../clock.js";
import { confirm, copy, note } from "../dialogs.js";
import { bdi, h, iconButton, once, renew, tellPicked } from "../dom.js";
import { clean, cleanLines, number, plural } from "../format.js";
import { live } from "../live.js";
import { paging } from "../paging.js";

const PAGE = 50;

export function dead() {
  const ask = latest();
  const ends = [];
  const chosen = new Set();
  let soon = null;
  let pages = null;
  let told = null;

  return {
    count: null,
    shown: 0,
    selected: 0,
    cursor: null,
    loaded: false,
    problem: "",

    init() {
      pages = paging(() => this.loadFirst(), () => this.loadNext());
      soon = paced(() => this.load());
      ends.push(live.subscribe("queue", { message: (m) => this.heard(m.stats.dead), reload: () => this.load() }));
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      soon.stop();
    },

    /** Something changed in the queue: as long as there are letters, others may have come and gone. */
    heard(dead) {
      told = dead;
      if (dead || dead !== this.count) soon();
    },

    load() {
      return pages.load();
    },

    more() {
      return pages.more();
    },

    async loadFirst() {
      try {
        const found = await ask((signal) => first("/api/queue/dead", {}, Math.max(PAGE, this.shown), { signal }));
        if (!found) return;
        this.count = found.total;
        this.fill(found.items);
        this.cursor = found.next_cursor;
        this.problem = "";
        this.loaded = true;
        if (told !== null && told !== found.total && live.state === "live") soon(); // one of them is old
      } catch (error) {
        this.problem = this.shown ? "" : error.message;
      }
    },

    async loadNext() {
      if (!this.cursor) return;
      try {
        const values = { limit: PAGE, cursor: this.cursor };
        const answer = await ask((signal) => get("/api/queue/dead", values, { signal }));
        if (!answer) return;
        this.refs.rows.append(...answer.items.map((each) => this.row(each)));
        this.shown += answer.items.length;
        this.cursor = this.shown < 500 ? answer.next_cursor : null;
      } catch (error) {
        note(error.message, { error: true });
      }
    },

    fill(items) {
      const ids = new Set(items.map((each) => each.id));
      for (const id of chosen) if (!ids.has(id)) chosen.delete(id);
      renew(this.refs.rows, items, (each) => each.id, (each) => this.row(each));
      for (const check of this.checks()) check.checked = chosen.has(Number(check.dataset.id));
      this.shown = items.length;
      this.selected = chosen.size;
    },

    row(letter) {
      const at = letter.errors.at(-1)?.at ?? letter.created_at;
      const check = h("input", { type: "checkbox", "aria-label": `Select message ${letter.id}`, checked: chosen.has(letter.id), "data-id": letter.id });
      check.addEventListener("change", () => {
        if (check.checked) chosen.add(letter.id);
        else chosen.delete(letter.id);
        this.selected = chosen.size;
      });
      const name = bdi(letter.name || letter.type, 200);
      const title = letter.job_id ? h("a.job-name", { href: `/jobs/${letter.job_id}` }, name) : h("span.job-name", {}, name);
      const about = [`#${letter.id}`, letter.type].map((each) => h("span", {}, clean(each, 60)));
      return h(
        "tr",
        {},
        h("td.cell-check", {}, check),
        h("td.letter-name", {}, h("div.job-text", {}, title, h("span.job-details", {}, about))),
        h("td.is-number", {}, number(letter.receives)),
        h("td.letter-error", {}, trail(letter.errors)),
        h("td.quiet", {}, since(at)),
        h(
          "td.cell-actions",
          {},
          iconButton("retry", `Requeue message ${letter.id}`, once(() => this.one(letter, "requeue"))),
          iconButton("trash", `Delete message ${letter.id}`, () => this.one(letter, "delete")),
        ),
      );
    },

    async one(letter, action) {
      const name = clean(letter.name || letter.type, 80);
      if (action === "delete") {
        const sentence = `${name} is removed from the dead letters. Its job stays failed. This cannot be undone.`;
        if (!(await confirm("Delete this message?", sentence, { button: "Delete", danger: true }))) return;
      }
      const path = `/api/queue/dead/${letter.id}`;
      await this.run(() => (action === "requeue" ? post(`${path}/requeue`) : api(path, { method: "DELETE" })), action === "requeue" ? `Requeued: ${name}` : `Deleted: ${name}`);
    },

    some(action) {
      return this.bulk(action, { ids: [...chosen] }, chosen.size);
    },
    all(action) {
      return this.bulk(action, { all: true }, this.count);
    },

    async bulk(action, which, count) {
      const many = plural(count, "dead letter");
      const [title, sentence, danger] =
        action === "requeue"
          ? [`Requeue ${many}?`, `${many} are delivered again, with their failures kept in the job's history.`, false]
          : [`Delete ${many}?`, `${many} are removed; their jobs stay failed. This cannot be undone.`, true];
      const button = `${action === "requeue" ? "Requeue" : "Delete"} ${number(count)}`;
      const typed = danger && which.all ? "delete all" : null;
      if (!(await confirm(title, sentence, { button, danger, typed }))) return;
      const body = { action, ...which, expected_count: count };
      await this.run(() => post("/api/queue/dead/bulk", body), "Under way");
      chosen.clear();
      this.selected = 0;
    },

    async run(request, done) {
      try {
        const answer = await request();
        const link = answer?.status ? { href: `/jobs/${answer.id}`, text: `Job ${answer.id}` } : null;
        note(done, { link });
      } catch (error) {
        note(error.message, { error: true });
      }
      this.load();
    },

    checks() {
      return this.refs.rows.querySelectorAll("input");
    },
    pickPage() {
      for (const check of this.checks()) {
        check.checked = this.refs.all.checked;
        if (check.checked) chosen.add(Number(check.dataset.id));
      }
      if (!this.refs.all.checked) chosen.clear();
      this.selected = chosen.size;
    },

    tellPicked() {
      tellPicked(this.refs.all, this.selected, this.shown);
    },

    get sentence() {
      if (this.count == null) return " ";
      return this.count ? `${plural(this.count, "message")} given up.` : "None.";
    },
    get selectionText() {
      return `${number(this.selected)} selected.`;
    },
    get empty() {
      return this.loaded && !this.shown && !this.problem;
    },
    get waiting() {
      return !this.loaded && !this.problem;
    },
    copyCurl() {
      copy(curl("/api/queue/dead?limit=50"), "curl command copied");
    },
  };
}

/** The last error, and the ones before it on demand. */
function trail(errors) {
  if (!errors.length) return h("span.quiet", {}, "No error was kept");
  const last = errors.at(-1);
  if (errors.length === 1 && last.error.length < 160) return h("span.is-bad", {}, bdi(last.error, 200));
  const lines = errors.map((each) => h("li", {}, h("span.quiet", {}, since(each.at), ": "), h("bdi", { dir: "auto" }, cleanLines(each.error).slice(0, 4000))));
  return h("details", {}, h("summary.is-bad", {}, bdi(last.error, 160)), h("ol.trail", {}, lines));
}
