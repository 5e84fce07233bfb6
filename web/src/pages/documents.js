/** Documents: search as you type, narrowing, and a reader with an outline. */
import { since } from "../ages.js";
import { curl, get, latest, post, query, versioned } from "../api.js";
import { together } from "../component.js";
import { confirm, copy, note } from "../dialogs.js";
import { selection, tagsOf } from "../documents/selection.js";
import { facetWords, made, pieces, reference, rootOf, safeAddress, taken, toDocument } from "../documents/shown.js";
import { bdi, h } from "../dom.js";
import { ago, clean, cleanLines, counted, moment, number, plural } from "../format.js";
import { ended } from "../job/ended.js";
import { onKey } from "../keys.js";
import { change, go, here, onRoute, withQuery } from "../router.js";
import { isGoing, onGoing, removeSoon, UNDO_SENTENCE } from "../undo.js";

const PAGE = 50;

export function documents() {
  const ask = latest();
  const askText = latest();
  const ends = [];
  let typing = null;
  let whole = null;
  let etag = null;
  let forget = () => {};

  const page = {
    id: null,
    view: "",
    text: "",
    total: null,
    shown: 0,
    cursor: null,
    loaded: false,
    relaxed: false,
    facets: [],
    problem: "",
    document: null,
    missing: "",
    root: 0,
    newTag: "",
    hasOutline: false,
    refersCount: 0,
    referrersCount: 0,
    summarising: false,
    trouble: "",

    init() {
      ends.push(
        onRoute((route) => route.page === "documents" && this.routed(route)),
        onKey((event) => this.key(event)),
        onGoing(() => this.showGoing()),
      );
      this.text = here().query.get("q") ?? "";
      this.root = rootOf(here().query);
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      forget();
      ask.stop();
      askText.stop();
      clearTimeout(typing);
    },

    routed({ id, query: words }) {
      const text = words.get("q") ?? "";
      this.view = words.get("view") ?? "";
      const root = rootOf(words);
      const typing = document.activeElement?.dataset.search !== undefined;
      if (root !== this.root || (text !== this.text && !typing)) {
        if (!typing) this.text = text;
        this.root = root;
        this.load();
      }
      if (id !== this.id) this.read(id);
      else if (this.view === "versions") this.loadVersions();
    },

    typed() {
      clearTimeout(typing);
      typing = setTimeout(() => this.now(), 150);
    },
    now() {
      clearTimeout(typing);
      if (this.text.trim()) this.root = 0;
      change({ q: this.text, root: this.root || "" }, { replace: true });
      this.load();
    },
    narrow(word) {
      const words = this.text.split(/\s+/).filter(Boolean);
      this.text = words.includes(word) ? words.filter((each) => each !== word).join(" ") : [...words, word].join(" ");
      this.now();
    },
    tagWord(tag) {
      return `tag:${tag}`;
    },

    path(cursor) {
      const text = this.text.trim();
      const values = { limit: PAGE, cursor, ...(text ? { q: text } : this.root && { root: this.root }) };
      return (text ? "/api/search" : "/api/documents") + query(values);
    },

    async load() {
      try {
        const answer = await ask((signal) => get(this.path(), {}, { signal }));
        if (!answer) return;
        this.problem = "";
        this.loaded = true;
        this.total = typeof answer.total === "number" ? { count: answer.total, capped: Boolean(answer.more) } : (answer.total ?? null);
        this.relaxed = Boolean(answer.relaxed);
        if (!this.text.trim() && !this.root) this.loadTotal();
        this.facets = facetWords(answer.facets ?? {});
        this.shown = answer.items.length;
        this.cursor = answer.next_cursor;
        this.keep(new Set(answer.items.map((each) => (each.document ?? each).id)));
        this.$refs.rows.replaceChildren(...answer.items.map((each) => this.row(each)));
        this.mark();
        this.showGoing();
      } catch (error) {
        this.problem = error.message;
      }
    },

    async loadTotal() {
      const stats = await get("/api/documents/stats").catch(() => null);
      if (stats && !this.text.trim() && !this.root) this.total = { count: stats.all.documents };
    },

    async more() {
      const answer = await get(this.path(this.cursor));
      this.$refs.rows.append(...answer.items.map((each) => this.row(each)));
      this.shown += answer.items.length;
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
      for (const row of this.$refs.rows.children) {
        const on = Number(row.dataset.id) === this.id;
        if (on) row.lastChild.setAttribute("aria-current", "true");
        else row.lastChild.removeAttribute("aria-current");
      }
    },

    /** Pale while it is about to be deleted. */
    showGoing() {
      for (const row of this.$refs.rows.children) row.classList.toggle("is-going", isGoing(`document:${row.dataset.id}`));
    },

    /** A job has changed documents. */
    changed() {
      this.load();
      const id = this.id;
      this.read(null);
      this.read(id);
    },

    async read(id) {
      this.id = id;
      forget();
      this.summarising = false;
      this.trouble = "";
      this.mark();
      this.missing = "";
      if (!id) {
        this.document = null;
        return;
      }
      try {
        const found = await askText((signal) =>
          Promise.all([
            versioned(`/api/documents/${id}`, { signal }),
            ...["/html", "/references"].map((part) => get(`/api/documents/${id}${part}`, {}, { signal })),
          ]),
        );
        if (!found) return;
        [{ value: whole, etag }] = found;
        const { markdown, text, metadata, ...rest } = whole;
        this.document = rest;
        this.showText(found[1].html);
        this.showReferences(found[2]);
        if (this.view === "versions") this.loadVersions();
        this.$nextTick(() => this.$refs.reader.scrollIntoView({ block: "nearest" }));
      } catch (error) {
        this.document = null;
        this.missing = error.message;
      }
    },

    showText(html) {
      const parsed = new DOMParser().parseFromString(html, "text/html");
      this.$refs.text.replaceChildren(...taken(parsed.body, this.document.url));
      const headings = [...this.$refs.text.querySelectorAll("h1, h2, h3")];
      headings.forEach((heading, at) => (heading.id = `part-${at + 1}`));
      this.hasOutline = headings.length > 1 && !this.view;
      this.$refs.outline.replaceChildren(
        ...headings.map((heading) => h(`a.outline-${heading.tagName.toLowerCase()}`, { href: `#${heading.id}` }, bdi(heading.textContent, 100))),
      );
    },

    /** What the text refers to, each with the documents here, and the documents that refer to it. */
    showReferences({ items, referrers, more }) {
      this.refersCount = items.length;
      this.referrersCount = referrers.length;
      this.$refs.refers.replaceChildren(...items.map((each) => h("li", {}, reference(each))));
      this.$refs.referrers.replaceChildren(...referrers.map((each) => h("li", {}, toDocument(each))), ...(more ? [h("li.quiet", {}, "and more")] : []));
    },

    // -- tags, and deleting

    addTag() {
      const fresh = tagsOf(this.newTag);
      if (fresh.length) this.putTags([...whole.tags, ...fresh]);
    },
    untag(tag) {
      this.putTags(whole.tags.filter((each) => clean(each, 60) !== tag));
    },
    untagLabel(tag) {
      return `Take the tag ${tag} away`;
    },

    async putTags(tags) {
      const path = `/api/documents/${this.id}/tags`;
      try {
        const answer = await versioned(path, { method: "PUT", body: { tags }, headers: { "If-Match": etag } });
        etag = answer.etag;
        whole.tags = answer.value.tags;
        this.document = { ...this.document, tags: whole.tags };
        this.newTag = "";
        this.load();
      } catch (error) {
        note(error.message, { error: true });
        if (error.status === 412) this.changed();
      }
    },

    async deleteOne() {
      const { id } = this;
      const sentence = `${this.title} is removed with its versions and tags; the next crawl may collect it again. ${UNDO_SENTENCE}`;
      if (!(await confirm("Delete this document?", sentence, { button: "Delete", danger: true }))) return;
      const body = { ids: [id], expected_count: 1 };
      await this.send(() => removeSoon("/api/documents/bulk", body, `Deleted in a moment: ${this.title}`, [`document:${id}`]));
      go(this.backHref);
    },

    /** Has a job make the summary again, and shows it when that has ended. */
    async summarise() {
      const { id } = this;
      this.summarising = true;
      this.trouble = "";
      try {
        const payload = { document_ids: [id], again: true };
        const job = await post("/api/jobs", { type: "summarizer", payload, name: `Summarise document ${id}` });
        forget();
        const wait = ended(job.id);
        forget = wait.stop;
        await this.summarised(id, await wait.job);
      } catch (error) {
        this.summarising = false;
        this.trouble = error.message;
      }
    },

    async summarised(id, job) {
      if (!job || this.id !== id) return;
      if (job.status === "completed") {
        const found = await get(`/api/documents/${id}`).catch(() => null);
        if (found && this.id === id) this.document = { ...this.document, summary: found.summary, keywords: found.keywords };
      } else this.trouble = clean(`Job ${job.id} ${job.status}: ${job.error ?? "see its log"}`, 400);
      this.summarising = false;
    },

    async loadVersions() {
      const answer = await get(`/api/documents/${this.id}/versions`).catch(() => ({ items: [] }));
      this.$refs.versions.replaceChildren(
        ...answer.items.map((each) =>
          h("tr", {}, h("td", {}, number(each.version ?? each.number)), h("td", {}, moment(each.since ?? each.at)), h("td.is-number", {}, number(each.words))),
        ),
      );
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
    get hasReferences() {
      return !this.view && this.refersCount + this.referrersCount > 0;
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
    get title() {
      return clean(this.document?.title || this.document?.url, 400);
    },
    get url() {
      return clean(this.document?.url, 600);
    },
    get sourceHref() {
      return safeAddress(this.document?.url);
    },
    get about() {
      const found = this.document;
      if (!found) return "";
      const parts = [plural(found.words ?? 0, "word"), `fetched ${ago(found.fetched_at)}`];
      if (found.author) parts.push(clean(found.author, 80));
      if (found.language) parts.push(clean(found.language, 20));
      if (found.version > 1) parts.push(`version ${found.version}`);
      return parts.join(" · ");
    },
    get canSummarise() {
      return Boolean(this.document?.words || this.document?.summary);
    },
    get summary() {
      return cleanLines(this.document?.summary?.text ?? "");
    },
    get summaryAbout() {
      return made("Summary", this.document?.summary);
    },
    get keywords() {
      return (this.document?.keywords?.words ?? []).map((word) => clean(word, 80));
    },
    get keywordsAbout() {
      return made("Keywords", this.document?.keywords);
    },
    get summariseLabel() {
      if (this.summarising) return "Summarising…";
      return this.document?.summary ? "Summarise again" : "Summarise";
    },
    phrase(word) {
      return /\s/.test(word) ? `"${word}"` : word;
    },
    get gone() {
      return Boolean(this.document?.gone_at);
    },
    get tags() {
      return (this.document?.tags ?? []).map((tag) => clean(tag, 60));
    },
    get backHref() {
      return `/documents${query(this.words)}`;
    },
    get markdown() {
      return this.document ? cleanLines(whole.markdown ?? whole.text ?? "") : "";
    },
    get metadata() {
      return this.document ? cleanLines(JSON.stringify({ ...this.document, metadata: whole.metadata }, null, 2)) : "";
    },
    viewIs(name) {
      return this.view === name;
    },
    viewOn(name) {
      return this.view === name ? "true" : null;
    },
    viewHref(name) {
      return this.id ? withQuery({ view: name }) : "/documents";
    },
    copyCurl() {
      copy(curl(this.id ? `/api/documents/${this.id}` : this.path()), "curl command copied");
    },

    key({ key }) {
      const links = [...this.$refs.rows.querySelectorAll("a")];
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
        go(this.backHref);
        return true;
      }
      return false;
    },
  };
  return together(selection(), page);
}
