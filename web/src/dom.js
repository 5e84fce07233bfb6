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
