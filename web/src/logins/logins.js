/** Logins: what state they are in, and storing, testing, clearing and deleting them. */
import { since } from "../ages.js";
import { api, get, latest, post } from "../api.js";
import { confirm, menu, note } from "../dialogs.js";
import { bdi, h, icon, iconButton, renew } from "../dom.js";
import { clean, moment, plural } from "../format.js";
import { live } from "../live.js";
import { showCode } from "./pairing.js";
import { askLogin } from "./store.js";

const STATES = {
  good: { label: "good", icon: "check", tone: "completed" },
  untested: { label: "not tested", icon: "dot", tone: "pending" },
  unknown: { label: "not known", icon: "dot", tone: "pending" },
  expiring: { label: "expires soon", icon: "warn", tone: "pending" },
  expired: { label: "expired", icon: "cross", tone: "failed" },
  refused: { label: "refused", icon: "cross", tone: "failed" },
};
const VERDICTS = new Map([
  [true, "accepted"],
  [false, "refused"],
  [null, "not known"],
]);
const AT_ONCE = { "If-Match": "*" };

/** As the server says, but what was never seen to be accepted is not called good. */
function stateOf({ state, tested_at: tested, test_ok: accepted }) {
  if (state !== "good" || accepted) return state;
  return tested ? "unknown" : "untested";
}

export function logins() {
  const ask = latest();
  let end = () => {};

  return {
    all: [],
    extensions: [],
    loaded: false,
    problem: "",

    init() {
      end = live.subscribe("system", { message: () => {}, reload: () => this.load() });
      this.load();
    },
    destroy() {
      end();
      ask.stop();
    },

    async load() {
      try {
        const found = await ask((signal) => Promise.all([everyLogin(signal), get("/api/auth/extensions", {}, { signal })]));
        if (!found) return;
        [this.all, this.extensions] = [found[0], found[1].items];
        this.problem = "";
        this.loaded = true;
        renew(this.refs.logins, this.all, (each) => each.id, (each) => this.row(each));
        renew(this.refs.extensions, this.extensions, (each) => each.id, (each) => this.extension(each));
      } catch (error) {
        this.problem = this.loaded ? "" : error.message;
        if (this.loaded && error.status) note(error.message, { error: true });
      }
    },

    get some() {
      return this.all.length > 0;
    },
    get empty() {
      return this.loaded && !this.all.length;
    },
    get anyPaired() {
      return this.extensions.length > 0;
    },
    get sentence() {
      if (!this.loaded) return " ";
      const wanting = this.all.filter((each) => each.state !== "good").length;
      if (!this.all.length) return "Cookies and tokens of sites that only you can read.";
      return wanting ? `${plural(wanting, "login")} to look after.` : `${plural(this.all.length, "login")}, none to look after.`;
    },

    row(login) {
      const { label, icon: symbol, tone } = STATES[stateOf(login)];
      const secrets = [login.cookies && plural(login.cookies, "cookie"), login.tokens && plural(login.tokens, "token")].filter(Boolean);
      const tested = login.tested_at ? [`${VERDICTS.get(login.test_ok)} `, since(login.tested_at)] : "never";
      const more = iconButton("more", `More for ${clean(login.base_url, 100)}`, () => menu(more, this.actions(login)));
      const test = h("button.button.is-small", { type: "button" }, "Test");
      test.addEventListener("click", () => this.test(login, test));
      return h(
        "tr",
        {},
        h("td", {}, h("strong", {}, bdi(login.base_url, 200)), h("p.quiet.login-detail", {}, login.warning ? clean(`It ${login.warning}.`, 300) : clean(login.user_agent ?? "", 80))),
        h("td", {}, h(`span.status.is-${tone}`, {}, icon(symbol), label)),
        h("td", {}, h("span.mono", { "aria-hidden": "true" }, "•••• "), secrets.join(", ")),
        h("td", { "data-label": "Expires", title: login.expires_at ? moment(login.expires_at) : "" }, login.expires_at ? since(login.expires_at) : "not said"),
        h("td", { "data-label": "Last test:" }, tested, h("p.quiet.login-detail", {}, bdi(login.test_detail, 300))),
        h("td.login-actions", {}, test, more),
      );
    },

    actions(login) {
      const found = [{ label: "Replace", icon: "retry", act: () => this.replace(login) }];
      if (login.kind === "both") {
        found.push({ label: "Clear the tokens", icon: "ban", act: () => this.clear(login, { tokens: [] }) });
        found.push({ label: "Clear the cookies", icon: "ban", act: () => this.clear(login, { cookies: [] }) });
      }
      return [...found, { label: "Delete", icon: "trash", danger: true, act: () => this.remove(login) }];
    },

    async test(login, button) {
      button.classList.add("is-loading");
      try {
        const found = await post(`/api/auth/${login.id}/test`, {});
        note(`It is ${VERDICTS.get(found.ok)}: ${clean(found.detail, 300)}`, { error: !found.ok });
      } catch (error) {
        note(error.message, { error: true });
      }
      button.classList.remove("is-loading");
      await this.load();
    },

    async create() {
      if (await askLogin()) await this.load();
    },
    async replace(login) {
      if (await askLogin(login)) await this.load();
    },
    clear(login, patch) {
      return this.act(() => api(`/api/auth/${login.id}`, { method: "PATCH", body: patch, headers: AT_ONCE }));
    },
    async remove(login) {
      const sentence = `The login for ${clean(login.base_url, 200)} is deleted with its secrets. Crawls that use it end.`;
      if (!(await confirm("Delete this login?", sentence, { button: "Delete", danger: true }))) return;
      await this.act(() => api(`/api/auth/${login.id}`, { method: "DELETE" }));
    },

    extension(each) {
      const revoke = h("button.button.is-small.is-danger.is-quiet", { type: "button", "aria-label": `Revoke ${clean(each.origin, 100)}` }, "Revoke");
      revoke.addEventListener("click", () => this.revoke(each));
      return h("li", {}, h("span.brief-name.mono", {}, bdi(each.origin, 120)), h("span.brief-time", {}, each.used_at ? "used " : "paired ", since(each.used_at ?? each.paired_at)), revoke);
    },
    async pair() {
      await showCode();
      await this.load();
    },
    async revoke(each) {
      const sentence = `${clean(each.origin, 120)} can hand over no more logins until it is paired again.`;
      if (!(await confirm("Revoke this extension?", sentence, { button: "Revoke", danger: true }))) return;
      await this.act(() => api(`/api/auth/extensions/${each.id}`, { method: "DELETE" }));
    },

    async act(request) {
      try {
        await request();
      } catch (error) {
        note(error.message, { error: true });
      }
      await this.load();
    },
  };
}

async function everyLogin(signal) {
  const found = [];
  let cursor = null;
  do {
    const page = await get("/api/auth", { limit: 200, cursor }, { signal });
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}
