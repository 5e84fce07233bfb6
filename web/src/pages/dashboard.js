/** The dashboard: what needs somebody, what runs, what happened. */
import { performAll } from "../actions.js";
import { since } from "../ages.js";
import { get, latest } from "../api.js";
import { chart } from "../charts.js";
import { everySecond, now, paced } from "../clock.js";
import { createJob } from "../create_job.js";
import { bdi, h, renew } from "../dom.js";
import { bytes, clean, duration, number, plural, tickDuration } from "../format.js";
import { progressOf, statusMark } from "../job_row.js";
import { onKey } from "../keys.js";
import { live } from "../live.js";
import { change, go, here, onRoute, withQuery } from "../router.js";

const RANGES = [
  ["1 h", 3600],
  ["6 h", 21_600],
  ["24 h", 86_400],
];
const LATEST = 10;
const FAILED = 200;
const STORAGE_EVERY = 5000;

/** Of the last 24 hours, as figures by the minute have it. */
const sinceYesterday = () => `completed_after=${new Date(Math.floor(now() / 60_000 - 1440) * 60_000).toISOString().replace(".000", "")}`;

export function dashboard() {
  const ask = latest();
  const askLists = latest();
  const ends = [];
  let charts = {};
  let soon = null;
  let storageSoon = null;
  let heardAt = 0;
  let workersHeardAt = 0;
  let seconds = 0;

  return {
    stats: null,
    queue: null,
    documents: null,
    failed: null,
    cutFailures: false,
    count: null,
    problem: "",
    address: "",
    storage: [],
    seconds: 3600,
    from: null,
    to: null,

    init() {
      const percentiles = [
        { label: "p50", colour: "--s-pending", area: true },
        { label: "p95", colour: "--s-cancelled" },
        { label: "p99", colour: "--s-warn", dash: [4, 3] },
      ];
      const zoomed = (from, to) => change({ from, to });
      charts = {
        throughput: chart(this.refs.throughput, {
          zoomed,
          series: [
            { label: "Completed", colour: "--s-running", area: true },
            { label: "Failed", colour: "--s-failed" },
            { label: "Cancelled", colour: "--s-cancelled", dash: [4, 3] },
          ],
        }),
        run: chart(this.refs.run, { zoomed, series: percentiles, format: duration, tick: tickDuration }),
        wait: chart(this.refs.wait, { zoomed, series: percentiles, format: duration, tick: tickDuration }),
        depth: chart(this.refs.depth, { zoomed, series: [{ label: "Waiting", colour: "--s-pending", area: true }] }),
      };
      ends.push(
        onRoute((route) => route.page === "dashboard" && this.routed(route)),
        live.subscribe("jobs", { message: () => this.changed(), reload: () => this.load() }),
        live.subscribe("queue", { message: (m) => this.heard(m.stats) }),
        live.subscribe("workers", { message: (m) => m.workers && this.heardWorkers(m.workers) }),
        everySecond(() => this.second()),
        onKey((event) => event.key === "n" && (this.create(), true)),
      );
      this.routed(here());
    },

    destroy() {
      ends.forEach((end) => end());
      ask.stop();
      askLists.stop();
      soon?.stop();
      storageSoon?.stop();
      Object.values(charts).forEach((each) => each.destroy());
    },

    routed({ query }) {
      this.seconds = Number(query.get("last")) || 3600;
      this.from = Number(query.get("from")) || null;
      this.to = Number(query.get("to")) || null;
      this.load();
    },

    /** A job has changed, and with it perhaps what is stored. */
    changed() {
      this.soon();
      storageSoon ??= paced(() => this.loadStorage(), STORAGE_EVERY, STORAGE_EVERY);
      storageSoon();
    },

    soon() {
      soon ??= paced(() => this.loadLists());
      soon();
    },

    /** The charts are drawn anew each quarter of a minute. */
    second() {
      seconds += 1;
      if (seconds % 15 === 0 && !this.from) this.loadCharts();
    },

    load() {
      this.loadLists();
      this.loadCharts();
      this.loadStorage();
    },

    /** What is heard is newer than all that was asked for before. */
    heard(stats) {
      heardAt = Date.now();
      this.queue = { ...this.queue, ...stats };
    },
    heardWorkers(found) {
      workersHeardAt = Date.now();
      this.showWorkers(found);
    },
    showWorkers(found) {
      renew(this.refs.slots, found.filter((each) => each.alive), (each) => each.id, slots);
    },

    async loadLists() {
      const asked = Date.now();
      try {
        const found = await askLists((signal) =>
          Promise.all([
            get("/api/jobs/stats", {}, { signal }),
            get("/api/queue", {}, { signal }),
            get("/api/jobs", { limit: LATEST }, { signal }),
            get("/api/jobs", { parent: "any", status: "failed", limit: FAILED }, { signal }),
          ]),
        );
        if (!found) return;
        const [stats, queue, recent, failed] = found;
        this.stats = stats;
        this.queue = heardAt >= asked ? { ...queue, ...this.queue } : queue;
        this.count = recent.items.length;
        this.failed = failed.items.length;
        this.problem = "";
        renew(this.refs.latest, recent.items, (job) => job.id, brief);
        this.cutFailures = Boolean(failed.next_cursor);
        renew(this.refs.failures, grouped(failed.items), ([job]) => alike(job), (jobs) => failure(jobs, () => this.retry(jobs)));
        if (workersHeardAt < asked) this.showWorkers(queue.workers);
      } catch (error) {
        this.problem = error.message;
      }
    },

    async loadCharts() {
      const to = this.to ?? Math.floor(now() / 1000);
      const from = this.from ?? to - this.seconds;
      const iso = (at) => new Date(at * 1000).toISOString();
      const values = { from: iso(from), to: iso(to) };
      const found = await ask((signal) => get("/api/stats/minutes", values, { signal })).catch(() => null);
      if (!found) return;
      const { minutes } = found;
      charts.throughput.set([minutes, found.completed, found.failed, found.cancelled]);
      charts.run.set([minutes, found.run_p50, found.run_p95, found.run_p99]);
      charts.wait.set([minutes, found.wait_p50, found.wait_p95, found.wait_p99]);
      charts.depth.set([minutes, found.depth]);
    },

    async loadStorage() {
      const found = await get("/api/status").catch(() => null);
      this.documents = await get("/api/documents/stats").catch(() => null);
      const parts = Object.entries(found?.storage ?? {}).filter(([, value]) => typeof value === "number");
      this.storage = parts.map(([name, value]) => ({ name: clean(name.replaceAll("_", " ")), value: bytes(value) }));
    },

    get sentence() {
      if (!this.stats) return " ";
      const { running, pending } = this.stats.top;
      const failed = this.stats.last_24h?.failed;
      const paused = this.queue?.paused ? "The queue is paused: nothing new is started. " : "";
      if (failed) return `${paused}${plural(failed, "failure")} in the last 24 hours.`;
      if (running || pending) return `${paused}${plural(running + pending, "tree")} under way, nothing failed.`;
      return paused || "All quiet.";
    },
    get tiles() {
      const day = this.stats?.last_24h ?? {};
      const { queue } = this;
      const documents = this.documents?.all.documents;
      return [
        tile("Waiting", number(queue?.ready), queue?.delayed ? `${number(queue.delayed)} delayed` : "", "/queue?parent=any&status=pending"),
        tile("Running", number(queue?.in_flight), "", "/queue?parent=any&status=running", "is-running"),
        tile("Completed", number(day.completed), "24 h", `/queue?parent=any&status=completed&${sinceYesterday()}`),
        tile("Failed", number(day.failed), "24 h", `/queue?parent=any&status=failed&${sinceYesterday()}`, day.failed ? "is-failed" : ""),
        tile("Dead letters", number(queue?.dead), "", "/queue/dead"),
        tile("Documents", number(documents), "", "/documents"),
      ];
    },
    get nothing() {
      return this.count === 0;
    },
    get something() {
      return this.count !== 0;
    },
    async retry(jobs) {
      const ids = jobs.map((job) => job.id);
      if (await performAll("retry", { ids, count: ids.length })) this.soon();
    },
    get calm() {
      return this.failed === 0;
    },
    get ranges() {
      return RANGES.map(([label, value]) => ({
        label,
        href: withQuery({ last: value === 3600 ? "" : value, from: "", to: "" }),
        current: !this.from && value === this.seconds ? "true" : null,
      }));
    },
    get rangeText() {
      if (!this.from) return "Over time";
      const time = (at) => new Date(at * 1000).toTimeString().slice(0, 5);
      return `From ${time(this.from)} to ${time(this.to ?? now() / 1000)}`;
    },
    async create() {
      const made = await createJob();
      if (made) go(`/jobs/${made.id}`);
    },
    async start() {
      const made = await createJob({ type: "crawler", payload: { seeds: [this.address] } });
      if (made) go(`/jobs/${made.id}`);
    },
  };
}

const tile = (label, value, note, href, kind = "") => ({ label, value, note, href, kind });

function brief(job) {
  const words = progressOf(job)?.words ?? "";
  return h(
    "li",
    {},
    h("a.brief-name", { href: `/jobs/${job.id}` }, bdi(job.name || job.type, 200)),
    h("span.brief-words", {}, words),
    statusMark(job),
    since(job.created_at, ".brief-time"),
  );
}

/** What is the same of failures that say the same, numbers apart. */
const alike = (job) => `${job.type} ${(job.error ?? "").replace(/https?:\S+|\d+/g, "…").slice(0, 120)}`;

/** Failures that say the same are together, the first six kinds of them. */
const grouped = (jobs) => [...Map.groupBy(jobs, alike).values()].slice(0, 6);

function failure(group, retry) {
  const [job] = group;
  const label = group.length === 1 ? "Retry" : `Retry all ${number(group.length)}`;
  const href = group.length === 1 ? `/jobs/${job.id}` : `/queue?parent=any&status=failed&type=${encodeURIComponent(job.type)}`;
  return h(
    "li",
    {},
    h("a.brief-name", { href }, bdi(job.error || "No reason was given", 200)),
    h("span.brief-words", {}, `${number(group.length)}×`),
    h("span.mono.quiet.wide-only", {}, clean(job.type, 40)),
    since(job.completed_at ?? job.created_at, ".brief-time"),
    h("button.button.is-small", { type: "button", "aria-label": `${label}: ${clean(job.error || job.type, 80)}`, on: { click: retry } }, label),
  );
}

function slots(worker) {
  const used = worker.running.length;
  const marks = Array.from({ length: Math.min(worker.slots, 40) }, (_, at) => h(at < used ? "i.is-used" : "i"));
  return h(
    "li",
    {},
    h("a", { href: "/queue/workers" }, `${clean(worker.host, 60)}, process ${worker.pid}`),
    h("span.slot-marks", { "aria-hidden": "true" }, marks),
    h("span.quiet", {}, `${used}/${worker.slots} busy`),
  );
}
