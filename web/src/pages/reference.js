/** The HTTP interface as its own description says: every operation, its words, bodies, answers. */
import { curl, get } from "../api.js";
import { copy } from "../dialogs.js";
import { h, iconButton } from "../dom.js";
import { clean, plural } from "../format.js";
import { live } from "../live.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

export function reference() {
  let openapi = null;
  let end = () => {};

  return {
    text: "",
    count: 0,
    version: "",
    problem: "",

    init() {
      end = live.subscribe("system", { message: () => {}, reload: () => this.problem && this.load() });
      this.load();
    },
    destroy() {
      end();
    },

    async load() {
      try {
        openapi = await get("/openapi.json");
        this.version = openapi.info?.version ?? "";
        this.problem = "";
        this.draw();
      } catch (error) {
        this.problem = error.message;
      }
    },

    draw() {
      const areas = grouped(openapi);
      this.count = [...areas.values()].flat().length;
      const extra = extras(openapi);
      this.refs.operations.replaceChildren(
        ...[...areas].map(([name, operations]) => area(name, operations.map((each) => operation(each, openapi)))),
        ...extra,
      );
      const names = [...areas.keys(), ...extra.map((each) => each.dataset.area)];
      this.refs.areas.replaceChildren(...names.map((name) => h("a", { href: `#area-${name}` }, words(name))));
      document.getElementById(location.hash.slice(1))?.scrollIntoView();
    },

    filter() {
      const wanted = this.text.toLowerCase();
      for (const each of this.refs.operations.querySelectorAll(".operation")) {
        each.hidden = !each.dataset.words.includes(wanted);
      }
    },

    get sentence() {
      if (!this.count) return " ";
      return `Version ${clean(this.version, 40)}, ${plural(this.count, "operation")}.`;
    },
  };
}

const words = (name) => {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

const firstSentence = (text) => (text ?? "").split(/\.\s|\n/)[0].replace(/\.$/, "");

function grouped({ paths }) {
  const areas = new Map();
  for (const [path, item] of Object.entries(paths)) {
    for (const method of METHODS.filter((each) => item[each])) {
      const described = item[method];
      const name = described.tags?.[0] ?? "other";
      areas.set(name, [...(areas.get(name) ?? []), { path, method, ...described }]);
    }
  }
  return areas;
}

function area(name, children) {
  return h("section.card.area", { id: `area-${name}`, "data-area": name }, h("div.card-title", {}, h("h2", {}, words(name))), children);
}

function operation(each, openapi) {
  const body = each.requestBody?.content ?? {};
  const [kind, content] = Object.entries(body)[0] ?? [];
  const example = content ? exampleOf(content, openapi) : null;
  const command = curl(each.path.replace(/{(\w+)}/g, "1"), each.method.toUpperCase(), example);
  const parts = [
    each.description && h("p.operation-text", {}, clean(each.description, 2000)),
    each.parameters?.length > 0 && parameters(each.parameters, openapi),
    content && block(`Body, ${clean(kind, 60)}`, shape(content.schema, openapi)),
    h("h4", {}, "Answers"),
    h("table.plain", {}, h("tbody", {}, Object.entries(each.responses ?? {}).map((answer) => response(answer, openapi)))),
    h("div.command", {}, h("h4", {}, "From a terminal"), h("div.row", {}, h("pre.raw", { tabindex: 0 }, command), iconButton("copy", "Copy the command", () => copy(command)))),
  ];
  return h(
    "details.operation",
    { "data-words": `${each.path} ${each.summary} ${each.description}`.toLowerCase() },
    h("summary", {}, h(`span.method.is-${each.method}`, {}, each.method.toUpperCase()), h("code", {}, each.path), h("span.quiet", {}, clean(firstSentence(each.description) || each.summary, 120))),
    h("div.operation-body", {}, parts),
  );
}

function parameters(list, openapi) {
  const rows = list.map((each) => {
    const found = resolve(each, openapi);
    return h(
      "tr",
      {},
      h("td.mono", {}, found.name, found.required ? h("span.needed", {}, " required") : ""),
      h("td.quiet", {}, found.in),
      h("td", {}, h("span.mono", {}, typeName(found.schema ?? {}, openapi)), " ", clean(found.description ?? "", 600)),
    );
  });
  return h("table.plain", {}, h("tbody", {}, rows));
}

function response([status, found], openapi) {
  const answer = resolve(found, openapi);
  const [kind, content] = Object.entries(answer.content ?? {})[0] ?? [];
  const about = content && !kind.includes("problem") ? h("details", {}, h("summary.quiet", {}, "Shape"), shape(content.schema, openapi)) : null;
  return h("tr", {}, h("td.mono", {}, status), h("td", {}, clean(answer.description ?? "", 300), about));
}

function block(title, content) {
  return h("div", {}, h("h4", {}, title), content);
}

function shape(schema, openapi) {
  const text = JSON.stringify(outlineOf(schema, openapi), null, 2) ?? "";
  return h("pre.raw", { tabindex: 0 }, text.replace(/"([^"\n]+)"(?=[,\n]|$)/g, "$1"));
}

/** A schema as an example of itself: names with the words for their types. */
function outlineOf(schema, openapi, depth = 0) {
  const found = resolve(schema ?? {}, openapi);
  if (depth > 5) return "…";
  if (found.properties) {
    return Object.fromEntries(Object.entries(found.properties).map(([name, part]) => [name, outlineOf(part, openapi, depth + 1)]));
  }
  if (found.type === "array") return [outlineOf(found.items, openapi, depth + 1)];
  const many = found.anyOf ?? found.oneOf ?? found.allOf;
  const real = many?.filter((each) => each.type !== "null");
  if (real?.length === 1 && resolve(real[0], openapi).properties) return outlineOf(real[0], openapi, depth + 1);
  return typeName(found, openapi);
}

function typeName(schema, openapi) {
  const found = resolve(schema, openapi);
  if (found.enum) return found.enum.join(" | ");
  if (found.const !== undefined) return String(found.const);
  const many = found.anyOf ?? found.oneOf;
  if (many) return many.map((each) => typeName(each, openapi)).join(" | ");
  if (found.type === "array") return `list of ${typeName(found.items ?? {}, openapi)}`;
  const kind = [found.type].flat().filter(Boolean).join(" | ") || "any";
  return found.format ? `${kind} (${found.format})` : kind;
}

function resolve(part, openapi) {
  if (!part?.$ref) return part ?? {};
  return part.$ref.split("/").slice(1).reduce((at, word) => at?.[word], openapi) ?? {};
}

function exampleOf(content, openapi) {
  const schema = resolve(content.schema, openapi);
  return content.example ?? Object.values(content.examples ?? {})[0]?.value ?? schema.examples?.[0] ?? {};
}

/** What the description adds in its own words: socket messages and problem types. */
function extras(openapi) {
  return Object.entries(openapi)
    .filter(([name, value]) => name.startsWith("x-") && value && typeof value === "object")
    .map(([name, value]) => {
      const list = Array.isArray(value) ? value.map((each) => [each.slug ?? each.name ?? each.type ?? each.title, each]) : Object.entries(value);
      const parts = list.map(([key, each]) =>
        h("div.operation", { id: key, "data-words": JSON.stringify([key, each]).toLowerCase() }, h("div.operation-body", {}, h("h4.mono", {}, String(key)), typeof each === "string" ? h("p", {}, clean(each, 2000)) : h("pre.raw", { tabindex: 0 }, JSON.stringify(each, null, 2)))),
      );
      return area(name.slice(2).replaceAll("-", "_"), parts);
    });
}
