/** A text with line numbers; lines that are wrong are marked, and told below. */
import { h } from "../dom.js";
import { clean } from "../format.js";

export class TextPane {
  constructor({ changed, label }) {
    this.gutter = h("div.code-gutter", { "aria-hidden": "true" });
    this.area = h("textarea.code-area", {
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      wrap: "off",
      "aria-label": label,
      "aria-describedby": "definition-faults",
      on: {
        input: () => {
          this.number();
          changed();
        },
        scroll: () => this.follow(),
      },
    });
    this.list = h("ol.faults", { id: "definition-faults", "aria-label": "What is wrong", role: "list" });
    this.element = h("div.code", {}, h("div.code-frame", {}, this.gutter, this.area), this.list);
    this.faults = [];
    this.number();
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    if (this.area.value === text) return;
    const { scrollTop } = this.area;
    this.area.value = text;
    this.area.scrollTop = scrollTop;
    this.number();
  }

  show(faults) {
    this.faults = faults;
    const items = faults.map((each) => {
      const where = [each.line && `line ${each.line}`, each.field].filter(Boolean).join(" · ");
      const jump = h("button.link.mono", { type: "button", on: { click: () => this.jump(each.line) } }, clean(where || "text", 120));
      return h("li", {}, jump, h("span", {}, clean(each.detail, 600)));
    });
    this.list.replaceChildren(...items);
    this.area.setAttribute("aria-invalid", String(faults.length > 0));
    this.number();
  }

  /** Put the line numbers beside the text. */
  number() {
    const count = this.area.value.split("\n").length;
    const wrong = new Map(this.faults.filter((each) => each.line).map((each) => [each.line, each.detail]));
    const key = `${count} ${[...wrong.keys()]}`;
    if (key === this.numbered) return;
    this.numbered = key;
    const lines = [];
    for (let line = 1; line <= count; line += 1) {
      lines.push(h(wrong.has(line) ? "span.is-wrong" : "span", { title: wrong.has(line) ? clean(wrong.get(line), 300) : null, "data-line": line }, String(line)));
    }
    this.gutter.replaceChildren(...lines);
    this.follow();
  }

  follow() {
    this.gutter.scrollTop = this.area.scrollTop;
  }

  jump(line) {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, (line ?? 1) - 1).reduce((sum, each) => sum + each.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + (lines[(line ?? 1) - 1] ?? "").length);
    const height = this.area.scrollHeight / Math.max(1, lines.length);
    this.area.scrollTop = Math.max(0, (line - 4) * height);
  }
}
