/** What stands around every page: links, connection, theme, keyboard. */
import { keepAges } from "./ages.js";
import { show } from "./dialogs.js";
import { h } from "./dom.js";
import { press, stepRows, toSearch } from "./keys.js";
import { live } from "./live.js";
import { go, here, onRoute } from "./router.js";

const LINKS = [
  { href: "/", label: "Dashboard", pages: ["dashboard"], key: "d" },
  { href: "/queue", label: "Queue", pages: ["queue", "job"], key: "q" },
  { href: "/queue/dead", label: "Dead letters", pages: ["dead"], key: "x" },
  { href: "/queue/workers", label: "Workers", pages: ["workers"], key: "w" },
  { href: "/workflows", label: "Workflows", pages: ["workflows", "workflow"], key: "f" },
  { href: "/schedules", label: "Schedules", pages: ["schedules"], key: "h" },
  { href: "/documents", label: "Documents", pages: ["documents"], key: "o" },
  { href: "/sources", label: "Sources", pages: ["sources"], key: "c" },
  { href: "/system", label: "System", pages: ["system", "reference"], key: "s" },
].map((each) => ({ ...each, hint: `${each.label} (g ${each.key})` }));

const HELP = {
  Everywhere: [
    ["/", "search: the jobs, the log that is open, or the documents"],
    ["j  k", "next and previous row"],
    [".", "pause and resume the live view"],
    ["t", "light or dark"],
    ...LINKS.map(({ key, label }) => [`g  ${key}`, label.toLowerCase()]),
    ["Esc", "close, or leave the field"],
    ["?", "this help"],
  ],
  "Lists of jobs": [
    ["Enter", "open the row"],
    ["→  ←", "show and hide its children"],
    ["x", "select the row"],
    ["l", "its log"],
    ["r", "retry it"],
    ["c", "cancel it"],
    ["n", "new job, on the queue and the dashboard; a new workflow or source on their pages"],
    ["↑  ↓  Enter", "choose a suggestion in the search"],
  ],
  "A job": [
    ["1 … 5", "its tabs"],
    ["l", "its log"],
    ["r", "retry it"],
    ["c", "cancel it"],
  ],
  Documents: [
    ["Enter", "read it"],
    ["x", "select it"],
    ["o", "open its page at the source"],
    ["Esc", "back to the list"],
  ],
  Sources: [
    ["Enter  e", "edit it"],
    ["r", "collect it"],
    ["c", "cancel its run"],
    ["v", "check it"],
  ],
};

export function shell() {
  return {
    links: LINKS,
    page: here().page,
    navOpen: false,
    state: live.state,
    retryIn: 0,
    waitsForPage: false,

    init() {
      keepAges();
      onRoute((route) => {
        this.page = route.page;
        this.navOpen = false;
      });
      live.watch(() => {
        this.state = live.state;
        this.retryIn = live.retryIn;
      });
    },

    get navClass() {
      return this.navOpen ? "nav is-open" : "nav";
    },
    toggleNav() {
      this.navOpen = !this.navOpen;
    },
    current(link) {
      return link.pages.includes(this.page) ? "page" : null;
    },

    get connection() {
      if (this.state === "live") return "Live";
      if (this.state === "paused") return "Paused";
      if (this.state === "connecting") return "Connecting";
      return this.retryIn ? `Reconnecting (${this.retryIn} s)` : "Reconnecting";
    },
    get connectionClass() {
      return `is-${this.state}`;
    },
    get connectionHint() {
      return this.state === "paused" ? "Resume the live view (.)" : "Pause the live view (.)";
    },
    get offline() {
      return this.state === "reconnecting";
    },
    get offlineText() {
      return "No live connection. Lists are loaded anew every 5 seconds; what you see may be that old.";
    },
    togglePause() {
      live.pause(!live.paused);
    },

    toggleTheme() {
      const root = document.documentElement;
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        root.dataset.themeKept = "no";
      }
    },

    help() {
      const row = ([keys, does]) => h("tr", {}, h("th", { scope: "row" }, keys.split("  ").map((key) => h("kbd", {}, key))), h("td", {}, does));
      const part = ([title, keys]) => h("section", {}, h("h3", {}, title), h("table.help-table", {}, h("tbody", {}, keys.map(row))));
      show("Keyboard", () => h("div.help", {}, Object.entries(HELP).map(part)), { wide: true });
    },

    key(event) {
      const { target } = event;
      const typing = target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
      if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (target.closest?.("[role=menu]")) return;
      if (typing) {
        if (event.key === "Escape") target.blur();
        return;
      }
      if (this.shellKey(event) || press(event) || this.rowKey(event)) event.preventDefault();
    },
    rowKey({ key }) {
      return (key === "j" || key === "k") && stepRows(key === "j" ? 1 : -1);
    },

    searchDocuments() {
      go("/documents");
      document.querySelector("[data-search]")?.focus();
    },

    shellKey({ key }) {
      if (this.waitsForPage) {
        this.waitsForPage = false;
        const link = LINKS.find((each) => each.key === key);
        if (link) go(link.href);
        return Boolean(link);
      }
      const does = {
        "?": () => this.help(),
        t: () => this.toggleTheme(),
        ".": () => this.togglePause(),
        g: () => (this.waitsForPage = true),
        "/": () => toSearch(() => this.searchDocuments()),
      };
      does[key]?.();
      return key in does;
    },
  };
}
