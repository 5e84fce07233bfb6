/** The dialog that stores a login: its address, and what a browser or a file has of it. */
import { post } from "../api.js";
import { note, show } from "../dialogs.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { shortened } from "./har.js";

/** Ask for a login and store it; the answer of the server, or undefined. `login` is replaced. */
export function askLogin(login = null) {
  const title = login ? "Replace the login" : "New login";
  return show(title, (close) => new Storing(login, close).element, { wide: true });
}

class Storing {
  constructor(login, close) {
    this.close = close;
    this.reading = Promise.resolve(null);
    this.url = h("input.input", { id: "login-url", type: "url", required: true, value: login?.base_url ?? "", readonly: Boolean(login), placeholder: "https://wiki.example.org/", autocomplete: "off", "data-first": !login });
    this.text = h("textarea.textarea.mono", { id: "login-text", rows: 6, spellcheck: "false", autocomplete: "off", autocapitalize: "off", placeholder: "Cookie: name=value; other=value", "data-first": Boolean(login) });
    this.file = h("input.input", { id: "login-file", type: "file", accept: ".txt,.har,application/json", on: { change: () => this.take() } });
    this.taken = h("p.help", { "aria-live": "polite" });
    this.agent = h("input.input", { id: "login-agent", autocomplete: "off", maxlength: 500, value: login?.user_agent ?? "" });
    this.alert = h("p.form-alert", { role: "alert" });
    this.button = h("button.button.is-primary", { type: "submit" }, "Store");
    this.element = h(
      "form.login-form",
      { novalidate: true, on: { submit: (event) => this.submit(event) } },
      field("Address of the site", this.url),
      field("Cookies or headers", this.text, h("p.help", {}, "A Cookie line, an Authorization line, or the text of a cookies.txt. It is sealed, and not shown again.")),
      field("Or a file", this.file, h("p.help", {}, "cookies.txt, or a HAR saved with sensitive data."), this.taken),
      h("details.more-options", {}, h("summary", {}, "User agent"), field("The name your browser tells the site", this.agent)),
      this.alert,
      h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => close() } }, "Not now"), this.button),
    );
  }

  /** Read the file that was chosen; who stores at once waits for it. */
  async take() {
    const [file] = this.file.files;
    const reading = file ? file.text().then(shortened) : Promise.resolve(null);
    this.reading = reading;
    const read = await reading.catch(() => null);
    if (reading !== this.reading) return;
    this.taken.textContent = read?.requests == null ? "" : `${plural(read.requests, "request")} in it`;
  }

  async submit(event) {
    event.preventDefault();
    this.alert.textContent = "";
    const read = await this.reading.catch(() => undefined);
    if (read === undefined) return this.explain("The file cannot be read; choose it again.", this.file);
    const text = this.text.value.trim() || read?.text;
    if (!text) return this.explain("Paste cookies, or choose a file.", this.text);
    const body = { base_url: this.url.value.trim(), text };
    if (this.agent.value.trim()) body.user_agent = this.agent.value.trim();
    this.button.classList.add("is-loading");
    try {
      const stored = await post("/api/auth/import", body);
      this.text.value = "";
      note(said(stored));
      this.close({ id: stored.login.id });
    } catch (error) {
      const pointer = error.errors[0]?.pointer;
      const at = { "/base_url": this.url, "/user_agent": this.agent }[pointer] ?? this.text;
      this.explain(error.message, at);
    } finally {
      this.button.classList.remove("is-loading");
    }
    return undefined;
  }

  explain(text, control) {
    this.alert.textContent = text;
    control.closest("details")?.setAttribute("open", "");
    control.focus();
  }
}

function said({ login, created, foreign }) {
  const others = foreign ? `; ${plural(foreign, "cookie")} for other sites left out` : "";
  return `Login for ${login.base_url} ${created ? "stored" : "replaced"}${others}`;
}

function field(label, control, ...more) {
  return h("div.field", {}, h("label.label", { for: control.id }, label), control, more);
}
