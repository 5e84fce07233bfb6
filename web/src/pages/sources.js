/** Sources: a card each, with how it is and what is going on; made, edited, checked, collected. */
import { api, curl, get, latest, post } from "../api.js";
import { everySecond, paced } from "../clock.js";
import { copy, note } from "../dialogs.js";
import { clean, number, plural } from "../format.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { change, here, onRoute, withQuery } from "../router.js";
import { SourceCard } from "../source/card.js";
import { askDelete } from "../source/delete.js";
import { editSource } from "../source/editor.js";
import { HEALTH, healthOf } from "../source/health.js";

const RUNS = new Set(["crawler", "folder"]);
const SETTLE_MS = 250;
const MOST_PAGES = 20;

export function sources() {
  const ask = latest();
  const ends = [];
  const cards = new Map();
  let soon = null;
  let editing = "";

  return {
    all: [],
    loaded: false,
    problem: "",
    health: "",

    init() {
      ends.push(
        onRoute((route) => route.page === "sources" && this.routed(route)),
        onKey((event) => this.key(event)),
        live.subscribe("jobs", { message: (m) => m.job && this.heard(m.job), reload: () => this.load() }),
        everySecond(() => cards.forEach((card) => card.tick())),
      );
      soon = paced(() => this.load(), 1000, SETTLE_MS);
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      soon.stop();
      cards.forEach((card) => card.destroy());
    },

    routed({ query: words }) {
      this.health = words.get("health") ?? "";
      this.show();
      const wanted = words.get("edit") ?? "";
      if (wanted && wanted !== editing && this.loaded) this.edit(wanted);
    },

    async load() {
      try {
        const found = await ask((signal) => everything(signal));
        if (!found) return;
        const first = !this.loaded;
        this.all = found.sort((a, b) => a.name.localeCompare(b.name));
        this.problem = "";
        this.loaded = true;
        this.show();
        if (first) this.routed(here());
      } catch (error) {
        if (!this.loaded) this.problem = error.message;
        else if (error.status) note(error.message, { error: true }); // else the page says that there is no connection
      }
    },

    show() {
      const shown = this.all.filter((each) => !this.health || healthOf(each) === this.health);
      const kept = new Set(shown.map((each) => each.id));
      for (const [id, card] of cards) {
        if (kept.has(id)) continue;
        card.destroy();
        cards.delete(id);
      }
      shown.forEach((each, at) => {
        const card = cards.get(each.id) ?? new SourceCard(each, this);
        cards.set(each.id, card);
        card.update(each);
        const place = this.refs.cards.children[at];
        if (place !== card.element) this.refs.cards.insertBefore(card.element, place ?? null);
      });
    },

    /** A job at the top has changed: it may be a run that a card shows, or a new one. */
    heard(job) {
      const source = this.all.find((each) => each.run?.id === job.id);
      if (source) {
        source.run = job;
        source.active = ["pending", "running"].includes(job.status);
        cards.get(source.id)?.update(source);
        if (!source.active) soon();
      } else if (RUNS.has(job.type) && job.status !== "cancelled") {
        soon();
      }
    },

    // -- what can be done

    create() {
      change({ edit: "new" });
    },
    openEditor(source) {
      change({ edit: source.id });
    },
    async edit(wanted) {
      editing = wanted;
      const source = wanted === "new" ? null : this.all.find((each) => String(each.id) === wanted);
      if (source !== undefined) await editSource(source);
      editing = "";
      if (here().page === "sources") change({ edit: "" }, { replace: true });
      if (source === undefined) note(`There is no source ${clean(wanted, 40)}.`, { error: true });
      this.load();
    },
    async collect(source) {
      try {
        const answer = await post(`/api/sources/${source.id}/collect`);
        note(answer.started ? `Collecting ${source.name}` : `${source.name} is being collected already`, {
          link: { href: `/jobs/${answer.job.id}`, text: `Job ${answer.job.id}` },
        });
      } catch (error) {
        note(error.message, { error: true });
      }
      this.load();
    },
    async cancel(source) {
      try {
        await post(`/api/jobs/${source.run.id}/cancel`);
        note(`Cancelled: ${source.name}`);
      } catch (error) {
        note(error.message, { error: true });
      }
      this.load();
    },
    async enable(source) {
      try {
        const body = { enabled: !source.enabled };
        await api(`/api/sources/${source.id}`, { method: "PATCH", body, headers: { "If-Match": "*" } });
      } catch (error) {
        note(error.message, { error: true });
      }
      this.load();
    },
    async remove(source) {
      if (await askDelete(source)) this.load();
    },

    // -- words

    get sentence() {
      if (!this.loaded) return " ";
      const running = this.all.filter((each) => each.active).length;
      const bad = this.all.filter((each) => ["failing", "login_expired"].includes(healthOf(each))).length;
      const parts = [plural(this.all.length, "source")];
      if (running) parts.push(`${number(running)} being collected`);
      if (bad) parts.push(`${number(bad)} ${bad === 1 ? "needs" : "need"} you`);
      return `${parts.join(", ")}.`;
    },
    get some() {
      return this.all.length > 1 || Boolean(this.health);
    },
    get filters() {
      const counts = {};
      for (const each of this.all) counts[healthOf(each)] = (counts[healthOf(each)] ?? 0) + 1;
      const all = { word: "", label: "All", count: this.all.length, icon: "#i-dot" };
      const words = Object.keys(HEALTH).filter((word) => counts[word] || word === this.health);
      const rest = words.map((word) => ({ word, label: HEALTH[word].label, count: counts[word] ?? 0, icon: `#i-${HEALTH[word].icon}` }));
      return [all, ...rest].map((each) => ({
        ...each,
        href: withQuery({ health: each.word }),
        on: each.word === this.health ? "true" : null,
      }));
    },
    get empty() {
      return this.loaded && !this.all.length;
    },
    get noneMatches() {
      return this.loaded && this.all.length > 0 && !this.all.some((each) => !this.health || healthOf(each) === this.health);
    },
    get noneText() {
      return `None of the ${plural(this.all.length, "source")} is “${HEALTH[this.health]?.label ?? clean(this.health, 40)}”.`;
    },
    get waiting() {
      return !this.loaded && !this.problem;
    },
    copyCurl() {
      copy(curl("/api/sources"), "curl command copied");
    },

    key({ key }) {
      const shown = [...this.refs.cards.children];
      const at = shown.findIndex((each) => each.contains(document.activeElement));
      if (key === "j" || key === "k") {
        const next = shown[Math.max(0, Math.min(shown.length - 1, at + (key === "j" ? 1 : -1)))];
        next?.focus();
        return Boolean(next);
      }
      if (key === "n") {
        this.create();
        return true;
      }
      const card = [...cards.values()].find((each) => each.element === shown[at]);
      return card?.key(key) ?? false;
    },
  };
}

/** All sources, page by page. */
async function everything(signal) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await get("/api/sources", { limit: 200, cursor }, { signal });
    found.push(...answer.items);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return found;
}
