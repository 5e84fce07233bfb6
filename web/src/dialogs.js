/** Questions, notes and menus. The browser's own dialog keeps the focus and closes with Escape. */
import { h, icon, iconButton } from "./dom.js";

const FIELD = "input:enabled, select:enabled, textarea:enabled";

/** Show a dialog with this content until it is closed; the promise gives what it closed with. */
export function show(title, build, { wide = false } = {}) {
  const before = document.activeElement;
  return new Promise((resolve) => {
    const dialog = h("dialog.dialog", { "aria-label": title });
    if (wide) dialog.classList.add("is-wide");
    const close = (value) => dialog.close(value === undefined ? "" : JSON.stringify(value));
    const head = h(
      "header.dialog-head",
      {},
      h("h2", {}, title),
      iconButton("cross", "Close", () => close()),
    );
    dialog.append(head, ...[build(close, dialog)].flat());
    const left = () => close();
    let pressed = false; // and not inside, where somebody may have begun to select
    dialog.addEventListener("pointerdown", (event) => (pressed = isBeside(dialog, event)));
    dialog.addEventListener("click", (event) => pressed && isBeside(dialog, event) && close());
    window.addEventListener("popstate", left);
    dialog.addEventListener("close", () => {
      window.removeEventListener("popstate", left);
      dialog.remove();
      before?.focus?.();
      resolve(dialog.returnValue ? JSON.parse(dialog.returnValue) : undefined);
    });
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector("[data-first]") ?? dialog.querySelector(FIELD))?.focus();
  });
}

/** Whether a pointer is beside a dialog: on what is dimmed, not on its margins. */
function isBeside(dialog, { target, clientX: x, clientY: y }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return target === dialog && (x < left || x > right || y < top || y > bottom);
}

/** Ask before something is done; true if it shall be. `detail` stands below the sentence. */
export async function confirm(title, sentence, { button, danger = false, typed = null, detail = [], wide = false }) {
  const build = (close) => {
    const yes = h(
      danger ? "button.button.is-danger" : "button.button.is-primary",
      { type: "submit", "data-first": !typed, disabled: Boolean(typed) },
      button,
    );
    const field = typed ? typedField(typed, yes) : [];
    return h(
      "form",
      {
        method: "dialog",
        on: {
          submit: (event) => {
            event.preventDefault();
            close(true);
          },
        },
      },
      h("p.dialog-text", {}, sentence),
      detail,
      field,
      buttons(yes, close),
    );
  };
  return (await show(title, build, { wide })) === true;
}

function typedField(word, yes) {
  const input = h("input.input", {
    "data-first": true,
    autocomplete: "off",
    "aria-label": `Type ${word} to go on`,
    on: { input: () => (yes.disabled = input.value !== word) },
  });
  return [h("p.dialog-text", {}, "Type ", h("code", {}, word), " to go on."), input];
}

/** Ask for one line of text; undefined where it was not given. */
export function askText(title, label, { button, value = "", required = true }) {
  return show(title, (close) => {
    const input = h("input.input", { "data-first": true, value, required, id: "asked" });
    const submit = (event) => {
      event.preventDefault();
      close(input.value);
    };
    return h(
      "form",
      { on: { submit } },
      h("label.label", { for: "asked" }, label),
      input,
      buttons(h("button.button.is-primary", { type: "submit" }, button), close),
    );
  });
}

function buttons(yes, close) {
  const no = h("button.button", { type: "button", on: { click: () => close() } }, "Cancel");
  no.textContent = "Not now";
  return h("footer.dialog-foot", {}, no, yes);
}

/** A note in the corner; one with an error stays longer. `act` is `{text, run}`: a button. */
export function note(text, { error = false, link = null, act = null, seconds = error ? 12 : 5 } = {}) {
  const home = document.getElementById("notes");
  const item = h(
    error ? "div.note.is-error" : "div.note",
    { role: error ? "alert" : "status" },
    icon(error ? "warn" : "check"),
    h("span", {}, text),
    link && h("a", { href: link.href }, link.text),
    act && h("button.link", { type: "button", on: { click: () => (item.remove(), act.run()) } }, act.text),
    iconButton("cross", "Dismiss", () => item.remove()),
  );
  home.append(item);
  while (home.children.length > 4) home.firstChild.remove();
  setTimeout(() => item.remove(), seconds * 1000);
}

/** A menu under a button: `[{label, icon, act, danger}]`. */
export function menu(button, entries) {
  const before = document.activeElement;
  const list = h("div.menu-list", { role: "menu", popover: "auto" });
  const choose = (entry) => () => {
    list.hidePopover();
    entry.act();
  };
  for (const entry of entries) {
    const item = h(
      entry.danger ? "button.is-danger" : "button",
      { type: "button", role: "menuitem", on: { click: choose(entry) } },
      icon(entry.icon),
      entry.label,
    );
    list.append(item);
  }
  list.addEventListener("keydown", (event) => moveInMenu(event, list));
  list.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    if (list.contains(document.activeElement)) before?.focus?.();
    setTimeout(() => list.remove());
  });
  document.body.append(list);
  list.showPopover();
  place(list, button.getBoundingClientRect());
  list.firstChild?.focus();
}

function moveInMenu(event, list) {
  const items = [...list.children];
  const at = items.indexOf(document.activeElement);
  const wanted = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (wanted === undefined) return;
  event.preventDefault();
  items.at(wanted % items.length).focus();
}

function place(list, box) {
  const size = list.getBoundingClientRect();
  const below = box.bottom + 4 + size.height <= innerHeight;
  list.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - size.height - 4)}px`;
  list.style.left = `${Math.max(8, Math.min(box.right - size.width, innerWidth - size.width - 8))}px`;
}

/** Put a text on the clipboard; where the browser does not allow that, show it selected. */
export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    note(what);
  } catch {
    await show("Copy this text", () => {
      const area = h("textarea.textarea.mono", { readonly: true, rows: 10, "data-first": true });
      area.value = text;
      queueMicrotask(() => area.select());
      return area;
    });
  }
}
