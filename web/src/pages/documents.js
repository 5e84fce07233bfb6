/** Documents: search as you type, narrowing, and beside it the reader. */
import { since } from "../ages.js";
import { announce } from "../announce.js";
import { curl, first, get, latest, query } from "../api.js";
import { together } from "../component.js";
import { copy, note } from "../dialogs.js";
import { arrivals } from "../documents/arrivals.js";
import { history } from "../documents/history.js";
import { reader } from "../documents/reader.js";
import { selection } from "../documents/selection.js";
import { facetWords, phrase, pieces, rootOf, wordsOf } from "../documents/shown.js";
import { bdi, h, swap } from "../dom.js";
import { clean, counted, number, plural } from "../format.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { paging } from "../paging.js";
import { change, go, here, onRoute, withQuery } from "../router.js";
import { remember, remembered } from "../scroll.js";
import { isGoing, onGoing } from "../undo.js";

const PAGE = 50;

export function documents() {
  const ask = latest();
  const ends = [];
  let typing = null;
  let pages = null;

  const page = {
    id: null,
    view: "",
    text: "",
    told: "",
    total: null,
    shown: 0,
    cursor: null,
    loaded: false,
    relaxed: false,
    facets: [],
    problem: "",
    problemTitle: "",
    root: 0,

    init() {
      pages = paging(() => this.loadFirst(), () => this.loadNext());
      ends.push(
        onRoute((route) => route.page === "documents" && this.routed(route)),
        onKey((event) => this.key(event)),
        onGoing(() => this.showGoing()),
        live.subscribe("system", { message: () => {}, reload: () => this.again() }),
      );
      this.awaitDocuments();
      this.text = this.told = here().query.get("q") ?? "";
      this.root = rootOf(here().query);
      this.routed(here());
      pages.begin();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      clearTimeout(typing);
      this.stopParts();
    },

    routed({ id, query: words }) {
      const text = words.get("q") ?? "";
      this.view = words.get("view") ?? "";
      const root = rootOf(words);
      const typed = text === this.told && document.activeElement?.dataset.search !== undefined; // and not in the address yet
      this.told = text;
      if (root !== this.root || (text !== this.text && !typed)) {
        if (!typed) this.text = text;
        this.everything = false;
        this.root = root;
        pages.begin();
      }
      if (id !== this.id) this.read(id);
      else if (this.view === "versions") this.loadVersions();
    },

    typed() {
      this.everything = false; // it was all that matched something else
      clearTimeout(typing);
      typing = setTimeout(() => this.now(), 150);
    },
    now() {
      clearTimeout(typing);
      this.everything = false;
      if (this.text.trim()) this.root = 0;
      change({ q: this.text, root: this.root || "" }, { replace: true });
      pages.begin();
    },
    narrow(word) {
      const words = wordsOf(this.text);
      this.text = words.includes(word) ? words.filter((each) => each !== word).join(" ") : [...words, word].join(" ");
      this.now();
    },
    tagWord(tag) {
      return `tag:${phrase(tag)}`;
    },

    get asked() {
      const text = this.text.trim();
      return text ? ["/api/search", { q: text }] : ["/api/documents", { root: this.root || null }];
    },
    path() {
      const [path, values] = this.asked;
      return path + query({ limit: PAGE, ...values });
    },

    load() {
      return pages.load();
    },

    more() {
      return pages.more();
    },

    async loadFirst() {
      try {
        const answer = await ask((signal) => first(...this.asked, Math.max(PAGE, remembered("rows") ?? 0), { signal }));
        if (!answer) return;
        this.problem = "";
        this.loaded = true;
        this.total = typeof answer.total === "number" ? { count: answer.total, capped: Boolean(answer.more) } : (answer.total ?? null);
        this.relaxed = Boolean(answer.relaxed);
        if (!this.text.trim() && !this.root) this.loadTotal();
        this.facets = facetWords(answer.facets ?? {}, answer.total?.capped);
        this.shown = answer.items.length;
        this.cursor = answer.next_cursor;
        const ids = answer.items.map((each) => (each.document ?? each).id);
        this.keep(new Set(ids));
        this.sawDocuments(ids);
        swap(this.refs.rows, answer.items.map((each) => this.row(each)));
        this.mark();
        this.showGoing();
        announce(this.sentence);
      } catch (error) {
        this.problem = error.message;
        this.problemTitle = error.status ? "The search failed" : error.title;
      }
    },

    /** Ask again for what could not be had. */
    again() {
      if (this.problem) this.load();
      if (this.missing) this.read(this.id);
    },

    async loadTotal() {
      const stats = await get("/api/documents/stats").catch(() => null);
      if (stats && !this.text.trim() && !this.root) this.total = { count: stats.all.documents };
    },

    async loadNext() {
      if (!this.cursor) return;
      const [path, values] = this.asked;
      const answer = await ask((signal) => get(path, { limit: PAGE, ...values, cursor: this.cursor }, { signal })).catch((error) => note(error.message, { error: true }));
      if (!answer) return;
      this.refs.rows.append(...answer.items.map((each) => this.row(each)));
      this.shown += answer.items.length;
      remember({ rows: this.shown });
      this.cursor = this.shown < 500 ? answer.next_cursor : null;
    },

    row(found) {
      const each = found.document ?? found;
      const words = query(this.words);
      const snippet = pieces(found.snippet ?? each.description ?? "");
      const check = h("input", { type: "checkbox", "aria-label": `Select ${clean(each.title || each.url, 100)}`, "data-id": each.id });
      check.checked = this.isPicked(each.id);
      check.addEventListener("change", () => this.pick(each.id, check.checked));
      return h(
        "li",
        { "data-id": each.id },
        check,
        h(
          "a",
          { href: `/documents/${each.id}${words}` },
          h("strong", {}, bdi(each.title || each.url, 200)),
          h("span.document-url", {}, bdi(each.url, 200)),
          snippet.length > 0 && h("span.document-snippet", { dir: "auto" }, snippet),
          h("span.document-about", {}, each.site ? `${clean(each.site, 60)} · ` : "", `${plural(each.words ?? 0, "word")} · `, since(each.fetched_at), each.tags.map((tag) => h("span.document-tag", {}, bdi(tag, 60)))),
        ),
      );
    },

    mark() {
      for (const row of this.refs.rows.children) {
        const on = Number(row.dataset.id) === this.id;
        if (on) row.lastChild.setAttribute("aria-current", "true");
        else row.lastChild.removeAttribute("aria-current");
      }
    },

    /** Pale while it is about to be deleted. */
    showGoing() {
      for (const row of this.refs.rows.children) row.classList.toggle("is-going", isGoing(`document:${row.dataset.id}`));
    },

    /** A job has changed documents. */
    changed() {
      this.load();
      const id = this.id;
      this.read(null);
      this.read(id);
    },

    get words() {
      return { q: this.text, root: this.root || "" };
    },
    get rootText() {
      return `job:${this.root}`;
    },
    get allHref() {
      return withQuery({ root: "" });
    },
    get sentence() {
      if (!this.loaded) return " ";
      if (this.root) return `${number(this.shown)}${this.cursor ? " or more" : ""} collected by job ${this.root}.`;
      const many = `${counted(this.total)} ${this.total?.count === 1 ? "document" : "documents"}`;
      return this.text.trim() ? `${many} found.` : `${many}.`;
    },
    get splitClass() {
      return this.id ? "is-reading" : "";
    },
    get hasReader() {
      return Boolean(this.id);
    },
    get empty() {
      return this.loaded && !this.shown && !this.problem;
    },
    get emptyTitle() {
      return this.text ? "Nothing found" : "No documents yet";
    },
    get emptyText() {
      if (this.root) return `Job ${this.root} has collected none, or others have collected them anew since.`;
      return this.text ? "Try fewer words, or another spelling." : "Pages appear here as a crawl collects them.";
    },
    get backHref() {
      return `/documents${query(this.words)}`;
    },
    viewIs(name) {
      return this.view === name;
    },
    viewOn(name) {
      return this.view === name ? "true" : null;
    },
    copyCurl() {
      copy(curl(this.id ? `/api/documents/${this.id}` : this.path()), "curl command copied");
    },

    key({ key }) {
      const links = [...this.refs.rows.querySelectorAll("a")];
      const check = document.activeElement?.closest?.(".document-rows li")?.firstChild;
      if (key === "x" && check) {
        check.click();
        return true;
      }
      const at = links.findIndex((each) => each === document.activeElement || (each.hasAttribute("aria-current") && !links.includes(document.activeElement)));
      if (key === "j" || key === "k") {
        links[Math.max(0, Math.min(links.length - 1, at + (key === "j" ? 1 : -1)))]?.focus();
        return true;
      }
      if (key === "o" && this.sourceHref) {
        open(this.sourceHref, "_blank", "noopener,noreferrer");
        return true;
      }
      if (key === "Escape" && this.id) {
        const { id } = this;
        go(this.backHref);
        this.refs.rows.querySelector(`[data-id="${id}"] a`)?.focus({ preventScroll: true });
        return true;
      }
      return false;
    },
  };
  return together(selection(), reader(), history(), arrivals(), page);
}
