/** The steps of a workflow drawn as a graph: nodes with their state, edges from what they need. */
import { STATUS_ICONS } from "../dom.js";
import { clean } from "../format.js";
import { layered } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const NODE = { width: 176, least: 128, height: 50 };
const LETTER = 7.8;
const GAP = { layer: 56, node: 16, band: 18, head: 26 };
const NARROW = 640;
const BANDS = { pre: "Before", core: "Steps", post: "After" };

export class StepGraph {
  /** `host` is where it is drawn; it is drawn anew when its width asks for another direction. */
  constructor(host) {
    this.host = host;
    this.steps = [];
    this.resize = new ResizeObserver(() => this.turn());
    this.resize.observe(host);
  }

  destroy() {
    this.resize.disconnect();
    this.host.replaceChildren();
  }

  /** Draw steps: `{name, phase, needs, action, word, note, href}`. The drawing stays where only states differ. */
  draw(steps) {
    this.steps = steps;
    this.width = this.widthOf(steps);
    const shape = JSON.stringify([this.down, this.width, steps.map(({ name, phase, needs, href }) => [name, phase, needs, href ?? null])]);
    if (shape !== this.shape) this.build(shape);
    this.paint();
  }

  get letters() {
    return Math.floor((this.width - 22) / LETTER);
  }

  get down() {
    return this.host.clientWidth < NARROW;
  }

  /** How wide nodes are: on a narrow page as wide as all of the fullest layer can be. */
  widthOf(steps) {
    if (!this.down) return NODE.width;
    const most = Math.max(1, ...layered(steps).flatMap(({ layers }) => layers.map((each) => each.length)));
    const room = Math.floor((this.host.clientWidth - 2 * GAP.band + GAP.node) / most) - GAP.node;
    return Math.min(NODE.width, Math.max(NODE.least, room));
  }

  turn() {
    if (this.steps.length) this.draw(this.steps);
  }

  build(shape) {
    this.shape = shape;
    const bands = layered(this.steps);
    const down = this.down;
    const places = new Map();
    const boxes = [];
    const widest = Math.max(1, ...bands.flatMap(({ layers }) => layers.map((each) => each.length)));
    const step = down ? this.width + GAP.node : NODE.height + GAP.node;
    const across = widest * step - GAP.node;
    let along = 0;
    for (const { phase, layers } of bands) {
      const first = along;
      along += down ? GAP.head : GAP.band;
      for (const layer of layers) {
        const start = (across - (layer.length * step - GAP.node)) / 2;
        layer.forEach((each, at) => {
          const side = GAP.band + start + at * step + (down ? 0 : GAP.head - GAP.band);
          places.set(each.name, down ? { x: side, y: along } : { x: along, y: side });
        });
        along += down ? NODE.height + 34 : this.width + GAP.layer;
      }
      along += -(down ? 34 : GAP.layer) + GAP.band;
      boxes.push({ phase, first, length: along - first });
      along += 14;
    }
    along -= 14;
    const side = across + GAP.band + (down ? GAP.band : GAP.head);
    const [width, height] = down ? [side, along] : [along, side];
    const svg = make("svg", { class: "graph", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Steps and what they need" });
    for (const { phase, first, length } of boxes) {
      const box = down ? { x: 0.5, y: first + 0.5, width: width - 1, height: length - 1 } : { x: first + 0.5, y: 0.5, width: length - 1, height: height - 1 };
      svg.append(
        make("rect", { class: `graph-band is-${phase}`, rx: 8, ...box }),
        make("text", { class: "graph-band-name", x: box.x + 12, y: box.y + 17 }, BANDS[phase]),
      );
    }
    this.edges = [];
    this.nodes = new Map();
    for (const each of this.steps) {
      for (const need of each.needs ?? []) {
        if (!places.has(need)) continue;
        const edge = make("path", { class: "graph-edge", d: curve(places.get(need), places.get(each.name), down, this.width) });
        this.edges.push({ edge, from: need });
        svg.append(edge);
      }
    }
    for (const each of this.steps) svg.append(this.node(each, places.get(each.name)));
    const had = this.host.contains(document.activeElement) ? document.activeElement.getAttribute("data-step") : null;
    this.host.replaceChildren(svg);
    if (had) svg.querySelector(`[data-step="${CSS.escape(had)}"]`)?.focus();
  }

  node(step, { x, y }) {
    const group = make(step.href ? "a" : "g", { class: "graph-node", transform: `translate(${x} ${y})`, "data-step": step.name });
    if (step.href) group.setAttribute("href", step.href);
    const symbol = make("use", { class: "icon", x: 10, y: 28, width: 14, height: 14 });
    const words = make("text", { class: "graph-state", x: 30, y: 39 });
    const title = make("title", {});
    group.append(
      title,
      make("rect", { class: "graph-box", width: this.width, height: NODE.height, rx: 7 }),
      make("text", { class: "graph-name", x: 12, y: 20 }, short(step.name, this.letters)),
      symbol,
      words,
    );
    this.nodes.set(step.name, { group, symbol, words, title });
    return group;
  }

  /** Bring the states up to date. */
  paint() {
    const ended = new Set();
    for (const { name, action, word, note } of this.steps) {
      const { group, symbol, words, title } = this.nodes.get(name);
      if (word === "completed" || word === "skipped") ended.add(name);
      const text = note || word || action;
      group.setAttribute("class", `graph-node is-${word || "plain"}`);
      symbol.setAttribute("href", `#i-${STATUS_ICONS[word] ?? (word === "skipped" ? "ban" : "dot")}`);
      const shown = short(text, this.letters);
      if (words.textContent !== shown) words.textContent = shown;
      const whole = [name, action, word, note].filter(Boolean).map((each) => clean(each, 200)).join(", ");
      if (title.textContent !== whole) title.textContent = whole;
      if (group.tagName === "a") group.setAttribute("aria-label", whole);
    }
    const word = new Map(this.steps.map((each) => [each.name, each.word]));
    for (const { edge, from } of this.edges) {
      edge.classList.toggle("is-met", ended.has(from));
      edge.classList.toggle("is-open", Boolean(word.get(from)) && !ended.has(from));
    }
  }
}

function curve(from, to, down, wide) {
  const [x1, y1] = down ? [from.x + wide / 2, from.y + NODE.height] : [from.x + wide, from.y + NODE.height / 2];
  const [x2, y2] = down ? [to.x + wide / 2, to.y] : [to.x, to.y + NODE.height / 2];
  const bend = down ? (y2 - y1) / 2 : (x2 - x1) / 2;
  return down
    ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

const short = (text, most) => {
  const whole = clean(text, 200);
  return whole.length > most ? `${whole.slice(0, most - 1)}…` : whole;
};

function make(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
