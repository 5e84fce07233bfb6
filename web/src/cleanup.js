/** The dialog that deletes what has had its time: first what would go, in rows and bytes. */
import { post } from "./api.js";
import { show } from "./dialogs.js";
import { h } from "./dom.js";
import { bytes, clean, number, plural } from "./format.js";
import { ended } from "./job/ended.js";
import { go } from "./router.js";

const STATUSES = { all: "However they ended", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };
const KINDS = [
  ["jobs", "Jobs"],
  ["log_entries", "Log entries"],
  ["dead_letters", "Dead letters"],
  ["versions", "Earlier texts of documents"],
  ["bodies", "Bodies of pages"],
  ["model_calls", "Records of model calls"],
];

/** Ask what is to go, show it, and begin to delete it where that is wanted; then show the job. */
export async function askCleanup() {
  let asking;
  const job = await show("Clean up", (close) => (asking = new Cleanup(close)).element);
  asking.destroy();
  if (job) go(`/jobs/${job.id}`);
}

class Cleanup {
  constructor(close) {
    this.close = close;
    this.waiting = null;
    this.age = h("input.input", { id: "cleanup-age", type: "number", min: 0, max: 36500, step: "any", value: 30, required: true, "data-first": true, on: { input: () => this.changed() } });
    this.status = h("select", { id: "cleanup-status", on: { change: () => this.changed() } }, Object.entries(STATUSES).map(([value, label]) => h("option", { value }, label)));
    this.found = h("div.cleanup-found", { role: "status" });
    this.alert = h("p.form-alert", { role: "alert" });
    this.look = h("button.button.is-primary", { type: "submit" }, "Preview");
    this.act = h("button.button.is-danger", { type: "button", disabled: true, on: { click: () => this.begin() } }, "Delete");
    this.element = h(
      "form.create-form",
      { on: { submit: (event) => (event.preventDefault(), this.preview()) } },
      h("p.dialog-text", {}, "Ended jobs go with their logs, and what is kept longer than the settings say. What runs or waits is never touched."),
      field("Ended more than so many days ago", this.age),
      field("Which jobs", h("div.select", {}, this.status)),
      this.found,
      this.alert,
      h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => close() } }, "Not now"), this.look, this.act),
    );
  }

  destroy() {
    this.changed();
  }

  get payload() {
    return { age_threshold_days: Number(this.age.value), status_filter: this.status.value };
  }

  /** What was shown is of another choice. */
  changed() {
    this.waiting?.stop();
    this.waiting = null;
    this.chosen = null;
    this.found.replaceChildren();
    this.act.disabled = true;
  }

  async preview() {
    this.changed();
    const chosen = this.payload;
    this.chosen = chosen;
    await this.busy(this.look, async () => {
      const begun = await post("/api/jobs", { type: "cleanup", payload: { ...chosen, dry_run: true } });
      if (this.chosen !== chosen) return; // what it looks at is no longer asked for
      this.found.replaceChildren(h("p.quiet", {}, `Job ${begun.id} looks at what would go …`));
      this.waiting = ended(begun.id);
      const job = await this.waiting.job;
      if (!job) return;
      if (job.status !== "completed") throw new Error(`Job ${job.id} ${job.status}: ${job.error ?? "see its log"}`);
      this.found.replaceChildren(...told(job.result));
      this.act.disabled = false;
    });
  }

  begin() {
    return this.busy(this.act, async () => this.close(await post("/api/jobs", { type: "cleanup", payload: this.chosen })));
  }

  async busy(button, work) {
    this.alert.textContent = "";
    button.classList.add("is-loading");
    try {
      await work();
    } catch (error) {
      this.found.replaceChildren();
      this.alert.textContent = clean(error.message, 400);
    } finally {
      button.classList.remove("is-loading");
    }
  }
}

function field(label, control) {
  const input = control.matches("input") ? control : control.firstElementChild;
  return h("div.field", {}, h("label.label", { for: input.id }, label), control);
}

/** What would go, as a table of rows and bytes. */
function told(found) {
  const row = ([name, label]) => h("tr", {}, h("th", { scope: "row" }, label), h("td.is-number", {}, number(found[name])), h("td.is-number", {}, bytes(found.bytes[name])));
  return [
    h("p", {}, `${plural(found.trees, "job tree")} would go, ${bytes(found.bytes.all)} in all.`),
    h("table.plain", {}, h("thead", {}, h("tr", {}, h("th", {}, "What"), h("th.is-number", {}, "Rows"), h("th.is-number", {}, "Size"))), h("tbody", {}, KINDS.map(row))),
  ];
}
