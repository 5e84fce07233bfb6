/** The log of one job beside the list; which one, and its filter, are in the address. */
import { LogView } from "../log_view.js";
import { change, go, here, withQuery } from "../router.js";

const TAKES_TAB = "a[href], button:enabled, input:enabled, [tabindex='0']";

/** `table()` is the table of the page. */
export function logDrawer(table) {
  let log = null;

  return {
    logId: null,
    logName: "",

    showLog(id) {
      if (id === this.logId) return;
      log?.destroy();
      log = null;
      this.logId = id;
      if (!id) return;
      const words = here().query;
      this.logName = table()?.rows.get(id)?.job.name ?? "";
      this.$nextTick(() => {
        log = new LogView(this.refs.log, {
          jobId: id,
          state: { level: words.get("level") ?? "debug", text: words.get("find") ?? "" },
          changed: ({ level, text }) => change({ level: level === "debug" ? "" : level, find: text }, { replace: true }),
        });
        this.refs.drawer.focus();
      });
    },
    /** The focus goes round in the drawer until it is closed. */
    drawerKey(event) {
      if (event.key !== "Tab") return;
      const all = [...this.refs.drawer.querySelectorAll(TAKES_TAB)].filter((each) => each.checkVisibility());
      const [goal, edge] = event.shiftKey ? [all.at(-1), all[0]] : [all[0], all.at(-1)];
      const here = document.activeElement;
      if (here !== edge && !(event.shiftKey && here === this.refs.drawer)) return;
      event.preventDefault();
      goal.focus();
    },
    closeLog() {
      const id = this.logId;
      go(withQuery({ logs: "", level: "", find: "" }));
      table().rows.get(id)?.element.focus();
    },
    get logHref() {
      return `/jobs/${this.logId}?tab=logs`;
    },
    get logTitle() {
      return `job ${this.logId}`;
    },

    stop() {
      log?.destroy();
    },
  };
}
