/** Workers with what is in their slots, and the lanes with their limits. */
import { since } from "../ages.js";
import { curl, get, latest } from "../api.js";
import { everySecond } from "../clock.js";
import { copy } from "../dialogs.js";
import { bdi, h, icon, renew, swap } from "../dom.js";
import { clean, duration, number, plural } from "../format.js";
import { live } from "../live.js";

const EVERY = 3;
const STATES = { open: ["run", "may start"], full: ["pause", "at its limit"], cooling: ["clock", "waits its interval"], empty: ["dot", "empty"] };

export function workers() {
  const ask = latest();
  const ends = [];
  let seconds = 0;
  let heardAt = 0;

  return {
    all: [],
    lanes: 0,
    lanesTotal: 0,
    loaded: false,
    problem: "",

    init() {
      ends.push(
        live.subscribe("workers", { message: (m) => m.workers && this.heard(m.workers), reload: () => this.load() }),
        live.subscribe("queue", { message: () => (this.stale = true) }),
        everySecond(() => this.second()),
      );
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
    },

    second() {
      seconds += 1;
      if (seconds % EVERY || !this.stale || live.state === "paused") return;
      this.stale = false;
      this.load();
    },

    /** What is heard is newer than all that was asked for before. */
    heard(found) {
      heardAt = Date.now();
      this.showWorkers(found);
    },

    async load() {
      const asked = Date.now();
      try {
        const queue = await ask((signal) => get("/api/queue", {}, { signal }));
        if (!queue) return;
        this.problem = "";
        this.loaded = true;
        this.lanes = queue.lanes.length;
        this.lanesTotal = queue.lanes_total;
        swap(this.refs.lanes, queue.lanes.map(lane));
        if (heardAt < asked) this.showWorkers(queue.workers);
      } catch (error) {
        this.problem = this.loaded ? "" : error.message;
      }
    },

    showWorkers(found) {
      this.all = found;
      renew(this.refs.workers, found, (each) => each.id, card);
    },

    get sentence() {
      if (!this.loaded) return " ";
      const alive = this.all.filter((each) => each.alive);
      const slots = alive.reduce((sum, each) => sum + each.slots, 0);
      const busy = alive.reduce((sum, each) => sum + each.running.length, 0);
      return `${plural(alive.length, "worker")} with ${plural(slots, "slot")}, ${number(busy)} busy.`;
    },
    get noWorkers() {
      return this.loaded && !this.all.length;
    },
    get noLanes() {
      return this.loaded && !this.lanes;
    },
    get laneText() {
      if (!this.lanesTotal) return "";
      return this.lanesTotal > this.lanes ? `the busiest ${number(this.lanes)} of ${number(this.lanesTotal)}` : number(this.lanesTotal);
    },
    copyCurl() {
      copy(curl("/api/queue"), "curl command copied");
    },
  };
}

function card(worker) {
  const state = worker.alive ? "running" : "failed";
  const running = worker.running.map((each) =>
    h("li", {}, h("a.brief-name", { href: `/jobs/${each.job_id}` }, bdi(each.name || each.type, 200)), h("span.mono.quiet", {}, clean(each.type, 40)), each.since && since(each.since, ".brief-time")),
  );
  const free = worker.alive ? Math.max(0, worker.slots - running.length) : 0;
  if (free) running.push(h("li.quiet", {}, plural(free, "free slot")));
  return h(
    "article.card",
    {},
    h(
      "div.card-title",
      {},
      h("h2", {}, bdi(worker.host, 80), h("span.quiet.mono", {}, ` ${worker.pid}`)),
      h(`span.status.is-${state}`, {}, icon(worker.alive ? "check" : "cross"), worker.alive ? "alive" : "gone"),
    ),
    h("p.quiet.card-note", {}, `${running.length && worker.running.length}/${worker.slots} slots busy, started `, since(worker.started_at)),
    h("ul.brief-list", {}, running),
  );
}

/** When the next message of a lane may start; one at its limit has to wait for the end of another. */
function nextStart({ state, ready, next_start_in_seconds: seconds }) {
  if (!ready) return "–";
  if (state === "full") return "when one ends";
  return seconds > 0 ? `in ${duration(seconds)}` : "now";
}

function lane(each) {
  const [symbol, words] = STATES[each.state] ?? ["dot", each.state];
  const used = each.max_running ? Math.min(1, each.running / each.max_running) : 0;
  const bar = h("span.bar", { "aria-hidden": "true" }, h("span.bar-done"));
  bar.firstChild.style.transform = `scaleX(${used})`;
  const pace = each.pace_seconds ? `, in fact ${duration(each.pace_seconds)}` : "";
  return h(
    "tr",
    {},
    h("td.mono", {}, bdi(each.key, 200)),
    h("td", {}, h(`span.lane-state.is-${each.state}`, {}, icon(symbol), words)),
    h("td.is-number", {}, number(each.ready)),
    h("td.lane-running", {}, bar, h("span.bar-words", {}, `${number(each.running)}/${number(each.max_running)}`)),
    h("td.is-number", {}, each.min_interval_seconds ? duration(each.min_interval_seconds) + pace : "none"),
    h("td.is-number", {}, nextStart(each)),
  );
}
