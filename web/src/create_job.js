/** The dialog that creates a job: a crawl in two fields, or any type by a form from its schema. */
import { get, post } from "./api.js";
import { note, show } from "./dialogs.js";
import { h } from "./dom.js";
import { clean } from "./format.js";
import { schemaForm } from "./schema_form.js";
import { single } from "./single.js";

const CRAWL = "crawler";
const SHORT = ["seeds", "max_pages"];

/** Ask what to create, and create it; the job, or undefined. `start` is {type, payload, name}. Who is
 * asked already is not asked again.
 */
export const createJob = single(async (start = {}) => {
  const asked = location.href;
  let types;
  try {
    types = await get("/api/job-types");
    if (location.href !== asked) return undefined; // who went elsewhere is not asked there
  } catch (error) {
    note(error.message, { error: true });
    return undefined;
  }
  types = (types.items ?? types).filter((each) => !each.part_of);
  return show("New job", (close) => new Creator(types, start, close).element, { wide: true });
});

class Creator {
  constructor(types, start, close) {
    this.types = types;
    this.start = start;
    this.close = close;
    // The same key however often the button is pressed: one job.
    this.key = crypto.randomUUID?.() ?? String(Math.random());
    const first = start.type ?? (types.some((each) => each.name === CRAWL) ? CRAWL : types[0]?.name);
    const options = types.map((each) =>
      h("option", { value: each.name, selected: each.name === first }, each.title ? `${each.title} (${each.name})` : each.name),
    );
    this.select = h("select", { id: "new-type", on: { change: () => this.choose() } }, options);
    this.about = h("p.help");
    this.form = h("div");
    this.alert = h("p.form-alert", { role: "alert" });
    this.button = h("button.button.is-primary", { type: "submit" }, "Create");
    this.name = h("input.input", { id: "new-name", value: start.name ?? "", maxlength: 300 });
    this.priority = h("input.input", { id: "new-priority", type: "number", value: 0, step: 1 });
    this.element = h(
      "form.create-form",
      { novalidate: true, on: { submit: (event) => this.submit(event) } },
      field("Type", "new-type", h("div.select", {}, this.select), this.about),
      this.form,
      h(
        "details.more-options",
        {},
        h("summary", {}, "Name and priority"),
        h("div.field-pair", {}, field("Name", "new-name", this.name), field("Priority", "new-priority", this.priority, h("p.help", {}, "Higher goes first."))),
      ),
      this.alert,
      h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => close() } }, "Not now"), this.button),
    );
    this.choose();
  }

  choose() {
    const type = this.types.find((each) => each.name === this.select.value);
    this.about.textContent = clean(firstParagraph(type?.description ?? ""), 300);
    const schema = type?.schema ?? {};
    const initial = this.start.type === type?.name ? (this.start.payload ?? {}) : {};
    this.alert.textContent = "";
    if (type?.name !== CRAWL) {
      this.parts = [schemaForm(schema, { initial })];
      this.form.replaceChildren(this.parts[0].element);
      return;
    }
    const short = schemaForm(schema, { initial, only: SHORT });
    const rest = schemaForm(schema, { initial, without: SHORT });
    this.parts = [short, rest];
    const [seeds] = short.fields;
    seeds?.element.querySelector("label")?.replaceChildren("Addresses to start from");
    seeds?.element.querySelector("textarea")?.setAttribute("placeholder", "https://docs.example.org/");
    seeds?.element.querySelector("textarea")?.setAttribute("data-first", "");
    this.rest = h("details.more-options", {}, h("summary", {}, "More: depth, patterns, scope, politeness"), rest.element);
    this.form.replaceChildren(short.element, this.rest);
  }

  async submit(event) {
    event.preventDefault();
    this.alert.textContent = "";
    this.button.classList.add("is-loading");
    const payload = Object.assign({}, ...this.parts.map((part) => part.value()));
    const body = { type: this.select.value, payload, priority: Number(this.priority.value) || 0 };
    if (this.name.value) body.name = this.name.value;
    try {
      const job = await post("/api/jobs", body, { headers: { "Idempotency-Key": this.key } });
      this.close({ id: job.id });
    } catch (error) {
      this.key = crypto.randomUUID?.() ?? String(Math.random());
      this.explain(error);
    } finally {
      this.button.classList.remove("is-loading");
    }
  }

  /** Put each error on its field; what belongs to none is said above the buttons. */
  explain(error) {
    let left = error.errors;
    for (const part of this.parts) left = part.showErrors(left);
    if (this.rest?.querySelector(".has-error")) this.rest.open = true;
    const rest = left.map((each) => `${each.pointer ?? ""} ${each.detail}`.trim());
    const found = this.element.querySelector(".has-error");
    this.alert.textContent = found && !rest.length ? "" : [error.message, ...rest].join(" ");
    found?.querySelector("input, textarea, select")?.focus();
  }
}

function field(label, id, ...controls) {
  return h("div.field", {}, h("label.label", { for: id }, label), controls);
}

/** What comes before an empty line, on one line. */
const firstParagraph = (text) => text.split(/\n\s*\n/)[0].replace(/\s+/g, " ");
