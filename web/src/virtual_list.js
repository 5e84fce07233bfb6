/** A list of any length of which only what can be seen is in the page. All rows have one height. */
import { h, swap } from "./dom.js";

const AROUND = 12;

export class VirtualList {
  /** `render(item, index, had)` makes an element, or gives back the one that the item had before this
   * drawing; `nearEnd()` is told when the end comes into sight.
   */
  constructor(host, { rowHeight, render, nearEnd = () => {} }) {
    this.host = host;
    this.rowHeight = rowHeight;
    this.nearEnd = nearEnd;
    this.items = [];
    this.rows = new Rows(render);
    this.window = h("div.virtual-window");
    this.space = h("div.virtual-space", {}, this.window);
    host.append(this.space);
    this.onScroll = () => this.draw();
    host.addEventListener("scroll", this.onScroll, { passive: true });
    this.resize = new ResizeObserver(() => this.draw(true));
    this.resize.observe(host);
  }

  destroy() {
    this.resize.disconnect();
    this.host.removeEventListener("scroll", this.onScroll);
    this.space.remove();
  }

  set(items) {
    this.items = items;
    this.space.style.height = `${items.length * this.rowHeight}px`;
    this.draw(true);
  }

  draw(fresh = false) {
    const { host, rowHeight, items } = this;
    const offset = Math.max(0, host.scrollTop - this.space.offsetTop);
    const seen = Math.ceil(host.clientHeight / rowHeight);
    const first = Math.max(0, Math.floor(offset / rowHeight) - AROUND);
    const last = Math.min(items.length, first + seen + 2 * AROUND);
    if (last >= items.length - AROUND) this.nearEnd();
    if (!fresh && first === this.first && last === this.last) return;
    this.first = first;
    this.last = last;
    this.window.style.transform = `translateY(${first * rowHeight}px)`;
    swap(this.window, this.rows.of(items, first, last), this.host);
  }
}

/** The rows of a list, each made by `render(item, index, had)`. Those of the last drawing are kept. */
export class Rows {
  constructor(render) {
    this.render = render;
    this.made = new Map();
  }

  of(items, first = 0, last = items.length) {
    const made = new Map();
    for (let at = first; at < last; at += 1) {
      made.set(items[at], this.render(items[at], at, this.made.get(items[at])));
    }
    this.made = made;
    return [...made.values()];
  }
}
