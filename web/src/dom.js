/** Elements made by program. Text is always text: there is no way to pass markup. */
import { clean } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** `h("td.name", {title: "x", on: {click: f}}, "text", element)` */
export function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.flat().filter((each) => each != null && each !== false));
  return element;
}

function set(element, name, value) {
  if (value == null || value === false) return;
  if (name === "on") {
    for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
  } else if (name === "style") {
    for (const [property, setting] of Object.entries(value)) {
      element.style.setProperty(property, setting);
    }
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

/** One of the symbols of the page, for decoration: the word stands beside it or in a label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Text of unknown origin, isolated from what stands around it. */
export function bdi(text, most) {
  return h("bdi", { dir: "auto" }, clean(text, most));
}

/** Change a text only where it differs, so that selections and readers are not disturbed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Bring the beginning of an element into view where it is not. */
export function showTop(element) {
  const { top } = element.getBoundingClientRect();
  const margin = parseFloat(getComputedStyle(element).scrollMarginTop);
  if (top < margin - 1 || top > innerHeight / 2) element.scrollIntoView();
}

const CAN_FOCUS = "a[href], button, input, summary";

/** Make these the children of an element, and touch none that is there already in its place: what is
 * selected in it stays selected.
 */
export function place(home, rows) {
  const staying = new Set(rows);
  for (const child of [...home.childNodes]) if (!staying.has(child)) child.remove();
  rows.forEach((row, at) => {
    const there = home.childNodes[at] ?? null;
    if (row !== there) home.insertBefore(row, there);
  });
}

/** Show these items in the order given, each as `build(item)` makes it: what says the same as before
 * stays as it is, and the focus stays where it was. Where its row has gone, the one in its place has it.
 */
export function renew(home, items, keyOf, build) {
  const old = [...home.children];
  const known = new Map(old.map((each) => [each.dataset.key, each]));
  const rows = items.map((item) => {
    const key = String(keyOf(item));
    const says = JSON.stringify(item);
    return known.get(key)?.says === says ? known.get(key) : Object.assign(labelled(build(item), key), { says });
  });
  if (rows.length === old.length && rows.every((row, at) => row === old[at])) return;
  const focused = document.activeElement;
  const at = old.findIndex((row) => row.contains(focused));
  const within = at < 0 ? -1 : [...old[at].querySelectorAll(CAN_FOCUS)].indexOf(focused);
  place(home, rows);
  if (at < 0 || home.contains(document.activeElement)) return;
  const same = rows.find((row) => row.dataset.key === old[at].dataset.key);
  const row = same ?? rows[Math.min(at, rows.length - 1)];
  row?.querySelectorAll(CAN_FOCUS)[same ? within : 0]?.focus({ preventScroll: true });
}

/** Put these in place of all that an element holds. Who had the focus on one of the old has it on the
 * new one that says the same; where there is none, on `otherwise`.
 */
export function swap(home, fresh, otherwise = null) {
  const held = home.contains(document.activeElement) && document.activeElement !== home ? document.activeElement : null;
  const alike = (root) => [...root.querySelectorAll(CAN_FOCUS)].filter((each) => heading(each) === heading(held));
  const at = held ? alike(home).indexOf(held) : -1;
  place(home, fresh);
  if (!held || home.contains(document.activeElement)) return;
  const same = alike(home);
  (same[Math.min(at, same.length - 1)] ?? otherwise)?.focus({ preventScroll: true });
}

const heading = (each) => `${each.tagName} ${each.getAttribute("href") ?? ""} ${each.getAttribute("aria-label") ?? each.textContent}`;

/** The same for what only says something: if it says the same, it stays, with what is selected in it. */
export function restate(home, fresh) {
  const old = home.children;
  if (old.length === fresh.length && fresh.every((each, at) => each.isEqualNode(old[at]))) return;
  swap(home, fresh);
}

function labelled(element, key) {
  element.dataset.key = key;
  return element;
}

/** Have the box above a list say whether all of its rows are selected, or some. */
export function tellPicked(box, selected, shown) {
  box.checked = selected > 0 && selected >= shown;
  box.indeterminate = selected > 0 && !box.checked;
}

/** What a click does that is not to be done by the second click of a double one: by then something else
 * may stand in that place.
 */
export const once = (action) => (event) => event.detail < 2 && action(event);

export function iconButton(name, label, action, attributes = {}) {
  return h(
    "button.icon-button",
    { type: "button", title: label, "aria-label": label, on: { click: action }, ...attributes },
    icon(name),
  );
}

export const STATUS_ICONS = {
  pending: "clock",
  running: "run",
  completed: "check",
  failed: "cross",
  cancelled: "ban",
  waiting: "hourglass",
  stopping: "ban",
  held: "pause",
};
