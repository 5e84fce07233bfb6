/** The configuration of a step as fields, by the schema of its job type.
 *
 * Any field may hold a template, `{{ … }}`, in place of a value of its own kind; what is neither text
 * nor template is read as JSON.
 */
import { h } from "../dom.js";
import { resolve, words } from "../schema_form.js";

const isTemplate = (text) => text.includes("{{");

/** Fields for what is set and what must be, and a choice of the others. `put(name, value)`; undefined takes it out. */
export function configFields(schema, config, { field, put, redraw }) {
  const known = schema?.properties ?? {};
  const required = schema?.required ?? [];
  const names = [...new Set([...required, ...Object.keys(config)])];
  const shown = names.map((name) => {
    const part = known[name] ? resolve(known[name], schema) : {};
    const control = controlOf(part, config[name], (value) => put(name, value));
    control.classList.add("config-control");
    const help = known[name] ? (part.description ?? "") : "the job type does not know this";
    const needed = required.includes(name);
    const remove = needed ? null : h("button.link.is-quiet", { type: "button", on: { click: () => redraw(() => put(name, undefined)) } }, "Remove");
    return field(name, needed ? `${words(name)} (required)` : words(name), control, help, remove);
  });
  const others = Object.keys(known).filter((name) => !names.includes(name));
  if (others.length) shown.push(adder(others, (name) => redraw(() => put(name, startOf(resolve(known[name], schema))))));
  return shown;
}

function adder(names, add) {
  const options = [h("option", { value: "" }, "Set another field…"), ...names.map((name) => h("option", { value: name }, words(name)))];
  const select = h("select", { "aria-label": "Set another field", on: { change: () => select.value && add(select.value) } }, options);
  return h("div.select.is-small", {}, select);
}

function startOf(part) {
  if (part.default != null) return part.default;
  return { boolean: false, integer: part.minimum ?? 0, number: part.minimum ?? 0, array: [], object: {} }[part.type] ?? "";
}

function controlOf(part, value, put) {
  const template = typeof value === "string" && isTemplate(value);
  if (part.enum && !template) return choice(part.enum, value, put);
  if (part.type === "boolean" && !template) return choice([true, false], value, put);
  if (part.type === "array" && ["string", "integer", "number"].includes(part.items?.type) && (value == null || isPlainList(value))) {
    return lines(value ?? [], part.items.type, put);
  }
  if (part.type === "string" || template) return line(value ?? "", put);
  if (typeof value === "object" && value !== null) return json(value, put);
  return line(value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value), (text) => put(parsed(text)));
}

const isPlainList = (value) => Array.isArray(value) && value.every((each) => typeof each !== "object");

function parsed(text) {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function choice(values, value, put) {
  const options = values.map((each) => h("option", { value: String(each), selected: each === value }, String(each)));
  const select = h("select", { on: { change: () => put(values[select.selectedIndex]) } }, options);
  return h("div.select", {}, select);
}

function line(value, put) {
  const input = h("input.input", { type: "text", value: String(value), spellcheck: "false", on: { input: () => put(input.value) } });
  return input;
}

function lines(value, type, put) {
  const area = h("textarea.textarea.mono", { rows: Math.min(6, Math.max(2, value.length)), spellcheck: "false", placeholder: "one a line", on: { input: () => put(read()) } });
  area.value = value.join("\n");
  const cast = (text) => (type === "string" || isTemplate(text) ? text : parsed(text));
  const read = () => area.value.split("\n").map((each) => each.trim()).filter(Boolean).map(cast);
  return area;
}

function json(value, put) {
  const area = h("textarea.textarea.mono", { rows: 4, spellcheck: "false", on: { input: () => put(parsed(area.value)) } });
  area.value = JSON.stringify(value, null, 2);
  return area;
}
