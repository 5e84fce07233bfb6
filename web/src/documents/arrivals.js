/** Documents that come while the list is open: a pill tells of them, and a list that is empty shows them
 * at once. A part of the page of documents, whose `text`, `root`, `shown` and `load` it uses.
 */
import { announce } from "../announce.js";
import { get, latest } from "../api.js";
import { live } from "../live.js";

const SOON = 2_000;

export function arrivals() {
  const ask = latest();
  let timer = null;
  let end = () => {};

  return {
    arrived: false,
    newest: 0,

    stop() {
      end();
      clearTimeout(timer);
      ask.stop();
    },

    /** Hear of jobs that go on: they may have collected documents. */
    awaitDocuments() {
      end = live.subscribe("jobs", { message: () => this.lookSoon(), reload: () => this.lookSoon() });
    },

    lookSoon() {
      if (this.arrived || this.text.trim()) return;
      timer ??= setTimeout(() => {
        timer = null;
        this.look();
      }, SOON);
    },

    async look() {
      const wanted = { root: this.root || null, limit: 1 };
      const answer = await ask((signal) => get("/api/documents", wanted, { signal })).catch(() => null); // asked again as jobs go on
      if (!answer || this.text.trim() || !(answer.items[0]?.id > this.newest)) return;
      if (!this.shown) return this.load();
      this.arrived = true;
      announce("There are new documents.");
    },

    showArrived() {
      scrollTo(0, 0);
      this.load();
    },

    /** The list has been loaded anew. */
    sawDocuments(ids) {
      this.arrived = false;
      if (!this.text.trim()) this.newest = Math.max(0, ...ids);
    },
  };
}
