/** The system: health, versions, every setting with where it came from, and the program's log. */
import { get, latest } from "../api.js";
import { askCleanup } from "../cleanup.js";
import { everySecond } from "../clock.js";
import { bdi, h, icon, restate } from "../dom.js";
import { ago, bytes, clean, duration, moment, number, plural } from "../format.js";
import { live } from "../live.js";
import { LogView } from "../log_view.js";
import { here, onRoute } from "../router.js";

const EVERY = 10;
const QUIET = "The web server has logged nothing since it began. Workers log to where they were started, and of each job in its own log.";

export function system() {
  const asks = { health: latest(), config: latest(), about: latest() };
  const ends = [];
  let heardAt = 0;
  let log = null;
  let seconds = 0;

  return {
    isLog: false,
    state: "",
    problem: "",
    wrong: [],
    configFile: "",

    init() {
      ends.push(
        onRoute((route) => route.page === "system" && this.routed(route)),
        live.subscribe("system", {
          message: (m) => m.health && this.heard(m.health),
          reload: () => this.load(),
        }),
        everySecond(() => {
          seconds += 1;
          if (seconds % EVERY === 0 && !this.isLog && live.state === "live") {
            this.loadHealth();
            this.loadAbout();
          }
          if (seconds % 2 === 0 && this.isLog && live.state !== "paused" && log?.following && !log.loading) log.load(); // a slow answer is waited for
        }),
      );
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      Object.values(asks).forEach((ask) => ask.stop());
      log?.destroy();
    },

    routed({ path }) {
      this.isLog = path === "/system/log";
      if (this.isLog && !log) this.$nextTick(() => (log = new LogView(this.refs.log, { path: "/api/logs", nothing: QUIET })));
    },

    load() {
      this.loadHealth();
      this.loadConfig();
      this.loadAbout();
    },

    async loadHealth() {
      const asked = Date.now();
      try {
        const found = await asks.health((signal) => get("/api/health", {}, { signal }));
        if (found && heardAt < asked) this.showHealth(found);
      } catch (error) {
        this.state = "";
        this.problem = error.message;
      }
    },

    /** What is heard is newer than all that was asked for before. */
    heard(health) {
      heardAt = Date.now();
      this.showHealth(health);
    },

    showHealth(health) {
      this.state = health.status;
      this.wrong = health.problems.map((each) => clean(each, 300));
      this.problem = "";
      restate(this.refs.health, checks(health).map(check));
    },

    async loadConfig() {
      const config = await asks.config((signal) => get("/api/config", {}, { signal })).catch(() => null);
      if (!config) return;
      this.configFile = config.file ? clean(config.file, 300) : "no configuration file";
      const items = config.items ?? config.settings ?? config.values ?? [];
      const list = Array.isArray(items) ? items : Object.entries(items).map(([key, rest]) => ({ key, ...rest }));
      this.refs.config.replaceChildren(...list.map(setting));
    },

    async loadAbout() {
      const paths = ["/api/version", "/api/status"];
      const found = await asks.about((signal) => Promise.all(paths.map((path) => get(path, {}, { signal })))).catch(() => null);
      if (!found) return; // what was known stays
      const [version, status] = found;
      restate(this.refs.about, flat({ ...version, ...status }).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    },

    tidy() {
      askCleanup();
    },

    get sentence() {
      if (this.problem) return this.problem;
      if (!this.state) return " ";
      return this.wrong.length ? `${plural(this.wrong.length, "thing")} to look at.` : "Everything works.";
    },
    get stateOn() {
      return String(!this.isLog);
    },
    get logOn() {
      return String(this.isLog);
    },
    get panelLabel() {
      return this.isLog ? "tab-log" : "tab-state";
    },
  };
}

/** Health as rows of `[name, well, word, sentence]`. */
function checks({ processes, disk, feed, commit_seconds: commit }) {
  return [
    ...processes.map(processRow),
    ["disk", true, "", `${bytes(disk.free)} free of ${bytes(disk.total)}; the database has ${bytes(disk.database)}`],
    ["commits", true, "", commit == null ? "none was measured yet" : `${duration(commit)} each where they are slowest`],
    ["feed", true, "", feed.lag ? `${plural(feed.lag, "change")} yet to be told` : "all changes are told"],
  ];
}

function processRow({ role, id, pid, host, alive, started_at: began, rss_bytes: memory, commits, commit_seconds: each, loops }) {
  const bad = loops.filter((loop) => loop.late || loop.error);
  const facts = [
    `process ${pid} on ${host}, started ${ago(began)}`,
    memory && bytes(memory),
    `${plural(commits, "commit")}${each == null ? "" : `, ${duration(each)} each`}`,
    ...bad.map((loop) => `${loop.name} ${loop.error ?? "is late"}`),
    !bad.length && loops.length && `${plural(loops.length, "loop")} on time`,
  ];
  const well = alive && !bad.length;
  return [`${role} ${id}`, well, alive ? "" : "silent", facts.filter(Boolean).join("; ")];
}

function check([name, well, word, sentence]) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, clean(name, 80)),
    h("td", {}, h(`span.status.is-${well ? "completed" : "failed"}`, {}, icon(well ? "check" : "warn"), word || (well ? "ok" : "not ok"))),
    h("td.quiet", {}, bdi(sentence, 400)),
  );
}

function setting({ key, name, value, origin, source, where, secret, meaning, allowed }) {
  const from = [origin ?? source, where].filter(Boolean).join(" ");
  const text = value == null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return h(
    "tr",
    {},
    h("td", {}, h("span.mono", {}, clean(key ?? name, 120)), meaning && h("span.setting-meaning", { title: clean(allowed ?? "", 300) }, clean(meaning, 300))),
    h("td.mono.config-value", {}, secret ? h("span.quiet", {}, bdi(text, 100)) : bdi(text, 600)),
    h(from === "default" ? "td.quiet" : "td", {}, bdi(from, 300)),
  );
}

/** Facts of any depth as pairs of words. */
function flat(facts, before = "") {
  return Object.entries(facts).flatMap(([name, value]) => {
    const label = [before, words(name)].filter(Boolean).join(" ");
    if (value == null) return [];
    if (typeof value === "object" && !Array.isArray(value)) return flat(value, label);
    if (before === "storage" && typeof value === "number") return [[clean(label, 80), bytes(value)]];
    return [[clean(label.replace(/ (bytes|seconds)$/, ""), 80), clean(shown(name, value), 300)]];
  });
}

const words = (name) => String(name).replaceAll("_", " ").replace(/ bytes$/, "");

function shown(name, value) {
  if (typeof value === "number" && /(^|_)bytes$/.test(name)) return bytes(value);
  if (typeof value === "number" && /(^|_)seconds$/.test(name)) return duration(value);
  if (typeof value === "number" && !/port|pid|version/.test(name)) return number(value);
  if (/_at$/.test(name)) return `${moment(value)}, ${ago(value)}`;
  return Array.isArray(value) ? value.join(", ") : String(value);
}
