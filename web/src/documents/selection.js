/** What is selected among documents, one by one or all that match, and what is done to it. */
import { post } from "../api.js";
import { askText, confirm, note } from "../dialogs.js";
import { tellPicked } from "../dom.js";
import { counted, number, plural } from "../format.js";
import { ended } from "../job/ended.js";
import { removeSoon, UNDO_SENTENCE } from "../undo.js";

const PATH = "/api/documents/bulk";

/** The tags of a text, apart by commas. */
export const tagsOf = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);

export function selection() {
  const chosen = new Set();
  const waits = new Set();

  return {
    stop() {
      waits.forEach((wait) => wait.stop());
    },

    selected: 0,
    everything: false,

    pick(id, on) {
      if (on) chosen.add(id);
      else chosen.delete(id);
      this.selected = chosen.size;
      this.everything = false;
    },
    isPicked(id) {
      return chosen.has(id);
    },
    /** What is no longer listed is no longer selected. */
    keep(ids) {
      for (const id of chosen) if (!ids.has(id)) chosen.delete(id);
      this.selected = chosen.size;
      this.everything &&= this.selected > 0;
    },
    pickPage() {
      const on = this.refs.all.checked;
      for (const check of this.refs.rows.querySelectorAll("input")) {
        check.checked = on;
        this.pick(Number(check.dataset.id), on);
      }
    },
    tellPicked() {
      tellPicked(this.refs.all, this.selected, this.shown);
    },
    unselect() {
      this.refs.all.checked = false;
      this.pickPage();
    },
    get canSelectAll() {
      const count = this.total?.count ?? 0;
      return !this.everything && !this.relaxed && this.selected >= this.shown && count > this.selected;
    },
    selectAll() {
      this.everything = true;
    },
    get selectAllText() {
      return `Select all ${counted(this.total)} that match`;
    },
    get selectionText() {
      return this.everything ? `All ${counted(this.total)} that match are selected.` : `${number(this.selected)} selected.`;
    },

    /** Which documents are meant, how many the page said there are, and that in words. */
    meant() {
      if (!this.everything) {
        const ids = [...chosen];
        return { body: { ids, expected_count: ids.length }, many: plural(ids.length, "document"), marked: ids };
      }
      const { count, capped } = this.total;
      const q = this.text.trim();
      const body = { filter: q ? { q } : {}, expected_count: capped ? null : count };
      return { body, many: capped ? `${number(count)} or more documents` : plural(count, "document"), marked: [...chosen] };
    },

    async tagAll(action) {
      const { body, many } = this.meant();
      const verb = action === "tag" ? "Tag" : "Take tags from";
      const given = await askText(`${verb} ${many}`, "Tags, apart by commas", { button: `${verb} ${many}` });
      const tags = tagsOf(given ?? "");
      if (!tags.length) return;
      await this.send(async () => {
        const job = await post(PATH, { ...body, action, tags });
        note(`${action === "tag" ? "Tagging" : "Taking tags from"} ${many}`, { link: { href: `/jobs/${job.id}`, text: `Job ${job.id}` } });
        return job;
      });
    },

    async deleteAll() {
      const { body, many, marked } = this.meant();
      const all = this.everything && !this.text.trim();
      const options = { button: `Delete ${many}`, danger: true, typed: all ? "delete all" : null };
      const sentence = `${many} ${body.expected_count === 1 ? "is" : "are"} removed, with all versions and tags. ${UNDO_SENTENCE}`;
      if (!(await confirm(`Delete ${many}?`, sentence, options))) return;
      const names = marked.map((id) => `document:${id}`);
      await this.send(() => removeSoon(PATH, body, `${many}: deleted in a moment`, names));
    },

    /** Whether it was begun; when it has ended, what is shown is loaded anew. */
    async send(request) {
      try {
        const job = await request();
        this.unselect();
        this.awaitEnd(job);
        return true;
      } catch (error) {
        const { count } = error.body ?? {};
        const now = count === undefined ? "" : ` By now ${plural(count, "document")} match; nothing was done yet.`;
        note(now.trim() || error.message, { error: true });
        if (now) this.load();
        return false;
      }
    },

    async awaitEnd({ id }) {
      const wait = ended(id);
      waits.add(wait);
      const over = await wait.job.catch((error) => error); // one that was taken back has been deleted
      waits.delete(wait);
      if (over) this.changed();
    },
  };
}
