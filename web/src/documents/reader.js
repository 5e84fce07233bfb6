/** The reader: one document with its outline, references, tags and summary. A part of the
 * page of documents, whose `id`, `view`, list and selection it uses.
 */
import { get, latest, post, versioned } from "../api.js";
import { confirm, note } from "../dialogs.js";
import { bdi, h, showTop } from "../dom.js";
import { ago, clean, cleanLines, plural } from "../format.js";
import { ended } from "../job/ended.js";
import { go } from "../router.js";
import { remembered } from "../scroll.js";
import { removeSoon, UNDO_SENTENCE } from "../undo.js";
import { tagsOf } from "./selection.js";
import { made, phrase, reference, safeAddress, taken, toDocument } from "./shown.js";

export function reader() {
  const ask = latest();
  let whole = null;
  let etag = null;
  let forget = () => {};

  return {
    document: null,
    missing: "",
    missingTitle: "",
    newTag: "",
    hasOutline: false,
    refersCount: 0,
    referrersCount: 0,
    summarising: false,
    trouble: "",

    stop() {
      forget();
      ask.stop();
    },

    async read(id) {
      this.id = id;
      forget();
      this.summarising = false;
      this.trouble = "";
      const isBack = remembered("y") !== undefined; // asked now: loading scrolls, and that is remembered too
      this.mark();
      this.missing = "";
      if (!id) {
        ask.drop();
        this.document = null;
        document.title = "Documents · Quaero";
        return;
      }
      try {
        const found = await ask((signal) =>
          Promise.all([
            versioned(`/api/documents/${id}`, { signal }),
            ...["/html", "/references"].map((part) => get(`/api/documents/${id}${part}`, {}, { signal })),
          ]),
        );
        if (!found) return;
        [{ value: whole, etag }] = found;
        const { markdown, text, metadata, ...rest } = whole;
        this.document = rest;
        document.title = `${clean(rest.title || rest.url, 60)} · Quaero`;
        this.showText(found[1].html);
        this.showReferences(found[2]);
        if (this.view === "versions") this.loadVersions();
        if (!isBack) this.$nextTick(() => showTop(this.refs.reader));
      } catch (error) {
        this.document = null;
        this.missing = error.message;
        this.missingTitle = error.status === 404 ? "There is no such document" : error.title;
      }
    },

    showText(html) {
      const parsed = new DOMParser().parseFromString(html, "text/html");
      this.refs.text.replaceChildren(...taken(parsed.body, this.document.url));
      const headings = [...this.refs.text.querySelectorAll("h1, h2, h3")];
      headings.forEach((heading, at) => (heading.id = `part-${at + 1}`));
      this.hasOutline = headings.length > 1 && !this.view;
      this.refs.outline.replaceChildren(
        ...headings.map((heading) => h(`a.outline-${heading.tagName.toLowerCase()}`, { href: `#${heading.id}` }, bdi(heading.textContent, 100))),
      );
    },

    /** What the text refers to, each with the documents here, and the documents that refer to it. */
    showReferences({ items, referrers, more }) {
      this.refersCount = items.length;
      this.referrersCount = referrers.length;
      this.refs.refers.replaceChildren(...items.map((each) => h("li", {}, reference(each))));
      this.refs.referrers.replaceChildren(...referrers.map((each) => h("li", {}, toDocument(each))), ...(more ? [h("li.quiet", {}, "and more")] : []));
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

    /** By the time of the answer another document may be read, and another tag be typed. */
    async putTags(tags) {
      const meant = whole;
      const typed = this.newTag;
      const path = `/api/documents/${meant.id}/tags`;
      try {
        const answer = await versioned(path, { method: "PUT", body: { tags }, headers: { "If-Match": etag } });
        if (this.document?.id === meant.id) {
          etag = answer.etag;
          whole.tags = answer.value.tags;
          this.document = { ...this.document, tags: whole.tags };
        }
        if (this.newTag === typed) this.newTag = "";
        this.load();
      } catch (error) {
        note(error.message, { error: true });
        if (error.status === 412) this.changed();
      }
    },

    async deleteOne() {
      const { id } = this.document;
      const sentence = `${this.title} is removed with its versions and tags; the next crawl may collect it again. ${UNDO_SENTENCE}`;
      if (!(await confirm("Delete this document?", sentence, { button: "Delete", danger: true }))) return;
      const body = { ids: [id], expected_count: 1 };
      const said = `Deleted in a moment: ${this.title}`;
      const begun = await this.send(() => removeSoon("/api/documents/bulk", body, said, [`document:${id}`]));
      if (begun && this.id === id) go(this.backHref);
    },

    /** Has a job make the summary again, and shows it when that has ended. */
    async summarise() {
      const { id } = this.document;
      this.summarising = true;
      this.trouble = "";
      try {
        const payload = { document_ids: [id], again: true };
        const job = await post("/api/jobs", { type: "summarizer", payload, name: `Summarise document ${id}` });
        if (this.id !== id) return;
        forget();
        const wait = ended(job.id);
        forget = wait.stop;
        await this.summarised(id, await wait.job);
      } catch (error) {
        if (this.id !== id) return;
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

    get hasReferences() {
      return !this.view && this.refersCount + this.referrersCount > 0;
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
    phrase,
    get gone() {
      return Boolean(this.document?.gone_at);
    },
    get tags() {
      return (this.document?.tags ?? []).map((tag) => clean(tag, 60));
    },
    get markdown() {
      return this.document ? cleanLines(whole.markdown ?? whole.text ?? "") : "";
    },
    get metadata() {
      return this.document ? cleanLines(JSON.stringify({ ...this.document, metadata: whole.metadata }, null, 2)) : "";
    },
  };
}
