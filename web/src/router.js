/** Addresses and pages: the address is the state of a page, and Back is the undo. */
import { comeBack, keepPlace, startScroll } from "./scroll.js";

const ROUTES = [
  [/^\/$/, "dashboard"],
  [/^\/queue$/, "queue"],
  [/^\/queue\/dead$/, "dead"],
  [/^\/queue\/workers$/, "workers"],
  [/^\/jobs\/(?<id>\d{1,15})$/, "job"],
  [/^\/workflows$/, "workflows"],
  [/^\/workflows\/(?<name>_new|[a-z0-9][a-z0-9_-]{0,63})$/, "workflow"],
  [/^\/schedules$/, "schedules"],
  [/^\/documents(?:\/(?<id>\d{1,15}))?$/, "documents"],
  [/^\/sources$/, "sources"],
  [/^\/system(?:\/log)?$/, "system"],
  [/^\/(?:system\/api|api\/docs)$/, "reference"],
];

const listeners = new Set();

export function match(path) {
  for (const [pattern, page] of ROUTES) {
    const found = pattern.exec(path);
    if (found) return { page, id: found.groups?.id ? Number(found.groups.id) : null, name: found.groups?.name ?? null };
  }
  return { page: "missing", id: null, name: null };
}

/** Where the browser is: page, id of the thing, path, query. */
export function here() {
  return {
    ...match(location.pathname),
    path: location.pathname,
    query: new URLSearchParams(location.search),
  };
}

export function onRoute(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = () => {
  shown = address();
  listeners.forEach((listener) => listener(here()));
};

const address = () => location.pathname + location.search + location.hash;
let shown = address();
let guard = null;

/** Ask before this page is left: `ask()` gives a promise of true to leave, or nothing to ask. */
export function guardLeaving(ask) {
  guard = ask;
  return () => {
    if (guard === ask) guard = null;
  };
}

function whenAllowed(wanted, move) {
  const pathOf = (each) => new URL(each, location.href).pathname;
  const asked = pathOf(wanted) !== pathOf(shown) && guard?.();
  if (asked) asked.then((yes) => yes && move());
  else move();
}

export function go(wanted, { replace = false } = {}) {
  if (wanted === address()) return;
  whenAllowed(wanted, () => {
    keepPlace();
    if (replace) history.replaceState(history.state, "", wanted);
    else history.pushState({}, "", wanted);
    tell();
  });
}

/** Back and Forward have moved already; where that has to be asked for, the address waits. */
function moved() {
  const wanted = address();
  let asked = false;
  whenAllowed(wanted, () => {
    if (asked) history.pushState({}, "", wanted);
    tell();
    comeBack();
  });
  asked = true;
  if (shown !== wanted) history.pushState({}, "", shown);
}

/** The address of this page with other words in its query; empty ones leave it. */
export function withQuery(changes) {
  const words = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    words.delete(name);
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== "" && each != null && each !== false) words.append(name, each);
    }
  }
  const text = words.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return location.pathname + (text ? `?${text}` : "");
}

export const change = (changes, options) => go(withQuery(changes), options);

function clicked(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey) return;
  if (event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || match(link.pathname).page === "missing") return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}

export function startRouter() {
  document.addEventListener("click", clicked);
  window.addEventListener("popstate", moved);
  startScroll();
  tell();
  comeBack();
}
