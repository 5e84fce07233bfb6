/** The log of one job beside the list; which one, and its filter, are in the address. */
import { LogView } from "../log_view.js";
import { change, go, here, withQuery } from "../router.js";

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
        log = new LogView(this.$refs.log, {
          jobId: id,
          state: { level: words.get("level") ?? "debug", text: words.get("find") ?? "" },
          changed: ({ level, text }) => change({ level: level === "debug" ? "" : level, find: text }, { replace: true }),
        });
        this.$refs.drawer.focus();
      });
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
