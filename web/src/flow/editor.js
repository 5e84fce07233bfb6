/** The editor of a definition: form and text side by side, each following the other.
 *
 * The text is what is stored. A change of the form is written into it by the server, which keeps its
 * comments; a change of the text is read by the server, which says what is wrong and where, and the
 * form waits for that. An answer that is older than the last change changes nothing.
 */
import { api, get, latest, post } from "../api.js";
import { confirm, note } from "../dialogs.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { DefinitionForm } from "./form.js";
import { StepGraph } from "./graph.js";
import { TextPane } from "./text_pane.js";

const WAIT = 250;
const MEDIA = { toml: "application/toml", json: "application/json" };
const PHASES = { pre_jobs: "pre", steps: "core", post_jobs: "post" };
const START = `id = "my-workflow"
name = "My workflow"

[[steps]]
name = "collect"
action = "crawler"

[steps.config]
seeds = ["https://docs.example.org/"]
max_pages = 100
`;

export class Editor {
  /** `stored` is the definition that is edited, or null for a new one; `saved(definition)` is told. */
  constructor(host, { stored, saved }) {
    this.stored = stored;
    this.saved = saved;
    this.format = stored?.format ?? "toml";
    this.faults = [];
    this.unwritten = false; // whether the form says more than the text
    this.ask = latest();
    this.pane = new TextPane({ label: "The definition as text", changed: () => this.later("read") });
    this.state = h("span.editor-state", { role: "status" });
    this.button = h("button.button.is-primary", { type: "button", on: { click: () => this.save() } }, stored ? "Save" : "Create");
    this.formats = h("div.segmented", { role: "group", "aria-label": "Format" });
    this.drawing = h("div.graph-frame.is-small");
    this.formHost = h("div.editor-form.card.is-padded");
    host.replaceChildren(
      h("div.editor-bar", {}, this.state, this.formats, this.button),
      h("div.editor", {}, this.formHost, h("div.editor-text.card", {}, this.pane.element, this.drawing)),
    );
    this.graph = new StepGraph(this.drawing);
    this.offerFormats();
    this.pane.text = stored?.text ?? START;
    this.seen = this.pane.text;
    this.open();
  }

  destroy() {
    clearTimeout(this.timer);
    this.ask.stop();
    this.graph.destroy();
  }

  async open() {
    const known = await get("/api/job-types").catch(() => []);
    const types = known.filter((each) => !each.part_of);
    this.form = new DefinitionForm({ types, changed: (value) => this.formed(value), fixed: Boolean(this.stored) });
    this.formHost.replaceChildren(this.form.element);
    await this.read();
  }

  get dirty() {
    return this.pane.text !== this.seen || this.unwritten;
  }

  later(what) {
    clearTimeout(this.timer);
    this.pending = what;
    if (what === "read") this.behind(true);
    this.state.textContent = "…";
    this.timer = setTimeout(() => this.settled(), WAIT);
  }

  /** A form that is not what the text says must not be written into it. */
  behind(yes) {
    this.formHost.inert = yes;
    this.formHost.classList.toggle("is-behind", yes);
  }

  formed(value) {
    this.value = value;
    this.unwritten = true;
    this.later("write");
  }

  /** Understand the text, and bring the form up to it. */
  async read() {
    this.pending = null;
    if (!this.form) return;
    const options = { method: "POST", text: this.pane.text, headers: { "Content-Type": MEDIA[this.format] } };
    const verdict = await this.told((signal) => api("/api/definitions/validate", { ...options, signal }));
    if (!verdict || this.pending) return;
    this.unwritten = false;
    this.behind(!verdict.value);
    if (verdict.value) this.form.set(verdict.value);
    this.judge(verdict);
  }

  /** Write what the form says into the text. */
  async write() {
    this.pending = null;
    const body = { value: this.value, format: this.format, text: this.pane.text };
    const verdict = await this.told((signal) => post("/api/definitions/write", body, { signal }));
    if (!verdict || this.pending) return;
    this.pane.text = verdict.text;
    this.unwritten = false;
    this.judge(verdict);
  }

  async told(request) {
    this.failed = false;
    try {
      return await this.ask(request);
    } catch (error) {
      this.failed = true;
      this.state.textContent = error.message;
      return undefined;
    }
  }

  judge({ faults, value }) {
    this.faults = faults;
    this.pane.show(faults);
    this.form.showFaults(faults);
    const good = !faults.length;
    this.state.textContent = good ? "It can be run." : `${plural(faults.length, "thing is", "things are")} wrong.`;
    this.state.className = good ? "editor-state is-good" : "editor-state is-wrong";
    if (value) this.graph.draw(stepsOf(value));
  }

  offerFormats() {
    const fixed = this.stored?.origin === "file";
    const link = (format) =>
      h("button", { type: "button", "aria-pressed": String(format === this.format), disabled: fixed && format !== this.format, on: { click: () => this.turnInto(format) } }, format.toUpperCase());
    this.formats.replaceChildren(link("toml"), link("json"));
  }

  /** Do now what the last change asks for; ends when that has been done. */
  settled() {
    clearTimeout(this.timer);
    const what = this.pending ?? (this.failed && this.unwritten ? "write" : null);
    if (what) this.underWay = this[what]();
    return this.underWay;
  }

  async turnInto(format) {
    if (format === this.format || !this.form) return;
    await this.settled();
    if (this.unwritten) return;
    const body = { value: this.form.value, format, text: "" };
    const verdict = await this.told((signal) => post("/api/definitions/write", body, { signal }));
    if (!verdict) return;
    this.format = format;
    this.pane.text = verdict.text;
    this.judge(verdict);
    this.offerFormats();
  }

  async save() {
    if (this.button.classList.contains("is-loading")) return;
    this.button.classList.add("is-loading");
    await this.settled();
    if (this.unwritten) {
      this.button.classList.remove("is-loading");
      note(`Nothing was saved: ${this.state.textContent}`, { error: true });
      return;
    }
    const headers = { "Content-Type": MEDIA[this.format] };
    const { stored } = this;
    const text = this.pane.text;
    if (stored) headers["If-Match"] = `"${stored.rev}"`;
    try {
      const path = stored ? `/api/definitions/${stored.id}` : "/api/definitions";
      const found = await api(path, { method: stored ? "PUT" : "POST", text, headers });
      this.seen = text;
      note(`Saved: ${found.name}`);
      this.saved(found);
    } catch (error) {
      const faults = error.errors.filter((each) => each.detail);
      if (faults.length) this.judge({ faults });
      if (error.status === 412) this.overtaken();
      else note(error.message.slice(0, 300), { error: true });
    } finally {
      this.button.classList.remove("is-loading");
    }
  }

  /** Another text was stored since this one was opened: show it, and ask which shall stand. */
  async overtaken() {
    try {
      const found = await get(`/api/definitions/${this.stored.id}`);
      const sentence = "Another text was stored since you opened this one. Here it is; what you wrote stays in the editor until you save it.";
      const detail = h("pre.dialog-source", { tabindex: "0", "aria-label": "What is stored now" }, found.text);
      if (!(await confirm("It was changed meanwhile", sentence, { button: "Save over it", danger: true, detail, wide: true }))) return;
      this.stored = found;
      await this.save();
    } catch (error) {
      note(error.message, { error: true });
    }
  }

  /** Runs were let begin, or not, beside this text: it says so as well, where it can be understood. */
  async switched(found) {
    const { dirty } = this;
    await this.settled();
    if (this.formHost.inert || this.unwritten || !this.form) return; // it is asked when it is saved
    this.stored = found;
    this.seen = found.text;
    if (dirty) {
      const value = { ...this.form.value, enabled: found.enabled };
      this.form.set(value);
      this.formed(value);
    } else {
      this.pane.text = found.text;
      await this.read();
    }
  }
}

/** The steps of a definition's value, to be drawn; whatever is no step yet is left out. */
export function stepsOf(value) {
  return Object.entries(PHASES).flatMap(([group, phase]) =>
    (Array.isArray(value[group]) ? value[group] : [])
      .filter((step) => step?.name)
      .map(({ name, action, depends_on: needs }) => ({ name: String(name), phase, action: String(action ?? ""), needs: Array.isArray(needs) ? needs : [] })),
  );
}
