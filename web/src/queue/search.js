/** The search box of the queue page: words as they are typed, `type:` and `status:` with suggestions. */
import { number } from "../format.js";
import { change } from "../router.js";
import { parsed, STATES } from "./filter.js";
import { sum } from "./figures.js";

export function searchBox() {
  let typing = null;

  return {
    suggestions: [],

    typed() {
      clearTimeout(typing);
      this.suggestFor(this.text);
      const { found, rest } = parsed(this.text);
      if (Object.keys(found).length) return;
      typing = setTimeout(() => change({ text: rest }, { replace: true }), 150);
    },

    search() {
      clearTimeout(typing);
      const { found, rest } = parsed(this.text);
      this.text = rest;
      this.suggestions = [];
      const joined = Object.entries(found).map(([name, values]) => {
        return [name, name === "status" ? [...new Set([...this.filter[name], ...values])] : values.at(-1)];
      });
      const deep = found.type && !found.parent && !this.filter.parent; // most types are only below others
      change({ text: rest, ...Object.fromEntries(joined), ...(deep && { parent: "any" }) });
    },

    suggestFor(text) {
      const [, name, begun] = /(?:^|\s)(type|status):(\S*)$/.exec(text) ?? [];
      const all =
        name === "status"
          ? STATES.map((word) => ({ word, count: this.counted && number(this.counted[word]) }))
          : this.typeCounts.map((each) => ({ word: each.type, count: this.filter.parent === "any" && number(sum(each.counts)) }));
      const fitting = name ? all.filter((each) => each.word.startsWith(begun)).slice(0, 8) : [];
      this.suggestions = fitting.map((each, at) => ({ ...each, count: each.count || "", on: at === 0 }));
    },

    get hasSuggestions() {
      return this.suggestions.length > 0;
    },
    suggest(word) {
      this.text = this.text.replace(/:\S*$/, `:${word}`);
      this.search();
    },
    closeSuggestions() {
      this.suggestions = [];
    },
    suggestKey(event) {
      if (!this.suggestions.length) return;
      const at = this.suggestions.findIndex((each) => each.on);
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        const next = (at + step + this.suggestions.length) % this.suggestions.length;
        this.suggestions = this.suggestions.map((each, index) => ({ ...each, on: index === next }));
      } else if (event.key === "Enter" || event.key === "Tab") {
        this.suggest(this.suggestions[at].word);
      } else return;
      event.preventDefault();
    },

    stop() {
      clearTimeout(typing);
    },
  };
}
