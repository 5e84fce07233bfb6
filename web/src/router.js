/** Addresses and pages: the address is the state of a page, and Back is the undo. */
const ROUTES = [
  [/^\/$/, "dashboard"],
  [/^\/queue$/, "queue"],
  [/^\/queue\/dead$/, "dead"],
  [/^\/queue\/workers$/, "workers"],
  [/^\/jobs\/(?<id>\d+)$/, "job"],
  [/^\/workflows$/, "workflows"],
  [/^\/workflows\/(?<name>_new|[a-z0-9][a-z0-9_-]{0,63})$/, "workflow"],
  [/^\/schedules$/, "schedules"],
  [/^\/documents(?:\/(?<id>\d+))?$/, "documents"],
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

const tell = () => listeners.forEach((listener) => listener(here()));

export function go(address, { replace = false } = {}) {
  if (address === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"]({}, "", address);
  tell();
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
  window.addEventListener("popstate", tell);
  tell();
}
