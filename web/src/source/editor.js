/** The editor of a source: a form made from the schema of its kind, and a box to try addresses. */
import { api, get, post } from "../api.js";
import { note, show } from "../dialogs.js";
import { h } from "../dom.js";
import { clean } from "../format.js";
import { schemaForm } from "../schema_form.js";
import { TestBox } from "./test_box.js";

const SHORT = ["include", "exclude"];
const LIMITS = ["max_pages", "max_files"];
const KINDS = { web: "Web site", jira: "Jira", confluence: "Confluence", folder: "Folder of files" };

/** Make a source, or edit one; resolves when the dialog is closed. */
export async function editSource(source) {
  try {
    const [kinds, logins, fresh] = await Promise.all([get("/api/sources/kinds"), get("/api/auth", { limit: 200 }), source ? read(source.id) : null]);
    const make = (close) => new Editor(kinds.items, logins.items, fresh, close).element;
    return await show(source ? `Edit ${source.name}` : "New source", make, { wide: true });
  } catch (error) {
    note(error.message, { error: true });
    return undefined;
  }
}

/** The source with the tag that says which version it is. */
async function read(id) {
  const answer = await fetch(`/api/sources/${id}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return { ...body, tag: answer.headers.get("ETag") };
}

class Editor {
  constructor(kinds, logins, source, close) {
    this.kinds = kinds;
    this.source = source;
    this.close = close;
    const kind = source?.kind ?? "web";
    this.kind = h(
      "select",
      { id: "source-kind", disabled: Boolean(source), on: { change: () => this.choose() } },
      kinds.map((each) => h("option", { value: each.kind, selected: each.kind === kind }, KINDS[each.kind] ?? each.kind)),
    );
    this.name = h("input.input", { id: "source-name", value: source?.name ?? "", maxlength: 60, required: true, autocomplete: "off", "data-first": !source, placeholder: "handbook" });
    this.address = h("input.input", { id: "source-address", value: source?.base_url ?? "", required: true, autocomplete: "off", spellcheck: "false", on: { input: () => this.test.later() } });
    const login = (each) => h("option", { value: each.id, selected: each.id === source?.credential }, clean(each.base_url, 120));
    this.login = h("select", { id: "source-login" }, h("option", { value: "" }, "None"), logins.map(login));
    this.tags = h("input.input", { id: "source-tags", value: (source?.tags ?? []).join(", "), autocomplete: "off" });
    this.fields = {
      name: field("Name", this.name, "Short, in lower case: source:name finds its documents."),
      base_url: field("Address", this.address, ""),
      credential: field("Login", h("div.select", {}, this.login), "Stored below, under Logins.", "source-login"),
      tags: field("Tags", this.tags, "Put on every document; divided by commas."),
    };
    this.form = h("div", { on: { input: () => this.test.later() } });
    this.others = h("div.source-others", { on: { input: () => this.test.later() } });
    this.test = new TestBox(() => this.draft(), (errors) => this.explain(errors, { quietly: true }));
    this.alert = h("p.form-alert", { role: "alert" });
    this.button = h("button.button.is-primary", { type: "submit" }, source ? "Save" : "Create");
    this.element = h(
      "form.create-form.source-form",
      { novalidate: true, on: { submit: (event) => this.submit(event) } },
      h("div.field-pair", {}, field("Kind", h("div.select", {}, this.kind), "", "source-kind").element, this.fields.name.element),
      this.fields.base_url.element,
      this.fields.credential.element,
      this.form,
      this.test.element,
      this.others,
      this.fields.tags.element,
      this.alert,
      h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => close() } }, "Not now"), this.button),
    );
    this.choose();
  }

  choose() {
    const kind = this.kinds.find((each) => each.kind === this.kind.value);
    const initial = this.source?.settings ?? {};
    const short = schemaForm(kind.schema, { initial, only: SHORT });
    const rest = schemaForm(kind.schema, { initial, without: [...SHORT, ...LIMITS] });
    const limit = schemaForm(kind.schema, { initial, only: LIMITS });
    this.parts = [short, limit, rest];
    this.rest = h("details.more-options", {}, h("summary", {}, kind.kind === "folder" ? "More: depth, refresh" : "More: scope, depth, politeness, robots, sitemaps"), rest.element);
    short.element.classList.add("field-pair");
    this.form.replaceChildren(short.element);
    this.others.replaceChildren(limit.element, this.rest);
    const folder = kind.kind === "folder";
    this.address.placeholder = folder ? "/home/me/notes" : "https://docs.example.org/";
    this.fields.base_url.say(folder ? "The folder's path on the machine where Quaero runs." : "Where the collecting begins.");
    this.fields.credential.element.hidden = folder;
    this.test.forKind(folder);
  }

  /** What the form says, as the server takes it. */
  draft() {
    const settings = Object.assign({}, ...this.parts.map((part) => part.value()));
    return { kind: this.kind.value, base_url: this.address.value.trim(), settings };
  }

  async submit(event) {
    event.preventDefault();
    this.alert.textContent = "";
    this.button.classList.add("is-loading");
    const tags = this.tags.value.split(",").map((each) => each.trim()).filter(Boolean);
    const credential = this.kind.value !== "folder" && this.login.value ? Number(this.login.value) : null;
    const body = { ...this.draft(), name: this.name.value.trim(), credential, tags };
    try {
      this.close({ id: (await this.save(body)).id });
    } catch (error) {
      this.explain(error.errors ?? [], { message: error.message });
    } finally {
      this.button.classList.remove("is-loading");
    }
  }

  save({ kind, ...body }) {
    if (!this.source) return post("/api/sources", { kind, ...body });
    const headers = { "If-Match": this.source.tag };
    return api(`/api/sources/${this.source.id}`, { method: "PATCH", body, headers });
  }

  /** Put each error on its field; what belongs to none is said above the buttons. */
  explain(errors, { message = "", quietly = false } = {}) {
    const settings = errors.filter((each) => each.pointer?.startsWith("/settings/"));
    let left = settings.map((each) => ({ ...each, pointer: each.pointer.slice("/settings".length) }));
    for (const part of this.parts) left = part.showErrors(left);
    if (this.rest.querySelector(".has-error")) this.rest.open = true;
    const others = errors.filter((each) => !settings.includes(each));
    for (const [name, one] of Object.entries(this.fields)) {
      const own = others.filter((each) => each.pointer?.split("/")[1] === name);
      if (!quietly || !own.length || one.input.value) one.error(own.map((each) => each.detail).join(" "));
    }
    if (quietly) return;
    const found = this.element.querySelector(".has-error");
    this.alert.textContent = found ? "" : clean(message, 600);
    found?.querySelector("input, textarea, select")?.focus();
  }
}

let numbering = 0;

function field(label, control, about, id = control.id) {
  numbering += 1;
  const help = h("p.help", { id: `about-${id}-${numbering}` }, about);
  const error = h("p.help.is-danger", { id: `error-${id}-${numbering}`, role: "alert" });
  const input = control.matches("input") ? control : control.querySelector("select");
  input.setAttribute("aria-describedby", `${help.id} ${error.id}`);
  const element = h("div.field", { "data-field": id }, h("label.label", { for: id }, label), control, help, error);
  return {
    element,
    input,
    say: (text) => (help.textContent = text),
    error(text) {
      error.textContent = text;
      element.classList.toggle("has-error", Boolean(text));
      input.setAttribute("aria-invalid", String(Boolean(text)));
    },
  };
}
