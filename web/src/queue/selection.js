/** What is selected on the queue page, row by row or all that match, and what is done to it. */
import { performAll } from "../actions.js";
import { tellPicked } from "../dom.js";
import { counted, number } from "../format.js";
import { STATES } from "./filter.js";

/** `table()` is the table of the page. */
export function selection(table) {
  return {
    selected: 0,
    everything: false,

    pickPage() {
      table().pickAll(this.refs.all.checked);
    },
    tellPicked() {
      tellPicked(this.refs.all, this.selected, this.shown);
    },
    unselect() {
      table().pickAll(false);
      this.everything = false;
    },
    get canSelectAll() {
      const count = this.total?.count ?? 0;
      return !this.everything && this.selected >= this.shown && count > this.selected;
    },
    selectAll() {
      this.everything = true;
    },
    get selectAllText() {
      return `Select all ${counted(this.matching)} that match`;
    },
    get selectionText() {
      return this.everything ? `All ${counted(this.matching)} that match are selected.` : `${number(this.selected)} selected.`;
    },
    /** How many match: exact from the kept counts where these say it. */
    get matching() {
      const { status, parent, ...rest } = this.filter;
      const narrowed = parent || Object.values(rest).some(Boolean);
      if (narrowed || !this.top || !this.total?.capped) return this.total;
      const words = status.length ? status : STATES;
      return { count: words.reduce((all, word) => all + this.top[word], 0), capped: false };
    },
    async bulk(action) {
      const { order, ...words } = this.words();
      const filter = Object.fromEntries(Object.entries(words).filter(([, value]) => value.length));
      const many = this.everything
        ? { filter, ...this.matching, shown: [...table().selection] }
        : { ids: [...table().selection], count: table().selection.size };
      const job = await performAll(action, many);
      if (job) this.unselect();
    },
  };
}
