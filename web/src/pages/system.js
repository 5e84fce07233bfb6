/** The system: health, versions, every setting with where it came from, and the program's log. */
import { get } from "../api.js";
import { everySecond } from "../clock.js";
import { bdi, h, icon } from "../dom.js";
import { ago, bytes, clean, duration, moment, number } from "../format.js";
import { live } from "../live.js";
import { LogView } from "../log_view.js";
import { here, onRoute } from "../router.js";

const EVERY = 10;
const GOOD = new Set(["ok", "pass", "healthy", "ready", true]);

export function system() {
  const ends = [];
  let log = null;
  let seconds = 0;

  return {
    isLog: false,
    state: "",
    problem: "",
    configFile: "",

    init() {
      ends.push(
        onRoute((route) => route.page === "system" && this.routed(route)),
        live.subscribe("system", {
          message: (m) => m.health && this.showHealth(m.health),
          reload: () => this.load(),
        }),
        everySecond(() => {
          seconds += 1;
          if (seconds % EVERY === 0 && !this.isLog && live.state === "live") this.loadHealth();
          if (seconds % 2 === 0 && this.isLog && live.state !== "paused" && log?.following) log.load();
        }),
      );
      this.routed(here());
      this.load();
    },

    destroy() {
      ends.forEach((end) => end());
      log?.destroy();
    },

    routed({ path }) {
      this.isLog = path === "/system/log";
      if (this.isLog && !log) this.$nextTick(() => (log = new LogView(this.$refs.log, { path: "/api/logs" })));
    },

    load() {
      this.loadHealth();
      this.loadConfig();
      this.loadAbout();
    },

    async loadHealth() {
      try {
        this.showHealth(await get("/api/health"));
      } catch (error) {
        this.state = "";
        this.problem = error.message;
        if (error.body?.checks) this.$refs.health.replaceChildren(...checks(error.body).map(check));
      }
    },

    showHealth(health) {
      this.state = health.status;
      this.problem = "";
      this.$refs.health.replaceChildren(...checks(health).map(check));
    },

    async loadConfig() {
      const config = await get("/api/config").catch(() => null);
      if (!config) return;
      this.configFile = config.file ? clean(config.file, 300) : "no configuration file";
      const items = config.items ?? config.settings ?? config.values ?? [];
      const list = Array.isArray(items) ? items : Object.entries(items).map(([key, rest]) => ({ key, ...rest }));
      this.$refs.config.replaceChildren(...list.map(setting));
    },

    async loadAbout() {
      const [version, status] = await Promise.all([get("/api/version").catch(() => ({})), get("/api/status").catch(() => ({}))]);
      this.$refs.about.replaceChildren(...flat({ ...version, ...status }).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    },

    get sentence() {
      if (this.problem) return this.problem;
      if (!this.state) return " ";
      return GOOD.has(this.state) ? "Everything works." : `The state is: ${clean(this.state, 60)}.`;
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

/** Health as a list of `{name, status, …}`, whether it comes as a list or by name. */
function checks(health) {
  const found = health.checks ?? Object.fromEntries(Object.entries(health).filter(([, value]) => value && typeof value === "object"));
  const named = ([name, value]) => (Array.isArray(value) ? value.map((each) => ({ name, ...each })) : [{ ...value, name: value.name ?? name }]);
  return Array.isArray(found) ? found : Object.entries(found).flatMap(named);
}

function check({ name: kind, status, ok, detail, id, role, alive, ...rest }) {
  const name = role ? `${role} ${id}` : kind;
  const good = GOOD.has(status ?? ok ?? "ok");
  const mark = good ? "completed" : "failed";
  const facts = Object.entries(rest).filter(([, value]) => value != null && typeof value !== "object").map(([key, value]) => `${words(key)} ${name === "disk" ? bytes(value) : shown(key, value)}`);
  const word = status ?? (good ? "ok" : "not ok");
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, clean(words(name), 80)),
    h("td", {}, h(`span.status.is-${mark}`, {}, icon(good ? "check" : "warn"), clean(String(word), 40))),
    h("td.quiet", {}, bdi([detail, ...facts].filter(Boolean).join(", "), 400)),
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
