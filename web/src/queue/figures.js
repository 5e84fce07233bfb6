/** The figures of the queue page: its sentence, the tiles, and the rail of states and types. */
import { announce } from "../announce.js";
import { get, latest } from "../api.js";
import { everySecond, paced } from "../clock.js";
import { note } from "../dialogs.js";
import { STATUS_ICONS } from "../dom.js";
import { duration, number, plural } from "../format.js";
import { filtered, STATES, WORDS } from "./filter.js";

/** The jobs of all states. */
export const sum = (counts) => STATES.reduce((total, word) => total + (counts[word] ?? 0), 0);

export function figures() {
  const ask = latest();
  let soon = null;
  let heardAt = 0;
  let ticking = null;

  return {
    top: null,
    all: null,
    stats: null,
    statsAt: 0,
    second: 0,
    day: null,
    paused: false,
    typeCounts: [],

    async loadStats() {
      const asked = Date.now();
      try {
        const found = await ask((signal) => Promise.all([get("/api/jobs/stats", {}, { signal }), get("/api/queue", {}, { signal })]));
        if (!found) return;
        const [stats, queue] = found;
        const overtaken = heardAt >= asked;
        if (!overtaken) this.top = stats.top;
        this.all = stats.all;
        this.typeCounts = stats.types;
        this.day = stats;
        this.seen(overtaken ? { ...queue, ...this.stats } : queue);
        announce(this.sentence);
      } catch (error) {
        if (error.status) note(error.message, { error: true });
      }
    },

    statsSoon() {
      soon ??= paced(() => this.loadStats());
      soon();
    },

    /** What is heard is newer than all that was asked for before. */
    counts(message) {
      heardAt = Date.now();
      this.seen({ ...this.stats, ...message.stats });
      if (message.top) this.top = message.top;
    },

    /** The numbers of the queue, and when they came: the ages in them grow from then on. */
    seen(stats) {
      this.stats = stats;
      this.statsAt = this.second = Date.now();
      this.paused = stats.paused;
      ticking ??= everySecond(() => (this.second = Date.now()));
    },

    get oldest() {
      const age = this.stats?.oldest_ready_seconds;
      return age == null ? null : age + Math.max(0, this.second - this.statsAt) / 1000;
    },

    /** How many jobs of each state the list would show; null where no kept count says it. */
    get counted() {
      const { parent, type, status, ...rest } = this.filter;
      if (Object.values(rest).some(Boolean)) return null;
      if (parent === "any") return type ? this.typeCounts.find((each) => each.type === type)?.counts : this.all;
      return type || (parent && parent !== "root") ? null : this.top;
    },

    get sentence() {
      if (!this.top) return " ";
      const { failed, running, pending } = this.top;
      const parts = [];
      if (running) parts.push(`${plural(running, "tree")} running`);
      if (pending) parts.push(`${number(pending)} waiting to start`);
      if (!parts.length) parts.push("All quiet");
      if (failed) parts.push(`${number(failed)} failed`);
      return `${parts.join(", ")}.`;
    },

    get tiles() {
      const { day, stats } = this;
      const last = day?.last_24h ?? {};
      return [
        tile("Pending", number(stats?.ready), stats?.delayed ? `${number(stats.delayed)} delayed` : ""),
        tile("In flight", number(stats?.in_flight), "", "is-running"),
        tile("Completed", number(last.completed), "24 h"),
        tile("Failed", number(last.failed), "24 h", last.failed ? "is-failed" : ""),
        tile("Average run", duration(last.mean_run_seconds), "24 h"),
        tile("Oldest waiting", duration(this.oldest), ""),
      ];
    },

    get states() {
      const { counted } = this;
      const { status } = this.filter;
      const first = state("all", "All", counted && sum(counted), "#i-log", filtered({ status: "" }), !status.length);
      const others = STATES.map((word) => {
        const label = word[0].toUpperCase() + word.slice(1);
        const on = status.length === 1 && status[0] === word;
        return state(word, label, counted?.[word], `#i-${STATUS_ICONS[word]}`, filtered({ status: on ? "" : word }), on || status.includes(word));
      });
      return [first, ...others];
    },

    /** The types with the number of all their jobs, at whatever depth: so that is what is listed. */
    get types() {
      return this.typeCounts.map((each) => {
        const on = this.filter.type === each.type;
        const href = filtered(on ? { type: "" } : { type: each.type, parent: "any" });
        return { type: each.type, count: number(sum(each.counts)), href, current: on ? "true" : null };
      });
    },

    get deadCount() {
      return number(this.stats?.dead);
    },

    get chips() {
      const chips = [];
      const add = (name, value, rest) => {
        const text = `${name}:${value}`;
        chips.push({ text, label: `Remove the filter ${text}`, href: filtered({ [name]: rest }) });
      };
      const { status } = this.filter;
      for (const value of status) add("status", value, status.filter((each) => each !== value));
      for (const name of WORDS.slice(1)) if (this.filter[name] && this.filter[name] !== "any") add(name, this.filter[name], "");
      return chips;
    },

    get treeHref() {
      return this.filter && filtered({ parent: "" });
    },
    get flatHref() {
      return this.filter && filtered({ parent: "any" });
    },
    get treeCurrent() {
      return this.filter.parent === "any" ? null : "true";
    },
    get flatCurrent() {
      return this.filter.parent === "any" ? "true" : null;
    },

    stop() {
      ask.stop();
      soon?.stop();
      ticking?.();
    },
  };
}

const tile = (label, value, about = "", kind = "") => ({ label, value, note: about, kind });

function state(word, label, count, symbol, href, on) {
  return { word, label, count: count == null ? "" : number(count), icon: symbol, href, kind: `is-${word}`, current: on ? "true" : null };
}
