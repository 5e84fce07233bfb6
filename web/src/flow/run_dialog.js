/** The dialog that begins a run: a form of the definition's parameters. */
import { note, show } from "../dialogs.js";
import { h } from "../dom.js";
import { schemaForm } from "../schema_form.js";

const TYPES = { list: { type: "array", items: { type: "string" } } };

/** Ask for parameters and begin; what `begin(parameters)` gives, or undefined where nothing was done.
 *
 * Where there are none to ask for, and nothing is to be edited, it begins at once.
 */
export async function askParameters(title, parameters, begin, { given = {}, always = false } = {}) {
  const names = Object.keys(parameters ?? {});
  if (!names.length && !always) {
    try {
      return await begin({});
    } catch (error) {
      note(error.message, { error: true });
      return undefined;
    }
  }
  let answer;
  await show(title, (close) => {
    const form = schemaForm(schemaOf(parameters ?? {}), { initial: given });
    const alert = h("p.form-alert", { role: "alert" });
    const button = h("button.button.is-primary", { type: "submit" }, "Run");
    form.fields[0]?.element.querySelector("input, textarea, select")?.setAttribute("data-first", "");
    const submit = async (event) => {
      event.preventDefault();
      alert.textContent = "";
      button.classList.add("is-loading");
      try {
        answer = await begin(form.value());
        close(true);
      } catch (error) {
        const errors = (error.errors ?? []).map((each) => ({ ...each, pointer: each.pointer.replace(/^(\/payload)?\/parameters/, "") }));
        const rest = form.showErrors(errors);
        alert.textContent = errors.length && !rest.length ? "" : error.message;
      } finally {
        button.classList.remove("is-loading");
      }
    };
    return h(
      "form.create-form",
      { novalidate: true, on: { submit } },
      names.length ? form.element : h("p.dialog-text", {}, "It has no parameters."),
      alert,
      h("footer.dialog-foot", {}, h("button.button", { type: "button", on: { click: () => close() } }, "Not now"), button),
    );
  });
  return answer;
}

/** The JSON Schema of the parameters of a definition. */
function schemaOf(parameters) {
  const entries = Object.entries(parameters).map(([name, { type = "string", default: start, description, choices }]) => {
    const part = { ...(TYPES[type] ?? { type }), description };
    if (start !== undefined) part.default = start;
    if (choices?.length) part.enum = choices;
    return [name, part];
  });
  const required = Object.keys(parameters).filter((name) => parameters[name].required);
  return { properties: Object.fromEntries(entries), required };
}
