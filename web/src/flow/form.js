/** A definition as a form. It holds a value as JSON has it, and tells of each change of it.
 *
 * What is wrong is put on the field whose pointer the fault names, or the nearest above it.
 */
import { note } from "../dialogs.js";
import { h, icon, iconButton } from "../dom.js";
import { clean } from "../format.js";
import { configFields } from "./config_form.js";

const GROUPS = [
  ["pre_jobs", "Before", "One of these that fails ends the run."],
  ["steps", "Steps", ""],
  ["post_jobs", "After", "These run when the steps have ended."],
];
const CONTROLS = "input, select, textarea, button, summary";
const KINDS = ["string", "integer", "number", "boolean", "list", "object"];

const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const escaped = (part) => String(part).replaceAll("~", "~0").replaceAll("/", "~1");
const pointer = (path) => path.map((part) => `/${escaped(part)}`).join("");

export class DefinitionForm {
  /** `types` are the job types with their schemas; `fixed` tells that the id stays. */
  constructor({ types, changed, fixed }) {
    this.types = new Map(types.map((each) => [each.name, each]));
    this.changed = changed;
    this.fixed = fixed;
    this.value = {};
    this.open = new Set();
    this.numbering = 0;
    this.element = h("div.flow-form");
  }

  set(value) {
    this.value = structuredClone(object(value));
    this.render();
  }

  // -- changes

  put(path, value) {
    let at = this.value;
    for (const part of path.slice(0, -1)) {
      if (at[part] === null || typeof at[part] !== "object") at[part] = {};
      at = at[part];
    }
    const last = path.at(-1);
    if (value === undefined || value === "") delete at[last];
    else at[last] = value;
    this.changed(this.value);
  }

  /** A change after which other fields are there. */
  redraw(change) {
    change();
    this.render();
    this.changed(this.value);
  }

  // -- fields

  field(path, label, control, help = "", extra = null) {
    const id = `flow-${(this.numbering += 1)}`;
    const input = control.matches("input, textarea, select") ? control : control.querySelector("input, textarea, select");
    input.id = id;
    input.setAttribute("aria-describedby", `${id}-error`);
    return h(
      "div.field",
      { "data-pointer": pointer(path) },
      h("div.field-head", {}, h("label.label", { for: id }, label), extra),
      control,
      help && h("p.help", {}, clean(help, 300)),
      h("p.help.is-danger", { id: `${id}-error` }),
    );
  }

  text(path, label, value, { help = "", area = false, placeholder = "", mono = false } = {}) {
    const read = () => this.put(path, input.value);
    const kind = area ? "textarea.textarea" : "input.input";
    const input = h(mono ? `${kind}.mono` : kind, { type: area ? null : "text", rows: area ? 2 : null, placeholder, spellcheck: mono ? "false" : null, on: { input: read } });
    input.value = value == null ? "" : String(value);
    return this.field(path, label, input, help);
  }

  figure(path, label, value, { help = "", least = 0 } = {}) {
    const read = () => this.put(path, input.value === "" ? undefined : Number(input.value));
    const input = h("input.input", { type: "number", min: least, step: 1, value: value ?? null, on: { input: read } });
    return this.field(path, label, input, help);
  }

  choice(path, label, values, value, { start, help = "", redraw = false } = {}) {
    const now = value ?? start;
    const options = values.map((each) => h("option", { value: each, selected: each === now }, each));
    if (now !== undefined && !values.includes(now)) options.unshift(h("option", { value: now, selected: true }, clean(now, 60)));
    const put = () => this.put(path, select.value === start ? undefined : select.value);
    const select = h("select", { on: { change: () => (redraw ? this.redraw(put) : put()) } }, options);
    return this.field(path, label, h("div.select", {}, select), help);
  }

  tick(path, label, value, { start = false, help = "" } = {}) {
    const box = h("input", { type: "checkbox", checked: (value ?? start) === true, on: { change: () => this.put(path, box.checked === start ? undefined : box.checked) } });
    return this.field(path, label, h("div.tick", {}, box), help);
  }

  // -- the whole

  render() {
    this.numbering = 0;
    const held = this.held();
    const { value } = this;
    const id = this.text(["id"], "Id", value.id, { mono: true, help: "Small letters, digits, - and _." });
    if (this.fixed) id.querySelector("input").readOnly = true;
    const tags = h("input.input", { type: "text", value: list(value.tags).join(", "), on: { input: () => this.put(["tags"], split(tags.value)) } });
    this.element.replaceChildren(
      h("div.field-pair", {}, id, this.text(["name"], "Name", value.name)),
      this.text(["description"], "Description", value.description, { area: true }),
      h("div.field-pair", {}, this.field(["tags"], "Tags", tags, "With commas between."), this.text(["timeout"], "Time limit of a run", value.timeout, { placeholder: "none; 2h, 30m" })),
      h("div.field-pair", {}, this.tick(["enabled"], "Enabled", value.enabled, { start: true }), this.tick(["auto_start"], "Runs when Quaero starts", value.auto_start)),
      this.schedule(object(value.schedule)),
      this.parameters(object(value.parameters)),
      ...GROUPS.map(([group, title, about]) => this.group(group, title, about)),
      this.tolerance(object(value.error_tolerance)),
    );
    this.showFaults(this.faults ?? []);
    if (held) this.focusOn(held);
  }

  /** Where the focus is: the part of the value, and which control of it. */
  held() {
    const focused = document.activeElement;
    const part = this.element.contains(focused) && focused.closest("[data-pointer]");
    return part ? { place: part.dataset.pointer, at: [...part.querySelectorAll(CONTROLS)].indexOf(focused) } : null;
  }

  focusOn({ place, at }) {
    const part = this.element.querySelector(`[data-pointer="${CSS.escape(place)}"]`);
    const controls = part?.querySelectorAll(CONTROLS) ?? [];
    controls[Math.min(at, controls.length - 1)]?.focus({ preventScroll: true });
  }

  schedule(schedule) {
    const has = this.value.schedule != null;
    const toggle = h("button.button.is-small", { type: "button", on: { click: () => this.redraw(() => (has ? delete this.value.schedule : (this.value.schedule = { cron: "0 2 * * *", timezone: zone() }))) } }, has ? "Remove the schedule" : "Add a schedule");
    const fields = has && [
      h(
        "div.field-pair",
        {},
        this.text(["schedule", "cron"], "Due (cron)", schedule.cron, { mono: true, help: "Minute, hour, day of month, month, day of week." }),
        this.text(["schedule", "timezone"], "Time zone", schedule.timezone, { placeholder: "UTC" }),
      ),
      h(
        "div.field-pair",
        {},
        this.choice(["schedule", "overlap"], "While a run is under way", ["skip", "wait", "allow"], schedule.overlap, { start: "skip" }),
        this.choice(["schedule", "missed"], "Times that were missed", ["once", "all", "skip"], schedule.missed, { start: "once" }),
      ),
    ];
    return section("Schedule", ["schedule"], fields, toggle);
  }

  parameters(parameters) {
    const rows = Object.entries(parameters).map(([name, each]) => this.parameter(name, object(each)));
    const add = () => {
      let number = 1;
      while (parameters[`parameter_${number}`]) number += 1;
      this.value.parameters = { ...parameters, [`parameter_${number}`]: { type: "string" } };
    };
    const button = h("button.button.is-small", { type: "button", on: { click: () => this.redraw(add) } }, icon("plus"), "Add a parameter");
    return section("Parameters", ["parameters"], rows, button);
  }

  parameter(name, each) {
    const path = ["parameters", name];
    const rename = () => this.isTaken(name, input) || this.redraw(() => (this.value.parameters = Object.fromEntries(Object.entries(this.value.parameters).map(([key, one]) => [key === name ? input.value : key, one]))));
    const input = h("input.input.mono", { type: "text", value: name, on: { change: rename } });
    const remove = iconButton("trash", `Remove the parameter ${clean(name, 40)}`, () => this.redraw(() => delete this.value.parameters[name]));
    const start = h("input.input", { type: "text", value: each.default === undefined ? "" : plain(each.default), on: { input: () => this.put([...path, "default"], this.read(path, start.value)) } });
    return h(
      "div.flow-part",
      {},
      h("div.field-row", {}, this.field(path, "Name", input), this.choice([...path, "type"], "Kind", KINDS, each.type, { start: "string", redraw: true }), this.field([...path, "default"], "Default", start), this.tick([...path, "required"], "Required", each.required), remove),
      this.text([...path, "description"], "Description", each.description),
    );
  }

  /** Whether another parameter has this name already; then it stays what it was. */
  isTaken(name, input) {
    const taken = input.value !== name && Object.hasOwn(this.value.parameters, input.value);
    if (taken) {
      note(`There is a parameter ${clean(input.value, 60)} already.`, { error: true });
      input.value = name;
    }
    return taken;
  }

  /** A default as the kind of its parameter asks. */
  read(path, text) {
    const kind = path.reduce((at, part) => at[part], this.value).type ?? "string";
    if (text === "" || kind === "string") return text;
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  tolerance(tolerance) {
    return section("Tolerance", ["error_tolerance"], [
      h(
        "div.field-pair",
        {},
        this.figure(["error_tolerance", "max_child_failures"], "Jobs that may fail", tolerance.max_child_failures, { help: "0 is any number." }),
        this.choice(["error_tolerance", "failure_action"], "With one more", ["continue", "mark_warning", "stop_all"], tolerance.failure_action, { start: "continue" }),
      ),
    ]);
  }

  // -- steps

  group(group, title, about) {
    const steps = list(this.value[group]);
    const add = () => {
      const taken = new Set(GROUPS.flatMap(([each]) => list(this.value[each]).map((step) => step?.name)));
      let number = steps.length + 1;
      while (taken.has(`step_${number}`)) number += 1;
      const name = `step_${number}`;
      this.open.add(name);
      this.value[group] = [...steps, { name, action: this.types.has("crawler") ? "crawler" : [...this.types.keys()][0] }];
    };
    const button = h("button.button.is-small", { type: "button", on: { click: () => this.redraw(add) } }, icon("plus"), group === "steps" ? "Add a step" : `Add a step ${title.toLowerCase()}`);
    const rows = steps.map((step, at) => this.step(group, object(step), at, steps));
    return section(title, [group], [about && rows.length ? h("p.help", {}, about) : null, ...rows], button);
  }

  step(group, step, at, steps) {
    const path = [group, at];
    const name = String(step.name ?? "");
    const move = (by) => () =>
      this.redraw(() => {
        const [moved] = this.value[group].splice(at, 1);
        this.value[group].splice(at + by, 0, moved);
      });
    const input = h("input.input.mono", { type: "text", value: name, on: { change: () => this.redraw(() => this.rename(group, at, input.value)) } });
    const details = h(
      "details.flow-part.flow-step",
      { open: this.open.has(name), "data-pointer": pointer(path), on: { toggle: () => (details.open ? this.open.add(name) : this.open.delete(name)) } },
      h("summary", {}, h("strong.mono", {}, clean(name || "without a name", 60)), h("span.quiet", {}, clean(step.action ?? "", 60)), h("span.flow-fault", {}, icon("warn"), "wrong")),
      h(
        "div.flow-tools",
        {},
        at > 0 ? iconButton("up", `Move ${clean(name, 40)} up`, move(-1)) : null,
        at < steps.length - 1 ? iconButton("down", `Move ${clean(name, 40)} down`, move(1)) : null,
        iconButton("trash", `Remove the step ${clean(name, 40)}`, () => this.redraw(() => this.value[group].splice(at, 1))),
      ),
      h("div.field-pair", {}, this.field([...path, "name"], "Name", input), this.choice([...path, "action"], "Does", [...this.types.keys()], step.action, { redraw: true, help: this.types.get(step.action)?.description ?? "" })),
      this.needs(path, step, steps),
      h("fieldset.flow-config", { "data-pointer": pointer([...path, "config"]) }, h("legend", {}, "Configuration"), this.config(path, step), h("p.help.is-danger")),
      h("div.field-pair", {}, this.text([...path, "condition"], "Only if", step.condition, { mono: true, placeholder: "steps.first.result.saved > 0" }), this.each(path, step)),
      this.trouble(path, step),
    );
    return details;
  }

  rename(group, at, name) {
    const before = this.value[group][at].name;
    this.value[group][at].name = name;
    if (this.open.delete(before)) this.open.add(name);
    for (const step of this.value[group]) {
      if (Array.isArray(step.depends_on)) step.depends_on = step.depends_on.map((each) => (each === before ? name : each));
    }
  }

  needs(path, step, steps) {
    const chosen = list(step.depends_on);
    const known = steps.filter((each) => each !== step && each?.name && each.name !== step.name).map((each) => each.name);
    const names = [...new Set([...known, ...chosen])];
    if (!names.length) return null;
    const flip = (name) => () => this.redraw(() => {
      const next = chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name];
      this.put([...path, "depends_on"], next.length ? next : undefined);
    });
    const chips = names.map((name) => h("button.chip.mono", { type: "button", "aria-pressed": String(chosen.includes(name)), on: { click: flip(name) } }, clean(name, 40)));
    return h("div.field", { "data-pointer": pointer([...path, "depends_on"]) }, h("span.label", {}, "After"), h("div.chips", { role: "group", "aria-label": "After" }, chips), h("p.help.is-danger"));
  }

  config(path, step) {
    const config = object(step.config);
    const put = (name, value) => this.put([...path, "config", name], value);
    const field = (name, ...rest) => this.field([...path, "config", name], ...rest);
    return configFields(this.types.get(step.action)?.schema, config, { field, put, redraw: (change) => this.redraw(change) });
  }

  each(path, step) {
    const now = step.for_each;
    const shown = now === undefined ? "" : typeof now === "string" ? now : JSON.stringify(now);
    const read = () => {
      try {
        this.put([...path, "for_each"], input.value.trim().match(/^[[{]/) ? JSON.parse(input.value) : input.value);
      } catch {
        this.put([...path, "for_each"], input.value);
      }
    };
    const input = h("input.input.mono", { type: "text", value: shown, placeholder: "once; or a list, a query", on: { input: read } });
    return this.field([...path, "for_each"], "Once for each of", input);
  }

  trouble(path, step) {
    const more = [
      this.choice([...path, "on_error"], "If it fails", ["fail", "continue", "retry"], step.on_error, { start: "fail", redraw: true }),
      this.text([...path, "timeout"], "Time limit", step.timeout, { placeholder: "none; 10m" }),
    ];
    if (step.on_error === "retry") {
      more.push(this.figure([...path, "retries"], "Times again", step.retries, { least: 1 }), this.text([...path, "backoff"], "First after", step.backoff, { placeholder: "30s" }));
    }
    if (step.for_each !== undefined) {
      more.push(this.figure([...path, "max_parallel"], "At once, at most", step.max_parallel, { least: 1 }));
    }
    return h("div.field-pair", {}, more);
  }

  // -- what is wrong

  /** Put each fault on its field, or the nearest above it. */
  showFaults(faults) {
    this.faults = faults;
    for (const each of this.element.querySelectorAll(".has-error, .is-wrong")) each.classList.remove("has-error", "is-wrong");
    for (const each of this.element.querySelectorAll(".help.is-danger")) each.textContent = "";
    for (const each of this.element.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
    for (const fault of faults) this.mark(fault);
  }

  mark({ pointer: place, detail }) {
    for (let at = place; at; at = at.slice(0, at.lastIndexOf("/"))) {
      const found = this.element.querySelector(`[data-pointer="${CSS.escape(at)}"]`);
      if (!found) continue;
      found.closest("details")?.classList.add("is-wrong");
      if (found.matches("details")) return;
      found.classList.add("has-error");
      found.querySelector("input, textarea, select")?.setAttribute("aria-invalid", "true");
      const told = [...found.querySelectorAll(".help.is-danger")].at(-1);
      if (told) told.textContent = clean(detail, 400);
      return;
    }
  }
}

function section(title, path, rows, button = null) {
  return h("section.flow-section", { "data-pointer": pointer(path) }, h("div.field-head", {}, h("h3", {}, title), button), rows, h("p.help.is-danger"));
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const split = (text) => {
  const found = text.split(",").map((each) => each.trim()).filter(Boolean);
  return found.length ? found : undefined;
};

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
