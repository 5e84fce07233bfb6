/** A form made from the JSON Schema of a payload.
 *
 * What is left as the schema's default is not sent, so that the server's defaults hold. Errors of
 * the server are put on the field that their pointer (RFC 6901) names, or the nearest above it.
 */
import { h } from "./dom.js";

/** Build the fields of an object schema; `{element, value(), showErrors(errors)}`. */
export function schemaForm(schema, { initial = {}, only = null, without = [] } = {}) {
  const names = Object.keys(schema.properties ?? {}).filter(
    (name) => (!only || only.includes(name)) && !without.includes(name),
  );
  const required = new Set(schema.required ?? []);
  const fields = names.map((name) => {
    const part = resolve(schema.properties[name], schema);
    return makeField(name, part, { required: required.has(name), given: initial[name] });
  });
  return {
    fields,
    element: h("div.fields", {}, fields.map((field) => field.element)),
    value() {
      const entries = fields.map((field) => [field.name, field.read()]);
      return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
    },
    /** Show what belongs to a field; the rest is given back. */
    showErrors(errors) {
      for (const field of fields) field.error("");
      return errors.filter((each) => {
        const name = pointerWords(each.pointer)[0];
        const field = fields.find((one) => one.name === name);
        const line = pointerWords(each.pointer)[1];
        const where = field?.many && line !== undefined ? `Line ${Number(line) + 1}: ` : "";
        field?.error(where + each.detail);
        return !field;
      });
    },
  };
}

/** The words of a pointer, without the `/payload` in front. */
function pointerWords(pointer = "") {
  const words = pointer.replace(/^#/, "").split("/").slice(1);
  const plain = words.map((word) => word.replaceAll("~1", "/").replaceAll("~0", "~"));
  return plain[0] === "payload" ? plain.slice(1) : plain;
}

/** Follow references, and take the one real alternative of an optional value. */
export function resolve(part, root) {
  if (part.$ref) {
    const target = part.$ref.split("/").slice(1).reduce((at, word) => at[word], root);
    return resolve({ ...target, ...without(part, "$ref") }, root);
  }
  if (part.allOf?.length === 1) return resolve({ ...part.allOf[0], ...without(part, "allOf") }, root);
  const real = (part.anyOf ?? part.oneOf)?.filter((each) => each.type !== "null");
  if (real?.length === 1) {
    return { ...resolve(real[0], root), ...without(part, "anyOf", "oneOf"), optional: true };
  }
  if (part.items) return { ...part, items: resolve(part.items, root) };
  return part;
}

function without(object, ...names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

export const words = (name) => {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

let numbering = 0;

function makeField(name, part, { required, given }) {
  const id = `field-${(numbering += 1)}`;
  const start = given ?? part.default;
  const input = control(part, { id, start, required });
  const error = h("p.help.is-danger", { id: `${id}-error`, role: "alert" });
  const label = h("label.label", { for: id }, words(name));
  if (required) label.append(h("span.needed", {}, " required"));
  const about = h("p.help", { id: `${id}-help` }, [part.description, limits(part)].filter(Boolean).join(" "));
  input.element.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  const element = h("div.field", { "data-field": name }, label, input.element, about, error);
  return {
    name,
    element,
    many: part.type === "array",
    error(text) {
      error.textContent = text;
      element.classList.toggle("has-error", Boolean(text));
      input.element.querySelector?.("input");
      input.element.setAttribute("aria-invalid", String(Boolean(text)));
    },
    read() {
      const value = input.read();
      const same = JSON.stringify(value) === JSON.stringify(part.default);
      return same && !required && given === undefined ? undefined : value;
    },
  };
}

function limits(part) {
  const [minimum, maximum] = [part.minimum, part.maximum].map((each) => (Number.isSafeInteger(each) || each % 1 ? each : null));
  if (part.type === "array") return "One a line.";
  if (minimum == null && maximum == null) return "";
  if (maximum == null) return `At least ${minimum}.`;
  if (minimum == null) return `At most ${maximum}.`;
  return `From ${minimum} to ${maximum}.`;
}

function control(part, context) {
  if (part.enum) return choice(part, context);
  if (part.type === "boolean" && part.optional) return choice({ ...part, enum: [true, false] }, context);
  if (part.type === "boolean") return tick(context);
  if (part.type === "integer" || part.type === "number") return figure(part, context);
  if (part.type === "array" && ["string", "integer", "number"].includes(part.items?.type)) {
    return lines(part, context);
  }
  if (part.type === "string" || part.const !== undefined) return line(part, context);
  if (isNumberOrName(part)) return numberOrName(context);
  return json(context);
}

/** One of some values; none of them, where nothing is chosen for whoever has not. */
function choice(part, { id, start, required }) {
  const values = part.enum.includes(part.default) || required ? part.enum : [undefined, ...part.enum];
  const options = values.map((each) => h("option", { value: each ?? "", selected: each === start }, String(each ?? "–")));
  const select = h("select", { id }, options);
  return { element: h("div.select", {}, select), read: () => values[select.selectedIndex] };
}

function tick({ id, start }) {
  const box = h("input", { type: "checkbox", id, checked: start === true });
  return { element: h("div.tick", {}, box), read: () => box.checked };
}

function figure(part, { id, start, required }) {
  const input = h("input.input", {
    id,
    type: "number",
    step: part.type === "integer" ? 1 : "any",
    inputmode: "decimal",
    value: start ?? null,
    required,
  });
  return {
    element: input,
    read: () => (input.value !== "" ? Number(input.value) : input.validity.badInput ? "" : undefined),
  };
}

function line(part, { id, start, required }) {
  const value = part.const ?? start ?? "";
  const input = h("input.input", { id, type: "text", value, required, readonly: part.const !== undefined });
  return { element: input, read: () => (input.value === "" && !required ? undefined : input.value) };
}

function lines(part, { id, start }) {
  const area = h("textarea.textarea.mono", { id, rows: 2, spellcheck: "false" });
  area.value = (start ?? []).join("\n");
  const cast = part.items.type === "string" ? String : Number;
  const read = () => {
    const found = area.value.split("\n").map((each) => each.trim()).filter(Boolean).map(cast);
    return part.optional && !found.length ? undefined : found;
  };
  return { element: area, read };
}

/** Whether a thing may be given by its number or by its name. */
function isNumberOrName(part) {
  const types = (part.anyOf ?? part.oneOf ?? []).map((each) => each.type).filter((type) => type !== "null");
  return types.length === 2 && types.includes("integer") && types.includes("string");
}

function numberOrName({ id, start, required }) {
  const input = h("input.input", { id, type: "text", value: start ?? "", required });
  const read = () => {
    const text = input.value.trim();
    if (text === "") return required ? text : undefined;
    return /^\d{1,15}$/.test(text) ? Number(text) : text;
  };
  return { element: input, read };
}

function json({ id, start }) {
  const area = h("textarea.textarea.mono", { id, rows: 3, spellcheck: "false" });
  area.value = start == null ? "" : JSON.stringify(start, null, 2);
  const read = () => {
    if (!area.value.trim()) return undefined;
    try {
      return JSON.parse(area.value);
    } catch {
      return area.value;
    }
  };
  return { element: area, read };
}
