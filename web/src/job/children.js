/** What is below a job: a table of its children, or the whole tree with bars in time. */
import { first, get, latest } from "../api.js";
import { note } from "../dialogs.js";
import { number } from "../format.js";
import { JobTable } from "../job_table.js";
import { paging } from "../paging.js";
import { STATES } from "../queue/filter.js";
import { withQuery } from "../router.js";
import { remember, remembered } from "../scroll.js";
import { TreeView } from "../tree_view.js";

const PAGE = 50;
const MOST_ROWS = 500;

export function children(id) {
  const ask = latest();
  let table = null;
  let tree = null;
  let timer = null;
  let pages = null;

  return {
    view: "",
    status: [],
    childCursor: null,
    childCount: 0,
    childrenLoaded: false,
    childrenProblem: "",

    /** Show what the address asks for. */
    openBelow(changed) {
      if (this.wholeTree) tree ??= new TreeView(this.refs.tree, { id });
      else if (!table || changed) this.openChildren();
    },

    openChildren() {
      pages ??= paging(() => this.firstChildren(), () => this.nextChildren());
      table?.destroy();
      this.refs.children.replaceChildren();
      this.childCount = 0;
      this.childrenLoaded = false;
      table = new JobTable(this.refs.children, {
        again: () => this.reloadSoon(),
        left: () => {
          this.childCount = table.top.length;
          if (!this.childCount && this.childCursor) this.reloadSoon();
        },
        fits: (each) => !this.status.length || this.status.includes(each.status),
      });
      pages.begin();
    },

    loadChildren() {
      return pages.load();
    },

    moreChildren() {
      return pages.more();
    },

    async firstChildren() {
      const asked = Date.now();
      const wanted = Math.max(PAGE, this.childCount, remembered("rows") ?? 0);
      const answer = await ask((signal) => first(`/api/jobs/${id}/children`, { status: this.status }, wanted, { signal })).catch((error) => {
        this.childrenProblem = this.childCount ? "" : error.message;
      });
      if (!answer) return;
      this.childrenProblem = "";
      table.set(answer.items, asked);
      this.childCursor = answer.next_cursor;
      this.childCount = answer.items.length;
      this.childrenLoaded = true;
    },

    async nextChildren() {
      if (!this.childCursor) return;
      const values = { limit: PAGE, status: this.status, cursor: this.childCursor };
      const asked = Date.now();
      const answer = await ask((signal) => get(`/api/jobs/${id}/children`, values, { signal })).catch((error) => note(error.message, { error: true }));
      if (!answer) return;
      table.append(answer.items, asked);
      this.childCount += answer.items.length;
      remember({ rows: this.childCount });
      this.childCursor = this.childCount < MOST_ROWS ? answer.next_cursor : null;
    },

    reloadBelow() {
      if (table) this.loadChildren();
      tree?.refresh();
    },

    reloadSoon() {
      timer ??= setTimeout(() => {
        timer = null;
        this.reloadBelow();
      }, 300);
    },

    /** A job below this one was deleted. */
    forgoBelow(gone) {
      table?.forgo(gone);
      if (tree) this.reloadSoon();
    },

    /** A job below this one has changed, or is new. */
    patchBelow(job) {
      tree?.patch(job);
      if (!table || table.patch(job) || job.parent_id !== id) return;
      if (!this.childCursor && table.fits(job) && this.childCount < MOST_ROWS) {
        table.append([job]);
        this.childCount += 1;
      }
    },

    growBelow() {
      tree?.tick();
    },

    keyBelow(key) {
      return Boolean(!this.wholeTree && table?.key(key));
    },

    stop() {
      ask.stop();
      clearTimeout(timer);
      table?.destroy();
      tree?.destroy();
    },

    get wholeTree() {
      return this.view === "tree";
    },
    get noChildren() {
      return this.childrenLoaded && !this.childCount && !this.childrenProblem && !this.wholeTree;
    },
    get childrenHref() {
      return `/jobs/${id}?tab=children`;
    },
    get treeHref() {
      return `/jobs/${id}?tab=children&view=tree`;
    },
    get childrenOn() {
      return this.wholeTree ? null : "true";
    },
    get treeOn() {
      return this.wholeTree ? "true" : null;
    },
    get childStates() {
      const counts = this.job?.counts ?? {};
      return STATES.filter((word) => counts[word]).map((word) => {
        const on = this.status.includes(word);
        return { word, on: String(on), text: `${word} ${number(counts[word])}`, href: withQuery({ tab: "children", view: "", status: on ? "" : word }) };
      });
    },
  };
}
